"""The decryptor over pandas series, for Spark before 4.1."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.transform_images.references import FIELDS, REFERENCE_TYPE, references


def pandas_form(name: str) -> Any:
    """The UDF: one frame per batch."""

    def decrypt(view: pd.Series, image_id: pd.Series, image_data: pd.Series) -> pd.DataFrame:
        columns = [
            [None if pd.isna(item) else item for item in series] for series in (view, image_id, image_data)
        ]
        found = references(name, zip(*columns, strict=True))
        frame = pd.DataFrame(
            {field: pd.Series([getattr(item, field) for item in found], dtype=object) for field in FIELDS}
        )
        return frame.astype({"mspid": "Int64", "mediaid": "Int64"})

    return F.pandas_udf(decrypt, REFERENCE_TYPE)
