"""What any set of AWS ports must do; run on `MemoryAws` and on `AwsClients` against a stand-in."""

# ruff: noqa: S101 - a suite asserts

from abc import ABC, abstractmethod
from pathlib import Path

from dwh_runtime.aws import Aws, AwsRefused, ObjectMissing


class AwsSuite(ABC):
    """Subclasses name their resources; every test is a claim about both."""

    topic_arn: str
    queue_url: str
    bucket: str

    @abstractmethod
    def aws(self) -> Aws:
        """The ports under test."""

    async def test_an_object_reads_as_written(self) -> None:
        """Bytes and tag."""
        objects = self.aws().objects
        uri = f"s3://{self.bucket}/folder/a b?c#d.json"
        etag = await objects.put(uri, b"one")
        fetched = await objects.get(uri)
        assert fetched is not None
        assert (fetched.body, fetched.etag) == (b"one", etag)

    async def test_an_unchanged_object_is_not_read_again(self) -> None:
        """Conditional read by tag."""
        objects = self.aws().objects
        uri = f"s3://{self.bucket}/config.json"
        etag = await objects.put(uri, b"one")
        assert await objects.get(uri, etag) is None
        await objects.put(uri, b"two")
        changed = await objects.get(uri, etag)
        assert changed is not None
        assert changed.body == b"two"

    async def test_a_missing_object_says_so(self) -> None:
        """Not an empty one."""
        await _raises(ObjectMissing, self.aws().objects.get(f"s3://{self.bucket}/absent"))

    async def test_files_behave_as_objects(self, tmp_path: Path) -> None:
        """`file://` beside `s3://`."""
        objects = self.aws().objects
        uri = (tmp_path / "folder" / "config file.json").as_uri()
        await _raises(ObjectMissing, objects.get(uri))
        etag = await objects.put(uri, b"one")
        fetched = await objects.get(uri)
        assert fetched is not None
        assert (fetched.body, fetched.etag) == (b"one", etag)
        assert await objects.get(uri, etag) is None

    async def test_a_folder_names_its_objects_and_no_others(self, tmp_path: Path) -> None:
        """Sorted addresses that can be read."""
        objects = self.aws().objects
        for folder in (f"s3://{self.bucket}/listed", (tmp_path / "listed").as_uri()):
            for name in ("b/2.json", "a 1.json"):
                await objects.put(f"{folder}/{name}".replace(" ", "_"), b"{}")
            await objects.put(f"{folder}-too/3.json", b"{}")
            assert await objects.names(folder) == [f"{folder}/a_1.json", f"{folder}/b/2.json"]
            assert await objects.names(f"{folder}/none") == []

    async def test_another_scheme_is_refused(self) -> None:
        """No fetching of arbitrary addresses."""
        await _raises(AwsRefused, self.aws().objects.get("http://169.254.169.254/latest"))

    async def test_a_sent_message_counts_in_its_queue(self) -> None:
        """Delayed ones apart."""
        queues = self.aws().queues
        before = await queues.depth(self.queue_url)
        first = await queues.send(self.queue_url, b'{"a":1}', {"dag_id": "x"})
        second = await queues.send(self.queue_url, b'{"a":2}', {}, delay_seconds=60)
        after = await queues.depth(self.queue_url)
        assert first != second
        assert after["visible"] - before["visible"] == 1
        assert after["delayed"] - before["delayed"] == 1
        assert after.keys() == {"visible", "in_flight", "delayed"}

    async def test_publishing_answers_an_id_per_message(self) -> None:
        """With attributes, subject and structure."""
        topics = self.aws().topics
        first = await topics.publish(self.topic_arn, b'{"a":1}', {"event_type": "x"})
        second = await topics.publish(
            self.topic_arn, b'{"default":"{}"}', {}, subject="Job Event: x", message_structure="json"
        )
        assert first != second


async def _raises(expected: type[Exception], call: object) -> None:
    try:
        await call  # type: ignore[misc]
    except expected:
        return
    raise AssertionError(f"{expected.__name__} was not raised")
