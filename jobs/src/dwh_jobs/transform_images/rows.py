"""Rows of saved projects: parsed, judged, decrypted, laid out.

Plain functions DataFrame → DataFrame. Every row carries `reason`: the first rule that drops it, or null.
Nothing is filtered before the write, so kept and dropped rows come out of the same pass.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everybody uses

from dwh_jobs.transform_images.references import REFERENCE_FIELDS
from dwh_jobs.transform_images.source import PARTITIONS

CORRUPT, NULL_EVENT_TIME, NULL_DATA = "extract_corrupt_json", "extract_null_eventtime", "extract_null_data"
UNDECRYPTABLE, BAD_TIMESTAMP = "transform_decryption_failure", "transform_bad_timestamp"
EXTRACT_REASONS = (CORRUPT, NULL_EVENT_TIME, NULL_DATA)
TRANSFORM_REASONS = (UNDECRYPTABLE, BAD_TIMESTAMP)

BUSINESS_FIELDS = (
    "projectguid",
    "project_type",
    "project_subtype",
    "userid",
    "inserted",
    "state",
    "product_index",
    "product_type",
    "productguid",
    "productimageid",
)
"""What a kept row carries over; `updated` becomes the time of the row itself."""

_INPUT_DATA = ",".join(
    f"{name}:{'int' if name == 'product_index' else 'string'}"
    for name in (*BUSINESS_FIELDS, "updated", "image_view", "image_id", "image_data")
)
_INPUT_META = "struct<framework:struct<version:string>,savedproject:struct<version:string,processor:string>>"
_INPUT_ROW = f"struct<eventTime:string,event_time:string,data:struct<{_INPUT_DATA}>,__meta__:{_INPUT_META}>"
_WRAPPED_TYPE = f"row {_INPUT_ROW}, end boolean, _corrupt string"
_STRICT = {
    "columnNameOfCorruptRecord": "_corrupt",
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?\s?(Z|[+-]\d{2}:?\d{2})?$"
_WRITTEN_TIME = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"


def parse(lines: DataFrame) -> DataFrame:
    """Add `row` and `corrupt`: exactly one JSON object of the right types per line, or corrupt.

    Spark reads the first value of a text and ignores the rest. So the line is parsed as a member of an
    object that goes on after it, and counted as the elements of an array: only a line that is one value
    alone passes both.
    """
    wrapped = F.from_json(F.concat(F.lit('{"row":'), "text", F.lit(',"end":true}')), _WRAPPED_TYPE, _STRICT)
    values = F.json_array_length(F.concat(F.lit("["), "text", F.lit("]")))
    parsed = lines.withColumn("parsed", wrapped)
    corrupt = (
        F.col("parsed._corrupt").isNotNull()
        | F.col("parsed.end").isNull()
        | F.col("parsed.row").isNull()
        | F.coalesce(values != 1, F.lit(True))
        | F.col("text").contains("\ufffd")
    )
    return parsed.select(*lines.columns, F.col("parsed.row").alias("row"), corrupt.alias("corrupt"))


def judge_extract(rows: DataFrame) -> DataFrame:
    """Add `reason` of the extract rules, the event time and the data type."""
    processor = F.lower(F.col("row.__meta__.savedproject.processor"))
    reason = (
        F.when(F.col("corrupt"), CORRUPT)
        .when(F.col("row.eventTime").isNull(), NULL_EVENT_TIME)
        .when(F.col("row.data").isNull(), NULL_DATA)
    )
    return rows.withColumn("extract_reason", reason).withColumns(
        {
            "event_time": F.when(reason.isNull(), utc_time(F.col("row.eventTime"))),
            "data_type": F.coalesce(F.when(F.trim(processor) != "", processor), F.lit("unknown")),
        }
    )


def judge_transform(rows: DataFrame, reference: Column) -> DataFrame:
    """Add `reference`, `updated` and the final `reason`; rows dropped before are not decrypted."""
    rows = rows.withColumn("reference", reference).withColumn("updated", utc_time(F.col("row.data.updated")))
    nothing = F.coalesce(*[F.col(f"reference.{name}").cast("string") for name in REFERENCE_FIELDS]).isNull()
    reason = (
        F.when(F.col("extract_reason").isNotNull(), F.col("extract_reason"))
        .when(nothing, UNDECRYPTABLE)
        .when(F.col("updated").isNull(), BAD_TIMESTAMP)
    )
    return rows.withColumn("reason", reason)


def lay_out(rows: DataFrame, interval_minutes: int) -> DataFrame:
    """The line to write, its category and interval, beside the few columns that are counted."""
    kept = F.col("reason").isNull()
    category = F.when(~kept, "dropped").when(F.col("data_type").contains("nautilus"), "nautilus")
    reference = F.col("reference")
    return rows.select(
        F.when(kept, F.to_json(_kept_row(), {"ignoreNullFields": "false"}))
        .otherwise(F.to_json(_dropped_row(), {"ignoreNullFields": "false"}))
        .alias("value"),
        category.otherwise("savedproject").alias("category"),
        *_interval_columns(kept, interval_minutes),
        *[F.col(name).alias(f"source_{name}") for name in PARTITIONS],
        "reason",
        "event_time",
        "data_type",
        (reference.mspid.isNotNull() | reference.mediaid.isNotNull()).alias("has_image"),
    )


def utc_time(text: Column) -> Column:
    """A timestamp from text with or without fractions and offset; null when it is none."""
    return F.when(text.rlike(_TIMESTAMP), F.try_to_timestamp(text))


def _kept_row() -> Column:
    written = F.date_format("updated", _WRITTEN_TIME)
    pk = F.concat_ws(
        "_", *[F.coalesce(F.col(f"row.data.{name}"), F.lit("")) for name in ("projectguid", "userid")]
    )
    data = [F.col(f"row.data.{name}") for name in BUSINESS_FIELDS]
    reference = [F.col(f"reference.{name}") for name in REFERENCE_FIELDS]
    return F.struct(
        written.alias("eventTime"),
        written.alias("event_time"),
        pk.alias("pk"),
        F.struct(*data, *reference).alias("data"),
    )


def _dropped_row() -> Column:
    return F.struct(
        "reason",
        F.substring_index("reason", "_", 1).alias("phase"),
        F.col("reference.cause").alias("cause"),
        "source_file",
        F.col("text").alias("original"),
        *[F.col(f"row.data.{name}") for name in ("image_view", "image_id", "image_data")],
    )


def _interval_columns(kept: Column, interval_minutes: int) -> list[Column]:
    """Of the row's own time when it is kept, of the folder it was read from when it is dropped."""
    parts = {
        "year": F.year("updated"),
        "month": F.month("updated"),
        "day": F.dayofmonth("updated"),
        "hour": F.hour("updated"),
        "min": (F.minute("updated") / F.lit(interval_minutes)).cast("int") * F.lit(interval_minutes),
    }
    widths = {"year": 4}
    return [
        F.when(kept, F.lpad(part.cast("string"), widths.get(name, 2), "0")).otherwise(F.col(name)).alias(name)
        for name, part in parts.items()
    ]
