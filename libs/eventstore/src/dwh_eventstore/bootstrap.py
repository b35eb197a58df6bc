"""Make the indices, templates and aliases of the store; idempotent.

Run once at installation and then daily: it makes coming months and closes old ones.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock, SystemClock

from dwh_eventstore import definitions, indices
from dwh_eventstore.backend import Backend
from dwh_eventstore.errors import StoreError
from dwh_eventstore.fold_versions import outdated
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.settings import StoreSettings

NEVER_CREATED_BY_A_WRITE = (
    "events-*",
    "rm-*",
    "projection-*",
    indices.EFFECTS,
    indices.DECISIONS,
    indices.DIGESTS,
)
OLDEST_ENGINE = (2, 19)
CLOSED_AFTER = timedelta(days=45)
_DURABILITY = "index.translog.durability"


async def bootstrap(settings: StoreSettings, *, check: bool = False, clock: Clock | None = None) -> list[str]:
    """Make what is missing, mend what can be; the differences that were found. With `check` change nothing.

    What cannot be mended, such as an index that is not append-only, is found again by the next.

    Raises:
        StoreUnavailable: the server did not answer.
    """
    async with _backend(settings) as backend:
        return await bootstrap_backend(
            backend, replicas=settings.replicas, now=(clock or SystemClock()).now(), check=check
        )


async def bootstrap_backend(
    backend: Backend, *, replicas: int, now: datetime, check: bool = False
) -> list[str]:
    """`bootstrap` over an open backend.

    Raises:
        StoreError: the engine is too old for what the store rests on.
    """
    await _refuse_old(backend)
    found = [
        *await _auto_create(backend, check=check),
        *await _templates(backend, replicas, check=check),
        *await _indices(backend, replicas, now, check=check),
        *map(str, await outdated(backend)),
        *await _old_months(backend, now, check=check),
    ]
    await backend.settle()
    return found


@asynccontextmanager
async def _backend(settings: StoreSettings) -> AsyncIterator[Backend]:
    backend = OpenSearchBackend(settings)
    try:
        yield backend
    finally:
        await backend.close()


async def _refuse_old(backend: Backend) -> None:
    version = await backend.version()
    numbers = re.match(r"(\d+)\.(\d+)[^ ]*$", version)
    if numbers is None or tuple(map(int, numbers.groups())) < OLDEST_ENGINE:
        raise StoreError(
            f"OpenSearch {version} cannot hold the event store: it needs 2.19 or later, "
            "where the engine itself refuses to change or delete what is in an append-only index"
        )


async def _auto_create(backend: Backend, *, check: bool) -> list[str]:
    """A typo in an index name, or a month without index, must fail and not make a bare index."""
    forbidden = set(await backend.auto_create_forbidden())
    if "*" in forbidden or set(NEVER_CREATED_BY_A_WRITE) <= forbidden:
        return []
    if not check:
        await backend.forbid_auto_create(NEVER_CREATED_BY_A_WRITE)
    return [f"writes could create indices named {', '.join(NEVER_CREATED_BY_A_WRITE)}"]


async def _templates(backend: Backend, replicas: int, *, check: bool) -> list[str]:
    wanted = {
        f"dwh-events-{family}": definitions.events_template(family, replicas) for family in indices.FAMILIES
    }
    found = {
        name: problem
        for name in wanted
        if (problem := _difference(await backend.template(name), wanted[name]))
    }
    for name in found if not check else ():
        await backend.put_template(name, wanted[name])
    return [f"template {name} {problem}" for name, problem in found.items()]


def _difference(present: JsonObject | None, wanted: JsonObject) -> str | None:
    if present is None:
        return "is missing"
    return None if _covers(present, wanted) else "differs"


async def _indices(backend: Backend, replicas: int, now: datetime, *, check: bool) -> list[str]:
    wanted = _wanted(replicas, now).items()
    return [
        problem
        for name, definition in wanted
        for problem in await _index(backend, name, definition, now, check=check)
    ]


async def _index(
    backend: Backend, name: str, definition: JsonObject, now: datetime, *, check: bool
) -> list[str]:
    model = next(iter(_part(definition, "aliases")), None)
    if model is not None:
        return await _read_model(backend, model, definition, check=check)
    present = await backend.describe(name)
    if present is not None:
        return await _mended(backend, name, present, definition, check=check)
    if not check:
        await backend.create_index(name, definition)
        if indices.is_month(name) and _is_old(name, now):
            await backend.close_for_writing(name)
    return [f"index {name} is missing"]


async def _read_model(backend: Backend, model: str, definition: JsonObject, *, check: bool) -> list[str]:
    """The index behind the alias counts, whichever version a rebuild has brought it to."""
    current = await backend.resolve(model)
    if current is not None:
        present = await backend.describe(current) or {}
        return await _mended(backend, current, present, definition, check=check)
    versions = indices.versions(model, await backend.names(f"rm-{model}-v*"))
    if len(versions) > 1:
        several = ", ".join(versions)
        return [f"the alias {model} is missing; give it to the right one of {several} (POST /_aliases)"]
    if not check and versions:
        await backend.move_aliases({model: {}}, None, versions[0])
    elif not check:
        await backend.create_index(indices.physical(model), definition)
    return [f"the alias {model} is missing" if versions else f"index {indices.physical(model)} is missing"]


async def _mended(
    backend: Backend, name: str, present: JsonObject, wanted: JsonObject, *, check: bool
) -> list[str]:
    """What an existing index lacks; what can be changed in it is changed."""
    found = _problems(present, wanted)
    if found and not check:
        settings, expected = _part(present, "settings"), _part(wanted, "settings")
        if not _covers(settings.get(_DURABILITY), expected[_DURABILITY]):
            await backend.change_settings(name, {_DURABILITY: expected[_DURABILITY]})
        with suppress(StoreError):  # a field of another kind: it is named, and stays
            await backend.add_fields(name, _part(_part(wanted, "mappings"), "properties"))
    return [f"index {name}: {problem}" for problem in found]


def _wanted(replicas: int, now: datetime) -> dict[str, JsonObject]:
    months = {
        indices.month_index(family, month): _part(definitions.events_template(family, replicas), "template")
        for family in indices.FAMILIES
        for month in indices.months_around(now)
    }
    return {**months, **definitions.fixed_indices(replicas)}


def _problems(present: JsonObject, wanted: JsonObject) -> list[str]:
    """What an existing index lacks; settings that cannot be changed later are named, not hidden."""
    settings, expected = _part(present, "settings"), _part(wanted, "settings")
    mapping, fields = _part(present, "mappings"), _part(wanted, "mappings").get("properties")
    return [
        *(
            f"{name} is {settings.get(name)}, not {expected[name]}"
            for name in ("index.append_only.enabled", _DURABILITY)
            if name in expected and not _covers(settings.get(name), expected[name])
        ),
        *([] if _covers(mapping, {"properties": fields}) else ["the mapping lacks fields"]),
    ]


async def _old_months(backend: Backend, now: datetime, *, check: bool) -> list[str]:
    found = [
        name
        for family in indices.FAMILIES
        for name in await backend.names(indices.month_pattern(family))
        if _is_old(name, now) and not await _is_closed(backend, name)
    ]
    for name in found if not check else ():
        await backend.close_for_writing(name)
    return [f"index {name} is still open for writing" for name in found]


def _is_old(name: str, now: datetime) -> bool:
    return now - indices.end_of_month(name) >= CLOSED_AFTER


async def _is_closed(backend: Backend, name: str) -> bool:
    settings = _part(await backend.describe(name) or {}, "settings")
    return str(settings.get("index.blocks.write")).lower() == "true"


def _part(definition: JsonObject, name: str) -> dict[str, Any]:
    part = definition.get(name)
    return part if isinstance(part, dict) else {}


def _covers(present: Any, wanted: Any) -> bool:
    """Whether everything wanted is present; the engine answers numbers and booleans as text."""
    if isinstance(wanted, Mapping):
        return isinstance(present, Mapping) and all(
            name in present and _covers(present[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(present, list) and len(present) == len(wanted)
    return str(present).lower() == str(wanted).lower()
