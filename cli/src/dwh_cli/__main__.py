"""The `dwh` command.

Exit codes: 0 done, 1 the answer is no or not found, 2 wrong usage or bad input, 3 a server is not reachable.
A user's mistake gets one line, never a traceback.
"""

from __future__ import annotations

import sys

import typer
from dwh_local.errors import LocalError, NotReady

from dwh_cli import approvals, local, stores
from dwh_cli.emit import emit
from dwh_cli.exits import Ended

app = typer.Typer(
    name="dwh",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Job events, alerts, approvals and triggers of the warehouse.",
)
app.add_typer(local.app, name="local")
app.add_typer(stores.runs, name="runs")
app.add_typer(approvals.app, name="approvals")
for verb in (stores.bootstrap, emit, stores.trace, stores.why):
    app.command()(verb)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except Ended as error:
        _fail(error, error.code)
    except NotReady as error:
        _fail(error, 3)
    except LocalError as error:
        _fail(error, 1)


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"dwh: {error}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
