"""Run one job: `python -m dwh_jobs.generic_entry --job_name … --config … --start_date … …`.

Exit code 0 when the run did its work, whatever its quality; 1 when it failed; 2 on bad arguments.
Publishing lies outside the run: it can neither fail it nor change the exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from dwh_contracts.canonical import JsonObject
from dwh_contracts.clock import SystemClock

from dwh_jobs.arguments import JobArguments, parse_arguments
from dwh_jobs.config import read_config, typed_config
from dwh_jobs.context import ExecutionContext, execution_context
from dwh_jobs.errors import BadArgumentsError, ConfigRefusedError, Terminated
from dwh_jobs.events import job_completed, job_started
from dwh_jobs.factory import JobFactory
from dwh_jobs.job import AbstractJob, JobPorts
from dwh_jobs.logs import configure, log
from dwh_jobs.publisher import JobEventPublisher, open_publisher
from dwh_jobs.publisher_config import PublisherConfig
from dwh_jobs.refusal import refused
from dwh_jobs.session import open_session
from dwh_jobs.termination import Termination, stop_children

DONE, FAILED, BAD_ARGUMENTS = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job that the command line describes and report how it ended."""
    ports = JobPorts(session=open_session, clock=SystemClock())
    try:
        arguments = parse_arguments(sys.argv[1:] if argv is None else argv)
        context = execution_context(arguments, ports.clock)
        factory = JobFactory(ports)
        factory.job_class(context.job_name)
    except BadArgumentsError as error:
        sys.stderr.write(f"generic_entry: {error}\n")
        return BAD_ARGUMENTS
    configure(job_name=context.job_name, job_run_id=context.job_run_id, attempt=context.attempt)
    return _run(factory, ports, arguments, context)


def _run(factory: JobFactory, ports: JobPorts, arguments: JobArguments, context: ExecutionContext) -> int:
    raw: JsonObject = {}
    try:
        raw = read_config(arguments.config)
        log("run_configured", config=raw, arguments=_shown(arguments))
        job = factory.create(context.job_name, raw, context)
        publisher = open_publisher(job.config.publisher, job.context, job.sink_base_path)
    except (ConfigRefusedError, BadArgumentsError) as error:
        sys.stderr.write(f"generic_entry: {error}\n")
        _report_refusal(error, raw, context, ports)
        return BAD_ARGUMENTS
    code, terminated = execute(job, publisher)
    if terminated:
        _leave_at_once(code)
    _leave_spark(failed=code != DONE)
    return code


def execute(job: AbstractJob[Any], publisher: JobEventPublisher) -> tuple[int, bool]:
    """Publish that the run began, run it, publish how it ended; exit code, and whether it was terminated."""
    with Termination() as termination:
        if publisher.publish(job_started(job.context, job.clock.now())):
            publisher.flush()
        outcome = job.run(termination)
    terminated = outcome.failure is not None and outcome.failure.type == Terminated.__name__
    publisher.publish(job_completed(outcome, job.clock.now()), hurried=terminated)
    return FAILED if outcome.failure else DONE, terminated


def _leave_at_once(code: int) -> NoReturn:
    """End without the interpreter's farewell: the event is out, and the platform kills what takes long.

    A signal interrupts code between any two lines, so a lock of the logging module may never be given back; a
    thread of py4j that logs at exit would then wait for ever. Spark's JVM is asked to go, too.
    """
    stop_children()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _report_refusal(error: Exception, raw: JsonObject, context: ExecutionContext, ports: JobPorts) -> None:
    """A run that could not be configured failed, too; its event says what can be read of it."""
    outcome = refused(error, raw, context, ports.clock)
    try:
        config = typed_config(PublisherConfig, raw.get("publisher") or {})
        publisher = open_publisher(config, context, outcome.sink_base_path)
    except ConfigRefusedError:
        publisher = open_publisher(PublisherConfig(), context, outcome.sink_base_path)
    publisher.publish(job_completed(outcome, ports.clock.now()))


def _leave_spark(*, failed: bool) -> None:
    """Stop Spark; a JVM that is gone already is no news at this point."""
    if "pyspark" not in sys.modules:
        return
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only when a job has brought it in

    session = SparkSession.getActiveSession()
    if session is None:
        return
    try:
        if failed:
            session.sparkContext.cancelAllJobs()
        session.stop()
    except Exception as error:  # noqa: BLE001 - the event is out, the exit code is known
        log("spark_not_stopped", level=30, reason=str(error))


def _shown(arguments: JobArguments) -> dict[str, str | int | None]:
    return {
        "created_by": arguments.created_by,
        "environment": arguments.environment,
        "triggered_by_job": arguments.triggered_by_job,
        "triggered_by_run_id": arguments.triggered_by_run_id,
        "trigger_id": arguments.trigger_id,
        "transform_output_path": arguments.transform_output_path,
        "pid": os.getpid(),
    }


if __name__ == "__main__":
    sys.exit(main())
