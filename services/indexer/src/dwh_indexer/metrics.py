"""The indexer's own metrics; those of every service stand in `dwh_runtime.metrics`."""

from dwh_runtime.metrics import histogram

BATCH_EVENTS = histogram(
    "dwh_indexer_batch_events",
    "Events appended and folded together.",
    unit="events",
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
FOLD_SECONDS = histogram("dwh_indexer_fold_seconds", "Time one batch's read models took to write.", unit="s")
