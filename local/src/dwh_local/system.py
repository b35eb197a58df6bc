"""The local system of one checkout: where it lies, which ports it has, which faults it injects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from dwh_local.errors import LocalError
from dwh_local.paths import Checkout, checkout
from dwh_local.ports import Ports, slot_from_environment
from dwh_local.topology import Names

ENVIRONMENT = "local"


@dataclass(frozen=True, slots=True)
class Faults:
    """Deliver each message `copies` times; with a seed, hold messages back and shuffle them."""

    copies: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.copies <= 10:  # noqa: PLR2004 - a bound, not a setting
            raise LocalError(f"copies must lie between 1 and 10, not {self.copies}")

    @property
    def active(self) -> bool:
        """Whether anything differs from plain delivery."""
        return self.copies > 1 or self.seed is not None


@dataclass(frozen=True, slots=True)
class System:
    """Addresses and names of one local system."""

    place: Checkout
    ports: Ports
    faults: Faults = field(default_factory=Faults)

    @property
    def opensearch_url(self) -> str:
        """The node."""
        return self.url("opensearch")

    @property
    def names(self) -> Names:
        """Topics, queues and buckets on the AWS stand-in."""
        return Names(self.url("aws"), ENVIRONMENT)

    @property
    def triggers_queue_url(self) -> str:
        """Where the orchestrator sends triggers: with faults, to the courier's queue."""
        return self.names.queue_url("mwaa-triggers-held" if self.faults.active else "mwaa-triggers")

    def url(self, part: str) -> str:
        """Address of a part that speaks HTTP."""
        return f"http://127.0.0.1:{dict(self.ports.items())[part]}"


def local_system(
    overrides: Mapping[str, int] | None = None, faults: Faults | None = None, place: Checkout | None = None
) -> System:
    """The system of this checkout. Given ports and faults are remembered until the state is removed."""
    place = place or checkout()
    remembered = _remembered(place)
    ports = {**remembered.get("ports", {}), **(overrides or {})}
    kept = Faults(**remembered.get("faults", {}))
    return System(
        place,
        Ports.for_slot(slot_from_environment()).with_overrides(ports),
        kept if faults is None else faults,
    )


def remember(system: System) -> None:
    """Keep ports and faults for later commands."""
    ports = dict(system.ports.items())
    defaults = dict(Ports.for_slot(slot_from_environment()).items())
    changed = {name: port for name, port in ports.items() if port != defaults[name]}
    faults = {"copies": system.faults.copies, "seed": system.faults.seed}
    system.place.state.mkdir(parents=True, exist_ok=True)
    (system.place.state / "system.json").write_text(
        json.dumps({"ports": changed, "faults": faults}, indent=1)
    )


def _remembered(place: Checkout) -> dict[str, dict[str, int]]:
    path = place.state / "system.json"
    if not path.exists():
        return {}
    found: dict[str, dict[str, int]] = json.loads(path.read_text())
    return found
