"""Quality levels (contracts.md 6): the worst check decides, limits are inclusive."""

from collections.abc import Iterable

from dwh_contracts.events import QualityStatus

RANK = {QualityStatus.GREEN: 0, QualityStatus.YELLOW: 1, QualityStatus.RED: 2}


def worst(statuses: Iterable[QualityStatus]) -> QualityStatus:
    """The worst of all; GREEN when there is none."""
    return max(statuses, key=RANK.__getitem__, default=QualityStatus.GREEN)


def level(value: float, yellow: float, red: float) -> tuple[QualityStatus, float]:
    """Status of the unrounded `value`, and the limit it hit or, when GREEN, the yellow one."""
    if value >= red:
        return QualityStatus.RED, red
    return (QualityStatus.YELLOW if value >= yellow else QualityStatus.GREEN), yellow


def drop_rate(read: int, dropped: int) -> float:
    """Dropped per read, unrounded; 0 when nothing was read."""
    return dropped / read if read else 0.0


def shown(value: float) -> float:
    """The value as it is reported: 4 digits; the status comes from the unrounded one."""
    return round(value, 4)
