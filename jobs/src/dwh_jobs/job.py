"""The template every job follows: extract, transform, stage, check, publish.

A job says what its steps are; the order, the timing, the manifest, the failure path and the result are the
same for all and final.
"""

from __future__ import annotations

import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Generic, TypeVar, final

from dwh_contracts.clock import Clock
from dwh_contracts.events import QualityStatus
from pyspark.sql import DataFrame, SparkSession

from dwh_jobs.artifacts import ArtifactStore, open_store
from dwh_jobs.config import JobConfig
from dwh_jobs.context import ExecutionContext
from dwh_jobs.errors import BaseMovedError, PointerConflictError, Terminated
from dwh_jobs.logs import log
from dwh_jobs.manifest import ManifestRef, Staged, write_manifest
from dwh_jobs.metrics import JobMetrics
from dwh_jobs.pointer import Pointer, publish
from dwh_jobs.quality import QualityChecker, QualityFacts, QualityResult
from dwh_jobs.redact import redacted_text
from dwh_jobs.resources import resources_of
from dwh_jobs.termination import Termination
from dwh_jobs.uris import folder_name, join
from dwh_jobs.window import Window

ConfigT = TypeVar("ConfigT", bound=JobConfig)
ROUNDS = 20
_STEP_MARKER = re.compile(r"dwh_step=(extract|transform|load)")


@dataclass(frozen=True, slots=True)
class JobPorts:
    """What a job uses and never builds itself."""

    session: Callable[[ExecutionContext, JobConfig], SparkSession]
    clock: Clock
    store: Callable[[str], ArtifactStore] = open_store


@dataclass(frozen=True, slots=True)
class Failure:
    """The exception that ended a run."""

    type: str
    phase: str | None
    message: str
    stack_trace: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All there is to say about a run that has ended."""

    context: ExecutionContext
    metrics: JobMetrics
    source_base_path: str
    sink_base_path: str
    quality: QualityResult
    staged: Staged | None
    manifest: ManifestRef | None
    failure: Failure | None


class AbstractJob(ABC, Generic[ConfigT]):
    """A job: subclasses give the steps and never call them."""

    config_model: ClassVar[type[JobConfig]]

    def __init__(self, config: ConfigT, context: ExecutionContext, ports: JobPorts) -> None:
        self.config = config
        self.context = replace(context, window=self.window_of(config, context))
        self.clock = ports.clock
        self.metrics = JobMetrics(ports.clock)
        self.store = ports.store(self.sink_base_path)
        self._ports = ports
        self._quality = QualityResult()
        self._staged: Staged | None = None
        self._manifest: ManifestRef | None = None

    @classmethod
    def window_of(cls, _config: ConfigT, context: ExecutionContext) -> Window:
        """The window the run covers; jobs that work in intervals floor it."""
        return context.window

    @property
    @abstractmethod
    def source_base_path(self) -> str:
        """Where the input lies."""

    @property
    @abstractmethod
    def sink_base_path(self) -> str:
        """The dataset that the run adds to."""

    @abstractmethod
    def extract(self) -> DataFrame:
        """Read the input; lazy."""

    @abstractmethod
    def transform(self, frame: DataFrame) -> DataFrame:
        """Turn input rows into output rows; lazy."""

    @abstractmethod
    def stage(self, frame: DataFrame) -> Staged:
        """Write to the run's own folder, set the counts in `metrics`; the one action of the run."""

    @abstractmethod
    def facts(self) -> QualityFacts:
        """What the checks are evaluated on."""

    def publish_data(self, pointer: Pointer) -> None:
        """Make the audited data what readers see; BaseMovedError asks for another round."""
        publish(self.store, self.sink_base_path, pointer)

    @cached_property
    def spark(self) -> SparkSession:
        """The session, started when first used."""
        return self._ports.session(self.context, self.config)

    def run_folder(self, suffix: str = "") -> str:
        """The folder that only this attempt of this run writes to."""
        context = self.context
        return join(
            self.sink_base_path, "runs", folder_name(context.job_run_id), f"a{context.attempt}{suffix}"
        )

    @final
    def run(self, termination: Termination | None = None) -> Outcome:
        """Run to the end. Never raises for what happens inside: the outcome carries the failure."""
        failure = None
        termination = termination or Termination()
        try:
            termination.arm()
            self._rounds()
            termination.disarm()
        except (Exception, Terminated, KeyboardInterrupt) as error:  # noqa: BLE001 - the failure path of every run
            termination.disarm()
            log("run_failed", level=40, failed=error)
            failure = _failure(error, self.metrics.running)
        return Outcome(
            context=self.context,
            metrics=self.metrics,
            source_base_path=self.source_base_path,
            sink_base_path=self.sink_base_path,
            quality=self._quality,
            staged=None if failure else self._staged,
            manifest=None if failure else self._manifest,
            failure=failure,
        )

    def _rounds(self) -> None:
        for _ in range(ROUNDS):
            try:
                self._round()
            except BaseMovedError as moved:
                log("base_moved", reason=str(moved))
                self.metrics.clear()
                self._quality = QualityResult()
            else:
                return
        raise PointerConflictError(f"another run published first, {ROUNDS} times in a row")

    def _round(self) -> None:
        metrics = self.metrics
        with metrics.phase("extract"):
            extracted = self.extract()
        with metrics.phase("transform"):
            transformed = self.transform(extracted)
        with metrics.phase("load"):
            self._staged = self.stage(transformed)
            metrics.resources = resources_of(self.spark, self.context)
            self._quality = QualityChecker(self.config.quality).evaluate(self.facts())
            self._publish(self._staged)

    def _publish(self, staged: Staged) -> None:
        now = self.clock.now()
        self._manifest = write_manifest(self.store, self.context, staged, self._quality, now)
        if self._quality.status is not QualityStatus.RED:
            self.publish_data(Pointer(self.context, staged.window, self._manifest, now))


def _failure(error: BaseException, running: str | None) -> Failure:
    """A row-processing step names itself in its error, because Spark runs it later than it was declared."""
    message = redacted_text(str(error) or type(error).__name__)
    marker = _STEP_MARKER.search(message)
    trace = "".join(traceback.format_exception(error))
    return Failure(
        type(error).__name__, marker.group(1) if marker else running, message, redacted_text(trace)
    )
