"""Jobs by name.

A team adds a job in its own wheel, by the decorator in a module that its entry point (group
`dwh_jobs.jobs`, named like the job) loads. Ours need no entry point, because a zip carries none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from dwh_contracts.canonical import JsonObject

from dwh_jobs.config import typed_config
from dwh_jobs.context import ExecutionContext
from dwh_jobs.errors import BadArgumentsError
from dwh_jobs.job import AbstractJob, JobPorts
from dwh_jobs.nearest import did_you_mean

GROUP = "dwh_jobs.jobs"
SHIPPED = {
    "transform_images": "dwh_jobs.transform_images.job",
    "filter_images": "dwh_jobs.filter_images.job",
}
JobClass = type[AbstractJob[Any]]
JobT = TypeVar("JobT", bound=JobClass)
_REGISTERED: dict[str, JobClass] = {}


def job(name: str) -> Callable[[JobT], JobT]:
    """Register a job class under its name."""

    def register(cls: JobT) -> JobT:
        known = _REGISTERED.setdefault(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"two jobs are named {name}: {known.__qualname__} and {cls.__qualname__}")
        _REGISTERED[name] = cls
        return cls

    return register


class JobFactory:
    """Builds a job with everything it needs; no job builds a client, a session or a clock of its own."""

    def __init__(self, ports: JobPorts, shipped: Mapping[str, str] | None = None) -> None:
        self._ports = ports
        self._shipped = SHIPPED if shipped is None else shipped

    def create(self, job_name: str, config: JsonObject, context: ExecutionContext) -> AbstractJob[Any]:
        """The job, its configuration checked; unknown names are refused with the nearest known one."""
        cls = self.job_class(job_name)
        return cls(typed_config(cls.config_model, config), context, self._ports)

    def job_class(self, job_name: str) -> JobClass:
        """The class registered under a name, loading the module that registers it."""
        if job_name not in _REGISTERED and job_name in self._shipped:
            import_module(self._shipped[job_name])
        if job_name not in _REGISTERED:
            for entry in entry_points(group=GROUP, name=job_name):
                loaded = entry.load()
                if isinstance(loaded, type):
                    job(job_name)(loaded)
        if job_name not in _REGISTERED:
            raise BadArgumentsError(f"unknown job {job_name}{did_you_mean(job_name, self.names())}")
        return _REGISTERED[job_name]

    def names(self) -> list[str]:
        """Every job that could be created, by name."""
        return sorted({*_REGISTERED, *self._shipped, *(entry.name for entry in entry_points(group=GROUP))})
