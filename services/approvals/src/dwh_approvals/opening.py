"""Open an approval when a run waits for one; close it when a newer attempt takes the run's place.

`newest|…` is raised before older heads are looked for, and an opener creates its head before it reads
`newest|…`: whichever of two attempts comes first, the older approval is closed.
"""

from collections.abc import Awaitable, Callable

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import Clock
from dwh_contracts.events import JobCompleted
from dwh_contracts.parse import Event
from dwh_contracts.times import format_time, parse_time
from dwh_contracts.workflow import Approval, WorkflowConfig
from dwh_eventstore import Store, StoreUnavailable
from dwh_runtime.config_source import ConfigSource
from dwh_runtime.stored import StoredRuns

from dwh_approvals.decide import asks_for_approval, expires_at
from dwh_approvals.effects import Ledger
from dwh_approvals.records import Head, RunKey

_TRIES = 30

JudgeEarly = Callable[[RunKey], Awaitable[None]]
"""Judges the decisions on a run that came before it."""


def policy_of(config: WorkflowConfig, job_name: str) -> Approval:
    """The approval policy of a job; the defaults for a job that the config does not name."""
    workflow = config.workflows.get(job_name)
    return workflow.approval if workflow else Approval()


class Openings:
    """What follows from a job event."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        configs: ConfigSource[WorkflowConfig],
        judge_early: JudgeEarly,
        clock: Clock,
    ) -> None:
        self._store = store
        self._runs = StoredRuns(store.events, clock)
        self._ledger = ledger
        self._configs = configs
        self._judge_early = judge_early
        self._clock = clock

    async def on_run(self, event: Event) -> None:
        """Open what asks for it, and close what an older attempt of the run left open."""
        key = RunKey(event.environment, event.job_name, event.job_run_id, event.attempt)
        await self._raise_newest(key)
        if isinstance(event.model, JobCompleted) and asks_for_approval(event.model):
            run = await self._runs.get(event.event_id, event.timestamp)
            if isinstance(run.model, JobCompleted) and asks_for_approval(run.model):
                await self.open(run)
        await self._close_older(key)

    async def open(self, run: Event) -> None:
        """Open the approval of a stored run; once more changes nothing."""
        key = RunKey(run.environment, run.job_name, run.job_run_id, run.attempt)
        head = await self._ledger.open(self._head(key, run))
        if await self.newest_attempt(key) > key.attempt:
            await self._ledger.expire(head, "system:superseded")
        await self._judge_early(key)

    async def newest_attempt(self, key: RunKey) -> int:
        """The newest attempt of the run that was seen, 0 when none was; the key's own does not matter."""
        found = await self._store.decisions.get(key.newest_id)
        newest = found.body["attempt"] if found else 0
        return newest if isinstance(newest, int) else 0

    def _head(self, key: RunKey, run: Event) -> Head:
        in_force = self._configs.current()
        policy = policy_of(in_force.config, key.job_name)
        now = self._clock.now()
        manifest, metrics = run.body.get("artifacts_manifest"), run.body.get("metrics")
        requester = metrics.get("created_by") if isinstance(metrics, dict) else None
        return Head.model_validate(
            {
                **key.fields,
                "created_at": now,
                "opened_at": now,
                "expires_at": expires_at(run.timestamp, now, policy),
                "required": policy.required,
                "policy": policy.model_dump(mode="json"),
                "config_version": in_force.version,
                "source_event_id": run.event_id,
                "source_timestamp": run.timestamp,
                "artifacts_manifest_sha256": manifest.get("sha256") if isinstance(manifest, dict) else None,
                "requester": requester if isinstance(requester, str) else None,
            }
        )

    async def _raise_newest(self, key: RunKey) -> None:
        body: JsonObject = {
            "kind": "newest",
            **key.fields,
            "created_at": format_time(self._clock.now()),
        }
        for _ in range(_TRIES):
            found = await self._store.decisions.get(key.newest_id)
            if found is None:
                if await self._store.decisions.create(key.newest_id, body):
                    return
            else:
                known = found.body["attempt"]
                if isinstance(known, int) and known >= key.attempt:
                    return
                if await self._store.decisions.replace(found, {**found.body, "attempt": key.attempt}):
                    return
        raise StoreUnavailable(f"{key.newest_id} changed hands {_TRIES} times")

    async def _close_older(self, key: RunKey) -> None:
        run: JsonObject = {name: key.fields[name] for name in ("environment", "job_name", "job_run_id")}
        found = await self._store.decisions.find({"kind": "approval", "state": "PENDING", **run})
        for stored in found:
            head = Head.model_validate(stored.body)
            if head.attempt < key.attempt:
                await self._ledger.expire(head, "system:superseded")

    async def open_if_waiting(self, run: JsonObject) -> None:
        """Open the approval of a run whose document is known before its message arrived here."""
        event = await self._store.events.get(str(run["id"]), parse_time(str(run["timestamp"])))
        if event is not None and isinstance(event.model, JobCompleted) and asks_for_approval(event.model):
            await self.on_run(event)
