"""The orchestrator's own metrics; those of every service stand in `dwh_runtime.metrics`."""

from dwh_runtime.metrics import counter

DECISIONS = counter(
    "dwh_orchestrator_decisions_total",
    "Events decided on, by situation.",
    unit="events",
    labels=["situation"],
)
RULES = counter(
    "dwh_orchestrator_rules_total",
    "Rules evaluated, by whether they matched.",
    unit="rules",
    labels=["matched"],
)
