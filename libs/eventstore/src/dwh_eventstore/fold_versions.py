"""Which read models another release wrote: nothing may be written to them but by its folds."""

from dataclasses import dataclass

from pydantic import JsonValue

from dwh_eventstore import indices, mappings
from dwh_eventstore.backend import Backend


@dataclass(frozen=True, slots=True)
class Outdated:
    """A read model, the index behind its alias, and the version of the folds that wrote it."""

    model: str
    index: str
    version: JsonValue

    def __str__(self) -> str:
        return (
            f"index {self.index}: written by folds of version {self.version}, not {mappings.FOLD_VERSION}; "
            f"`dwh store rebuild {self.model}` makes it anew"
        )


async def outdated(backend: Backend) -> list[Outdated]:
    """Those of other folds than this release's, in an order in which they can be made anew.

    Decisions and line items follow from runs, so `job-events` comes first; those of single jobs come last.
    """
    found = []
    for index in await backend.names("rm-*"):
        present = await backend.describe(index) or {}
        version = mappings.fold_version(present.get("mappings"))
        model = indices.model_of(index)
        if version != mappings.FOLD_VERSION and model in indices.aliases_of(present):
            found.append(Outdated(model, index, version))
    return sorted(found, key=_place)


def _place(found: Outdated) -> tuple[bool, bool, str]:
    return found.model != indices.JOB_EVENTS, found.model not in indices.FIXED_READ_MODELS, found.model
