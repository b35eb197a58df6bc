"""What happens in the demo, step by step, and what must be seen after each."""

from __future__ import annotations

from typing import Any

from dwh_local.demo import runs
from dwh_local.demo.observer import TARGET_DAG, Observer
from dwh_local.demo.runs import JOB, DemoRun
from dwh_local.demo.steps import Steps
from dwh_local.system import System

APPROVER = "alice"
DOWNSTREAM = "filter_images"


class Story:
    """The line from three Spark runs to three downstream runs, one of them after a person's decision.

    Shuffled delivery changes which alerts are sent, not how incidents end: alerts are not counted then.
    """

    def __init__(self, system: System, steps: Steps, observer: Observer, number: int) -> None:
        self.system, self.steps, self.observer = system, steps, observer
        self.green, self.yellow, self.red = runs.demo_runs(number)
        self.ordered = system.faults.seed is None

    @property
    def runs(self) -> list[DemoRun]:
        """The three runs in the order they are made."""
        return [self.green, self.yellow, self.red]

    def tell(self) -> None:
        """Everything, in order. Raises StepFailed at the first effect that is missing."""
        with self.steps.doing("input rows written for GREEN, YELLOW and RED"):
            for run in self.runs:
                runs.write_input(self.system, run)
        self._transform(self.green, "SUCCESS")
        self._transform(self.yellow, "SUCCESS")
        self._transform(self.red, "PENDING_APPROVAL")
        self._yellow_warns()
        self._red_waits()
        for run in (self.green, self.yellow):
            self._downstream(run, "on_success")
        self._red_started_nothing()
        self._approve()
        self._downstream(self.red, "on_approval")
        self._approval_is_everywhere()
        self._alerts_are_as_expected()

    def _transform(self, run: DemoRun, status: str) -> None:
        with self.steps.doing(f"{run.colour}: Spark run of {JOB}, {runs.ROWS} rows"):
            runs.run_job(self.system, run)

        def stored(index: str) -> dict[str, Any] | None:
            document = self.observer.one(index, job_run_id=run.run_id)
            return document if document and document.get("status") == status else None

        document = self.steps.expect(f"{run.colour}: {status} in job-events", lambda: stored("job-events"))
        quality = document["quality"]["status"]
        self.steps.require(
            f"{run.colour}: quality is {run.colour}", holds=quality == run.colour, seen=quality
        )
        own = f"job-events-{JOB.replace('_', '-')}"
        self.steps.expect(f"{run.colour}: the same in {own}", lambda: stored(own))

    def _yellow_warns(self) -> None:
        if self.ordered:
            self.steps.expect(
                "YELLOW: a warning alert on its topic",
                lambda: self.observer.raised(JOB, "warning", self.yellow.run_id) or None,
            )

    def _red_waits(self) -> None:
        self.steps.expect(
            "RED: a critical alert on its topic",
            lambda: self.observer.raised(JOB, "critical", self.red.run_id) or None,
        )

        def pending() -> dict[str, Any] | None:
            found = self.observer.approval(JOB, self.red.run_id)
            return found if found and found.get("approval_status") == "PENDING" else None

        self.steps.expect("RED: pending in the approvals API", pending)
        self.steps.expect(
            "RED: the orchestrator recorded that it waits",
            lambda: self._decision_recorded(self.red),
        )

    def _red_started_nothing(self) -> None:
        triggers = self.observer.search("job-triggers", job_run_id=self.red.run_id)
        started = [run for run in self.observer.dag_runs() if self._is_of(run, self.red)]
        self.steps.require(
            "RED: no trigger and no DAG run", holds=not triggers and not started, seen=(triggers, started)
        )

    def _approve(self) -> None:
        with self.steps.doing(f"RED: `dwh approvals approve` as {APPROVER}"):
            runs.approve(self.system, self.red, APPROVER)

    def _downstream(self, run: DemoRun, trigger_set: str) -> None:
        def sent() -> dict[str, Any] | None:
            found = self.observer.one("job-triggers", job_run_id=run.run_id, target=TARGET_DAG)
            return found if found and found.get("outcome") == "sent" else None

        trigger = self.steps.expect(f"{run.colour}: trigger of {TARGET_DAG} sent", sent)
        self.steps.require(
            f"{run.colour}: by the rules of {trigger_set}",
            holds=trigger["trigger_set"] == trigger_set,
            seen=trigger["trigger_set"],
        )
        dag_run_id = f"trig__{JOB}__{trigger['id']}"
        dag_run = self.steps.expect(
            f"{run.colour}: DAG run in Airflow", lambda: self.observer.dag_run(dag_run_id)
        )
        self._conf_is_real(run, dag_run["conf"])
        self.steps.expect(f"{run.colour}: DAG run succeeded", lambda: self._succeeded(dag_run_id))
        self.steps.expect(
            f"{run.colour}: event of {DOWNSTREAM} stored",
            lambda: self.observer.one("events-job-v1-*", job_run_id=dag_run_id, event_type="job_completed"),
        )
        self.steps.expect(
            f"{run.colour}: {DOWNSTREAM} SUCCESS in job-events",
            lambda: self.observer.one("job-events", job_run_id=dag_run_id, status="SUCCESS"),
        )
        self.steps.expect(
            f"{run.colour}: the DAG run's end in job-triggers",
            lambda: self.observer.one("job-triggers", id=trigger["id"], dag_run_state="success"),
        )

    def _conf_is_real(self, run: DemoRun, conf: dict[str, Any]) -> None:
        document = self.observer.one("job-events", job_run_id=run.run_id) or {}
        metrics = document.get("metrics", {})
        wanted = {
            "start_date": metrics.get("start_date"),
            "end_date": metrics.get("end_date"),
            "transform_output_path": document.get("artifacts_base_path"),
            "triggered_by_run_id": run.run_id,
        }
        given = {name: conf.get(name) for name in wanted}
        self.steps.require(
            f"{run.colour}: the DAG run has the run's dates and path",
            holds=given == wanted and str(given["start_date"]).startswith(run.start[:16]),
            seen=given,
        )

    def _approval_is_everywhere(self) -> None:
        for index in ("job-events", f"job-events-{JOB.replace('_', '-')}"):
            self.steps.expect(
                f"RED: approved by {APPROVER} in {index}",
                lambda index=index: self.observer.one(  # type: ignore[misc]
                    index, job_run_id=self.red.run_id, approval_status="APPROVED", approved_by=APPROVER
                ),
            )
        self.steps.expect(
            "RED: the accepted decision in job-approvals",
            lambda: self.observer.one(
                "job-approvals", job_run_id=self.red.run_id, decision="APPROVED", accepted=True
            ),
        )
        self.steps.expect("RED: incident resolved", self._incidents_resolved)

    def _alerts_are_as_expected(self) -> None:
        if not self.ordered:
            return
        for severity, run in (("warning", self.yellow), ("critical", self.red)):
            raised = [
                alert["job_run_id"] for alert in self.observer.raised(JOB, severity) if self._ours(alert)
            ]
            self.steps.require(f"exactly one {severity} alert", holds=raised == [run.run_id], seen=raised)

    def _incidents_resolved(self) -> list[dict[str, Any]] | None:
        incidents = self.observer.search("job-alerts", job_name=JOB)
        resolved = incidents and all(incident["state"] == "resolved" for incident in incidents)
        return incidents if resolved else None

    def _decision_recorded(self, run: DemoRun) -> dict[str, Any] | None:
        return next(
            iter(
                self.observer.search(
                    "events-effect-v1-*",
                    job_run_id=run.run_id,
                    event_type="decision_recorded",
                    service="orchestrator",
                )
            ),
            None,
        )

    def _succeeded(self, dag_run_id: str) -> dict[str, Any] | None:
        run = self.observer.dag_run(dag_run_id)
        if run and run["state"] == "failed":
            self.steps.require("the DAG run did not fail", holds=False, seen=dag_run_id)
        return run if run and run["state"] == "success" else None

    def _ours(self, alert: dict[str, Any]) -> bool:
        return alert["job_run_id"] in {run.run_id for run in self.runs}

    def _is_of(self, dag_run: dict[str, Any], run: DemoRun) -> bool:
        return (dag_run.get("conf") or {}).get("triggered_by_run_id") == run.run_id
