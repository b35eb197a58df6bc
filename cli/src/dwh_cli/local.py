"""`dwh local`: the whole system on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from dwh_local import lifecycle
from dwh_local.environment import export_lines, variables
from dwh_local.progress import Progress
from dwh_local.supervise import Supervisor
from dwh_local.system import local_system

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The whole system on this machine.")


@app.command()
def up(
    *,
    no_airflow: Annotated[bool, typer.Option("--no-airflow", help="Leave Airflow out.")] = False,
    no_services: Annotated[bool, typer.Option("--no-services", help="Only the node, AWS, Airflow.")] = False,
    port: Annotated[list[str] | None, typer.Option(help="PART=NUMBER, kept until `down --purge`.")] = None,
) -> None:
    """Start everything and return when it is ready; harmless when it runs."""
    system, progress = local_system(_ports(port or [])), Progress(typer.echo)
    lifecycle.up(system, progress, with_airflow=not no_airflow, with_services=not no_services)
    progress.say("everything is ready")
    for part in lifecycle.status(system):
        if part.address and part.ready:
            typer.echo(f"  {part.name:<18} {part.address}")


@app.command()
def down(*, purge: Annotated[bool, typer.Option("--purge", help="Remove all state, too.")] = False) -> None:
    """Stop everything; state stays unless it is purged, downloads always stay."""
    lifecycle.down(local_system(), purge=purge)
    typer.echo("stopped, state removed" if purge else "stopped")


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """How each part is; exit code 1 when one that was started is not ready."""
    parts = lifecycle.status(local_system())
    if as_json:
        items = [{"name": p.name, "state": p.state, "detail": p.detail, "address": p.address} for p in parts]
        typer.echo(json.dumps({"items": items}, indent=1))
    else:
        for part in parts:
            typer.echo(f"{part.name:<18} {part.state:<10} {part.address or '':<24} {part.detail}".rstrip())
        if not parts:
            typer.echo("the local system is down")
    if not parts or any(not part.ready and part.state != "stopped" for part in parts):
        raise typer.Exit(1)


@app.command()
def env(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print `export` lines with every address, topic ARN and queue URL."""
    system = local_system()
    if as_json:
        typer.echo(json.dumps(variables(system), indent=1))
        return
    for line in export_lines(system):
        typer.echo(line)


@app.command()
def logs(name: str, *, lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 100) -> None:
    """The end of a process's log."""
    system = local_system()
    known = sorted(path.stem for path in system.place.logs.glob("*.log"))
    if name not in known:
        typer.echo(f"dwh: no log of {name!r}; there are: {', '.join(known) or 'none yet'}", err=True)
        raise typer.Exit(2 if known else 1)
    typer.echo(Supervisor(system.place).tail(name, lines))


def _ports(texts: list[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        part, _, number = text.partition("=")
        if not number.isdigit():
            raise typer.BadParameter(f"--port takes PART=NUMBER, not {text!r}")
        found[part] = int(number)
    return found
