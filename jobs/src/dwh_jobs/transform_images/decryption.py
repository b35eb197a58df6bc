"""The decryptor as a vectorised UDF: Arrow arrays on Spark 4.1 and newer, pandas series before."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.cipher import ImageReference, ImageReferenceDecryptor, TestCipher
from dwh_jobs.errors import ConfigRefusedError
from dwh_jobs.transform_images.rows import REFERENCE_TYPE

GROUP = "dwh_jobs.decryptors"
FIELDS = ("msp", "mspid", "mediaid", "locationspec", "cause")
_ARROW_TYPE = pa.struct(
    [
        ("msp", pa.string()),
        ("mspid", pa.int64()),
        ("mediaid", pa.int64()),
        ("locationspec", pa.string()),
        ("cause", pa.string()),
    ]
)


def decrypted(decryptor: str, udf: str, view: Column, image_id: Column, image_data: Column) -> Column:
    """The reference of each row as a struct column; one Python call per batch, not per row."""
    arrow = udf == "arrow" or (udf == "auto" and hasattr(F, "arrow_udf"))
    load_decryptor(decryptor)  # an unknown name is refused here, not in a worker
    return (_arrow_udf(decryptor) if arrow else _pandas_udf(decryptor))(view, image_id, image_data)


@cache
def load_decryptor(name: str) -> ImageReferenceDecryptor:
    """The decryptor of that name; once per process, because setting up keys costs more than a row."""
    if name == "test_cipher":
        return TestCipher()
    for entry in entry_points(group=GROUP, name=name):
        made: ImageReferenceDecryptor = entry.load()()
        return made
    raise ConfigRefusedError([("decryptor", f"there is no decryptor {name}")])


def _references(name: str, rows: Iterable[tuple[str | None, ...]]) -> list[ImageReference]:
    decryptor = load_decryptor(name)
    try:
        return [decryptor.decrypt(*row) for row in rows]
    except Exception as error:
        raise RuntimeError(
            f"dwh_step=transform decryptor {name} failed: {type(error).__name__}: {error}"
        ) from error


def _arrow_udf(name: str) -> Any:
    def decrypt(view: pa.Array, image_id: pa.Array, image_data: pa.Array) -> pa.Array:
        columns = [array.to_pylist() for array in (view, image_id, image_data)]
        found = _references(name, zip(*columns, strict=True))
        parts = [
            pa.array([getattr(item, field) for item in found], _ARROW_TYPE.field(field).type)
            for field in FIELDS
        ]
        return pa.StructArray.from_arrays(parts, fields=list(_ARROW_TYPE))

    return F.arrow_udf(decrypt, REFERENCE_TYPE)


def _pandas_udf(name: str) -> Any:
    def decrypt(view: pd.Series, image_id: pd.Series, image_data: pd.Series) -> pd.DataFrame:
        columns = [
            [None if pd.isna(item) else item for item in series] for series in (view, image_id, image_data)
        ]
        found = _references(name, zip(*columns, strict=True))
        frame = pd.DataFrame(
            {field: pd.Series([getattr(item, field) for item in found], dtype=object) for field in FIELDS}
        )
        return frame.astype({"mspid": "Int64", "mediaid": "Int64"})

    return F.pandas_udf(decrypt, REFERENCE_TYPE)
