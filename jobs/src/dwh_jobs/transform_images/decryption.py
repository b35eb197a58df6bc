"""The decryptor as a vectorised UDF: Arrow arrays on Spark 4.1 and newer, pandas series before.

A form is imported when it is used: pandas costs a second or more in the driver and in every worker.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.transform_images.references import load_decryptor


def decrypted(decryptor: str, udf: str, view: Column, image_id: Column, image_data: Column) -> Column:
    """The reference of each row as a struct column; one Python call per batch, not per row."""
    load_decryptor(decryptor)  # an unknown name is refused here, not in a worker
    fields = (view, image_id, image_data)
    if udf == "arrow" or (udf == "auto" and hasattr(F, "arrow_udf")):
        from dwh_jobs.transform_images.arrow_form import arrow_form  # noqa: PLC0415 - see above

        return arrow_form(decryptor)(*fields)
    from dwh_jobs.transform_images.pandas_form import pandas_form  # noqa: PLC0415 - see above

    return pandas_form(decryptor)(*fields)
