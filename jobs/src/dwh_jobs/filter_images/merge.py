"""Merge rows of a run into the set of the day: the last version of an image wins.

The result depends on the set of runs only. The winner of a key is the greatest of (event time, source run,
row hash), which any order of merging finds; a run that is merged again replaces its own rows.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.transform_images.references import REFERENCE_FIELDS
from dwh_jobs.transform_images.rows import BUSINESS_FIELDS

KEY_KINDS = ("mediaid", "mspid", "msp", "locationspec")
_TYPES = {"product_index": "int", "mspid": "bigint", "mediaid": "bigint"}
_DATA = ",".join(f"{name}:{_TYPES.get(name, 'string')}" for name in (*BUSINESS_FIELDS, *REFERENCE_FIELDS))
INPUT_TYPE = f"eventTime timestamp, pk string, data struct<{_DATA}>"
ROW_TYPE = f"{INPUT_TYPE}, key_kind string, key_value string, source_run_id string, row_hash string"
COLUMNS = ("eventTime", "pk", "data", "key_kind", "key_value", "source_run_id", "row_hash")


def rows_of_run(rows: DataFrame, source_run_id: str) -> DataFrame:
    """A run's rows with their key, where they come from and the hash of what they say."""
    kind, value = _key()
    return rows.select(
        "eventTime",
        "pk",
        "data",
        kind.alias("key_kind"),
        value.alias("key_value"),
        F.lit(source_run_id).alias("source_run_id"),
        F.sha2(F.to_json(F.struct("eventTime", "pk", "data")), 256).alias("row_hash"),
    )


def ranked(base: DataFrame, added: DataFrame, source_run_id: str) -> DataFrame:
    """All rows with `place`: 1 for the winner of each key. Rows without a key all win."""
    others = base.where(F.col("source_run_id") != source_run_id)
    rows = others.select(*COLUMNS).unionByName(added.select(*COLUMNS))
    alone = F.when(F.col("key_kind").isNull(), F.monotonically_increasing_id())
    best_first = [F.col(name).desc() for name in ("eventTime", "source_run_id", "row_hash")]
    rows = rows.withColumn("alone", alone)
    order = Window.partitionBy("key_kind", "key_value", "alone").orderBy(*best_first)
    return rows.withColumn("place", F.row_number().over(order)).drop("alone")


def _key() -> tuple[Column, Column]:
    """Kind and value of the first field that is present."""
    kind, value = F.when(F.lit(False), F.lit("")), F.when(F.lit(False), F.lit(""))
    for name in KEY_KINDS:
        field = F.col(f"data.{name}")
        kind = kind.when(field.isNotNull(), name)
        value = value.when(field.isNotNull(), field.cast("string"))
    return kind, value
