"""Objects without S3."""

from faststream_sqs.large import MissingPayloadError


class MemoryObjects:
    """An `ObjectStore` that keeps everything in this object."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], bytes] = {}

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Objects stay."""

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object."""
        self.stored[bucket, key] = body

    async def get(self, bucket: str, key: str) -> bytes:
        """Fetch an object."""
        try:
            return self.stored[bucket, key]
        except KeyError as error:
            raise MissingPayloadError(f"there is no s3://{bucket}/{key}") from error
