"""`dwh bootstrap`, `dwh runs`, `dwh trace`, `dwh why`: what the store and its read models say."""

from datetime import datetime
from typing import Annotated, Any

import typer
from dwh_contracts.times import format_time, parse_time
from dwh_eventstore import bootstrap as store_bootstrap
from dwh_eventstore import views
from dwh_eventstore.roles import roles as store_roles

from dwh_cli import show
from dwh_cli.exits import No, Usage
from dwh_cli.store import opened_store, store_settings, wait_for

runs = typer.Typer(add_completion=False, no_args_is_help=True, help="Runs, from the read models.")
AsJson = Annotated[bool, show.AS_JSON]


def bootstrap(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if something differs.")
    ] = False,
    roles: Annotated[
        bool, typer.Option("--roles", help="Print what each service may do in the store, as JSON, and end.")
    ] = False,
) -> None:
    """Make index templates, first indices and aliases; harmless when they exist."""
    if roles:
        show.as_json(store_roles())
        return
    settings = store_settings()
    found = wait_for(lambda: store_bootstrap(settings, check=check))
    for line in found:
        typer.echo(line)
    if not found:
        typer.echo("nothing to do: templates, indices and aliases are as they should be")
    elif check:
        raise No(f"{len(found)} differences; `dwh bootstrap` removes those that can be mended")
    elif left := wait_for(lambda: store_bootstrap(settings, check=True)):
        raise No("\n".join(["not mended:", *left]))


@runs.command("list")
def list_runs(
    *,
    job: Annotated[str | None, typer.Option(help="Only this job.")] = None,
    status: Annotated[str | None, typer.Option(help="SUCCESS, PENDING_APPROVAL, FAILED or RUNNING.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339 time, e.g. 2026-11-23T00:00:00Z.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest runs."""
    newer_than = _time(since)

    async def read() -> list[dict[str, Any]]:
        async with opened_store() as store:
            page = await views.list_runs(store, job_name=job, status=status, since=newer_than, limit=limit)
            return page.items

    items = wait_for(read)
    if as_json:
        show.as_json({"items": items, "next_cursor": None})
        return
    show.table(
        ["time", "job", "run", "attempt", "status", "quality", "approval", "read", "written", "dropped"],
        [_row(item) for item in items],
        empty="no runs yet",
    )


@runs.command("show")
def show_run(
    job: str,
    run_id: str,
    *,
    as_of: Annotated[
        str | None, typer.Option(help="As it was known at this RFC 3339 time, folded from the log.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One run: its newest attempt, as the read model has it or as it was known at some time."""
    moment = _moment(as_of, "--as-of")

    async def read() -> dict[str, Any] | None:
        async with opened_store() as store:
            if moment is not None:
                return await views.show_run_as_of(store, job, run_id, moment)
            return await views.show_run(store, job, run_id)

    document = wait_for(read)
    if document is None:
        when = f" before {as_of}" if as_of else ""
        raise No(f"no run {run_id} of {job} is stored{when}")
    if as_json:
        show.as_json(document)
    else:
        show.fields(document)


def trace(
    run_id: str,
    *,
    job: Annotated[str | None, typer.Option(help="Needed only where two jobs share the run id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Everything that followed from a run, as a tree with times."""

    async def read() -> dict[str, Any] | None:
        async with opened_store() as store:
            return await views.trace(store, run_id, job_name=job)

    root = wait_for(read)
    if root is None:
        raise No(f"no run {run_id} is stored")
    if as_json:
        show.as_json(root)
    else:
        show.trace(root)


def why(
    dag_id: str,
    *,
    job: Annotated[str, typer.Option(help="Job of the source run.")],
    run: Annotated[str, typer.Option(help="The source run.")],
    as_json: AsJson = False,
) -> None:
    """Why a DAG did or did not start for a run; exit code 1 when it did not."""

    async def read() -> views.WhyAnswer:
        async with opened_store() as store:
            return await views.why(store, dag_id, job, run)

    answer = wait_for(read)
    if as_json:
        show.as_json(answer.as_json())
    else:
        typer.echo(show.plain(answer.sentence))
        show.table(
            ["set", "rule", "target", "matched", "clause", "value"],
            [
                [
                    rule.get(name)
                    for name in ("trigger_set", "rule_id", "target", "matched", "clause", "value")
                ]
                for rule in answer.rules
            ],
            empty="no rule was evaluated",
        )
    if not answer.started:
        raise typer.Exit(1)


def _time(text: str | None) -> str | None:
    moment = _moment(text, "--since")
    return None if moment is None else format_time(moment)


def _moment(text: str | None, option: str) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise Usage(f"{option}: {error}") from None


def _row(run: dict[str, Any]) -> list[object]:
    metrics, quality = run.get("metrics") or {}, run.get("quality") or {}
    return [
        str(run.get("timestamp"))[:19],
        *(run.get(name) for name in ("job_name", "job_run_id", "attempt", "status")),
        quality.get("status") if quality.get("evaluated") else "not evaluated",
        run.get("approval_status"),
        *(metrics.get(name) for name in ("records_read", "records_written", "records_dropped")),
    ]
