"""A job's configuration: JSON in, one frozen typed model per job out.

An unknown key is refused with the nearest known one. Text may name `${DWH_DATA_URI}`, the folder of all
data, so that one file serves every environment; no other variable is ever put in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, TypeVar

from dwh_contracts.canonical import JsonObject
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dwh_jobs.artifacts import open_store
from dwh_jobs.errors import ConfigRefusedError
from dwh_jobs.nearest import did_you_mean
from dwh_jobs.publisher_config import PublisherConfig
from dwh_jobs.quality import QualityConfig
from dwh_jobs.uris import as_uri

DATA_URI = "${DWH_DATA_URI}"
ModelT = TypeVar("ModelT", bound=BaseModel)


class JobConfig(BaseModel):
    """What every job's configuration holds; a job's model adds its own parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quality: QualityConfig = Field(default_factory=QualityConfig)
    publisher: PublisherConfig = Field(default_factory=PublisherConfig)
    spark: dict[str, str] = Field(default_factory=dict, description="Spark settings of this job")


def read_config(text: str, environ: Mapping[str, str] = os.environ) -> JsonObject:
    """The configuration that `--config` gives: JSON itself, or the address of a JSON file."""
    raw = text if text.lstrip().startswith("{") else _fetch(text)
    try:
        found = json.loads(raw)
    except json.JSONDecodeError as error:
        raise ConfigRefusedError([("$", f"not JSON: {error}")]) from error
    if not isinstance(found, dict):
        raise ConfigRefusedError([("$", "not a JSON object")])
    return {name: _filled(value, name, environ) for name, value in found.items()}


def typed_config(model: type[ModelT], raw: JsonValue) -> ModelT:
    """The typed configuration; ConfigRefusedError names every problem with its path."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = [_problem(model, dict(item)) for item in error.errors(include_url=False)]
        raise ConfigRefusedError(problems) from error


def _fetch(uri: str) -> str:
    stored = open_store(uri).read(as_uri(uri))
    if stored is None:
        raise ConfigRefusedError([("$", f"there is no file {uri}")])
    try:
        return stored.body.decode()
    except UnicodeDecodeError as error:
        raise ConfigRefusedError([("$", f"{uri} is not UTF-8")]) from error


def _filled(value: JsonValue, path: str, environ: Mapping[str, str]) -> JsonValue:
    if isinstance(value, dict):
        return {name: _filled(item, f"{path}.{name}", environ) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, f"{path}[{number}]", environ) for number, item in enumerate(value)]
    if isinstance(value, str) and DATA_URI in value:
        if not environ.get("DWH_DATA_URI"):
            raise ConfigRefusedError([(path, "names ${DWH_DATA_URI}, which is not set in the environment")])
        return value.replace(DATA_URI, environ["DWH_DATA_URI"].rstrip("/"))
    return value


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> tuple[str, str]:
    *outer, name = error["loc"] or ("$",)
    path = ".".join(str(part) for part in error["loc"]) or "$"
    if error["type"] != "extra_forbidden":
        return path, str(error["msg"])
    holder: type[BaseModel] | None = model
    for part in outer:
        holder = _model_of(holder, part)
    known = holder.model_fields if holder else {}
    return path, f"unknown key{did_you_mean(str(name), known)}"


def _model_of(model: type[BaseModel] | None, part: str | int) -> type[BaseModel] | None:
    """The model that the field `part` holds, where that is plain to see."""
    field = model.model_fields.get(str(part)) if model else None
    annotation = field.annotation if field else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
