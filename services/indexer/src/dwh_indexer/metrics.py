"""The indexer's own metrics; those of every service stand in `dwh_runtime.metrics`."""

from dwh_runtime.metrics import counter, histogram

BATCH_EVENTS = histogram(
    "dwh_indexer_batch_events",
    "Events appended and folded together.",
    unit="events",
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
FOLD_SECONDS = histogram("dwh_indexer_fold_seconds", "Time one batch's read models took to write.", unit="s")
SWEEP_REPAIRED = counter(
    "dwh_sweep_repaired_total",
    "Documents of read models that lacked an event ten minutes after it was stored; 0 is expected.",
    unit="documents",
)
SWEEP_EVENTS = counter(
    "dwh_sweep_events_total", "Events folded once more, ten minutes after they were stored.", unit="events"
)
