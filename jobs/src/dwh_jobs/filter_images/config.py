"""Configuration of `filter_images`."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dwh_jobs.config import JobConfig
from dwh_jobs.uris import as_uri


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name}") from error
    return name


Address = Annotated[str, AfterValidator(as_uri)]


class ExtractorConfig(BaseModel):
    """The dataset whose published windows are merged when no run is named on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Address


class LoaderConfig(BaseModel):
    """The dataset of days; each run writes below `path`/runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Address
    files: int = Field(default=4, ge=1, description="files of the merged set")


class FilterImagesConfig(JobConfig):
    """A day begins at midnight of `timezone`."""

    extractor_config: ExtractorConfig
    loader_config: LoaderConfig
    timezone: Annotated[str, AfterValidator(_known_zone)] = "America/Los_Angeles"
