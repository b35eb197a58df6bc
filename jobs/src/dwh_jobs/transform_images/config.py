"""Configuration of `transform_images`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dwh_jobs.config import JobConfig
from dwh_jobs.uris import as_uri

DATA_TYPES = (
    "bundledcollageparser",
    "matissecalendarparser",
    "nautilusbookparser",
    "nautiluscollageparser",
    "nautilusphototileparser",
    "photobook30parser",
    "simplecollageparser",
    "unknown",
)
OTHER = "other"

Address = Annotated[str, AfterValidator(as_uri)]
IntervalMinutes = Annotated[int, Field(ge=1, le=60)]


class ExtractorConfig(BaseModel):
    """The input: one folder per interval below `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Address
    partition_interval_minutes: IntervalMinutes = 5


class LoaderConfig(BaseModel):
    """The output dataset; each run writes below `path`/runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Address
    partition_interval_minutes: IntervalMinutes = 5
    max_records_per_file: int = Field(default=262_000, ge=1)


class TransformImagesConfig(JobConfig):
    """`data_types` are counted by name, every other type as `other`."""

    extractor_config: ExtractorConfig
    loader_config: LoaderConfig
    data_types: tuple[str, ...] = DATA_TYPES
    decryptor: str = Field(default="test_cipher", description="name in the entry points dwh_jobs.decryptors")
    udf: Literal["auto", "arrow", "pandas"] = "auto"
