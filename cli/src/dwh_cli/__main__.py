"""The `dwh` command.

Exit codes: 0 done, 1 the answer is no or not found, 2 wrong usage or bad input, 3 a server is not reachable.
A user's mistake gets one line, never a traceback.
"""

import sys

import typer

from dwh_cli.exits import exit_code
from dwh_cli.verbs import Verbs, overview

HELP = """Job events, alerts, approvals and triggers of the warehouse.

{verbs}

`dwh VERB --help` says more. Exit codes: 0 done, 1 no or not found, 2 wrong usage or bad input,
3 a needed server is not reachable."""

app = typer.Typer(name="dwh", cls=Verbs, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def dwh(context: typer.Context, *, shown: bool = typer.Option(False, "--help", help="Show this.")) -> None:
    """Show the verbs when none is named."""
    if shown or context.invoked_subcommand is None:
        typer.echo(HELP.format(verbs=overview()))
        raise typer.Exit(0 if shown else 2)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        typer.echo(f"dwh: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
