"""The verbs of `dwh`, each imported only when it is used: `--help` must not wait for the store's client."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from dwh_cli.exits import NO_LOCAL_SYSTEM, Usage

VERBS = {
    "local": ("dwh_cli.local:app", "The whole system on this machine."),
    "bootstrap": ("dwh_cli.stores:bootstrap", "Make index templates, first indices and aliases."),
    "emit": ("dwh_cli.emit:emit", "Check job events or decisions and publish them."),
    "runs": ("dwh_cli.stores:runs", "Runs, from the read models."),
    "trace": ("dwh_cli.stores:trace", "Everything that followed from a run, as a tree with times."),
    "why": ("dwh_cli.stores:why", "Why a DAG did or did not start for a run."),
    "store": ("dwh_cli.event_store:app", "Rebuild, verify, audit, export and import what is stored."),
    "quarantine": ("dwh_cli.quarantine:app", "Refused messages: look, replay, discard."),
    "dlq": ("dwh_cli.dlq:app", "Dead letters: count, look, send back."),
    "approvals": ("dwh_cli.approvals:app", "Decide on RED runs."),
    "selftest": ("dwh_cli.selftest:selftest", "Publish an event of a test job and wait until it is stored."),
}
"""Name → where it is defined, and its line in `dwh --help`."""


class Verbs(TyperGroup):
    """A command group that knows its verbs by name and loads one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """Names in the order of `VERBS`."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class's signature
        """The verb, or None when there is no such."""
        if cmd_name not in VERBS:
            return None
        place, _, name = VERBS[cmd_name][0].partition(":")
        try:
            verb = getattr(import_module(place), name)
        except ModuleNotFoundError as error:
            if error.name != "dwh_local":
                raise
            raise Usage(f"no `dwh {cmd_name}` here: {NO_LOCAL_SYSTEM}") from None
        if not isinstance(verb, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(verb)
            verb = single
        command = get_command(verb)
        command.name = cmd_name
        return command


def overview() -> str:
    """The lines of `dwh --help`, without importing any verb."""
    width = max(map(len, VERBS))
    return "\n".join(f"  {name:<{width}}  {help_text}" for name, (_, help_text) in VERBS.items())
