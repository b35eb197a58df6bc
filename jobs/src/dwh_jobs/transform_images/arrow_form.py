"""The decryptor over Arrow arrays, for Spark 4.1 and newer; needs no pandas in the workers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.transform_images.columns import number_column, text_column
from dwh_jobs.transform_images.references import FIELDS, NUMBERS, REFERENCE_TYPE, references


def arrow_form(name: str) -> Any:
    """The UDF: one struct array per batch."""

    def decrypt(view: pa.Array, image_id: pa.Array, image_data: pa.Array) -> pa.Array:
        columns = [array.to_pylist() for array in (view, image_id, image_data)]
        found = references(name, zip(*columns, strict=True))
        parts = [
            (number_column if field in NUMBERS else text_column)([getattr(item, field) for item in found])
            for field in FIELDS
        ]
        return pa.StructArray.from_arrays(parts, names=list(FIELDS))

    return F.arrow_udf(decrypt, REFERENCE_TYPE)
