"""What alerts counts beyond the metrics every service has."""

from dwh_runtime import metrics

TRANSITIONS = metrics.counter(
    "dwh_incident_transitions_total",
    "Changes of incidents, by transition and the rule behind it.",
    unit="transitions",
    labels=["transition", "rule"],
)
NOTIFICATIONS = metrics.counter(
    "dwh_notifications_total",
    "Deliveries that ended: sent, failed or skipped_stale.",
    unit="deliveries",
    labels=["sink", "outcome"],
)
NOTIFICATION_SECONDS = metrics.histogram(
    "dwh_notification_seconds",
    "From the event that caused a message to the sink having accepted it.",
    unit="s",
    labels=["sink"],
)
NOTIFICATIONS_PENDING = metrics.gauge(
    "dwh_notifications_pending",
    "Stored deliveries that the timer found unfinished at its last look.",
    unit="deliveries",
    labels=["sink"],
)
NOTIFICATIONS_PENDING_AGE_SECONDS = metrics.gauge(
    "dwh_notifications_pending_age_seconds", "Age of the oldest of them.", unit="s", labels=["sink"]
)
TIMER_LAST_RUN = metrics.gauge(
    "dwh_timer_last_run_timestamp_seconds",
    "When the timer last ended a look; before the first, when this process was composed.",
    unit="s since the epoch",
)
EVENTS_IGNORED = metrics.counter(
    "dwh_events_ignored_total",
    "Understood events that no rule of this service asks about.",
    unit="events",
    labels=["event_type"],
)
