import re

import pytest
from dwh_runtime import metrics

PUBLIC = {
    "dwh_messages_received_total": (),
    "dwh_messages_handled_total": ("outcome",),
    "dwh_handle_seconds": (),
    "dwh_end_to_end_seconds": (),
    "dwh_effects_total": ("effect", "outcome"),
    "dwh_inflight_messages": (),
    "dwh_poll_loop_age_seconds": (),
    "dwh_settle_failures_total": (),
    "dwh_quarantined_total": ("reason",),
    "dwh_store_append_total": ("outcome",),
    "dwh_projection_lag_seconds": ("name",),
    "dwh_pending_approvals": (),
    "dwh_open_incidents": ("severity",),
    "dwh_queue_messages": ("queue", "state"),
    "dwh_dlq_messages": ("queue",),
}


@pytest.mark.parametrize(("name", "labels"), PUBLIC.items())
def test_public_metrics_have_their_names_and_labels_behind_the_service(name, labels):
    assert metrics.DECLARED[name].labels == ("service", *labels)


def test_every_metric_says_what_it_means_and_counters_end_in_total():
    for spec in metrics.DECLARED.values():
        assert re.fullmatch(r"dwh_[a-z_]+", spec.name)
        assert spec.meaning.endswith(".")
        assert (spec.kind == "counter") == spec.name.endswith("_total")


def test_a_second_declaration_is_an_error():
    with pytest.raises(ValueError, match="declared twice"):
        metrics.gauge("dwh_pending_approvals", "again.", unit="runs")
