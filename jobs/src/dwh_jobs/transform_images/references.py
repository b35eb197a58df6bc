"""The decryptor by its name, and a batch of rows through it.

Every Python worker imports this: nothing here may bring in pandas, boto3 or the driver's modules.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

from dwh_jobs.cipher import ImageReference, ImageReferenceDecryptor, TestCipher
from dwh_jobs.errors import ConfigRefusedError

GROUP = "dwh_jobs.decryptors"
REFERENCE_FIELDS = ("msp", "mspid", "mediaid", "locationspec")
REFERENCE_TYPE = "msp string, mspid bigint, mediaid bigint, locationspec string, cause string"
FIELDS = (*REFERENCE_FIELDS, "cause")
NUMBERS = ("mspid", "mediaid")


@cache
def load_decryptor(name: str) -> ImageReferenceDecryptor:
    """The decryptor of that name; once per process, because setting up keys costs more than a row."""
    if name == "test_cipher":
        return TestCipher()
    for entry in entry_points(group=GROUP, name=name):
        made: ImageReferenceDecryptor = entry.load()()
        return made
    raise ConfigRefusedError([("decryptor", f"there is no decryptor {name}")])


def references(name: str, rows: Iterable[tuple[str | None, ...]]) -> list[ImageReference]:
    """The reference of every row; an exception of the decryptor carries the marker of its phase."""
    decryptor = load_decryptor(name)
    try:
        return [decryptor.decrypt(*row) for row in rows]
    except Exception as error:
        raise RuntimeError(
            f"dwh_step=transform decryptor {name} failed: {type(error).__name__}: {error}"
        ) from error
