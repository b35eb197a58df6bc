"""What read models must show of a set of events, computed in the plainest way and without the folds.

Events are grouped by what they are about and each document is written down whole, from the contract of its
fields: nothing here is incremental, commutative or shared with the code under test.
"""

from collections import defaultdict

from dwh_contracts.event_ids import expected_event_id
from dwh_eventstore import indices

CHECK = ("name", "status", "value", "threshold", "message", "rule_version")
ARTIFACT = ("name", "path", "format", "records", "bytes", "window_start", "window_end")
PHASE = ("start_time", "end_time", "duration_seconds")
METRICS = (
    *("job_name", "job_run_id", "job_status", "start_time", "end_time", "duration_seconds"),
    *("service_provider", "environment", "region", "created_by", "start_date", "end_date"),
    *("source_base_path", "sink_base_path"),
    *("records_read", "records_written", "records_dropped", "bytes_written"),
)
RUN = ("environment", "job_name", "job_run_id", "attempt")
DECISION = ("decision", "decided_by", "decided_by_verified", "principal", "channel", "reason")
TRIGGER = ("trigger_set", "rule_id", "type", "target", "conf", "config_version")
INCIDENT = ("environment", "job_name", "incident_key", "episode", "state", "severity", "rev", "title")
LINE = ("kind", "name", "status", "value", "threshold", "count", "records", "dropped", "bytes", "file_count")
APPROVAL_EVENTS = ("approval_requested", "approval_decision", "approval_accepted", "approval_verdict")
FAMILIES = {"runs": ("job_started", "job_completed"), "approvals": (*APPROVAL_EVENTS, "approval_expired")}


def expected(bodies):
    """Documents by read model and id; line items by what they say, without their ids."""
    by_run = defaultdict(list)
    for body in bodies:
        if body["event_type"] in {*FAMILIES["runs"], *FAMILIES["approvals"]}:
            by_run[tuple(body[name] for name in RUN)].append(body)
    newest = defaultdict(int)
    for run, told in by_run.items():
        if any(body["event_type"] in FAMILIES["runs"] for body in told):
            newest[run[:3]] = max(newest[run[:3]], run[3])
    models = {name: {} for name in indices.FIXED_READ_MODELS}
    lines = models[indices.JOB_LINE_ITEMS] = []
    for run, attempts in newest.items():
        for attempt in range(1, attempts):
            by_run.setdefault(
                (*run, attempt), []
            )  # an earlier attempt of which nothing else is known is shown as such
    for run, told in by_run.items():
        latest = run[3] >= newest[run[:3]]
        document, payload = _run_document(run, told, latest=latest)
        models[indices.JOB_EVENTS][document["id"]] = document
        own = models.setdefault(indices.job_read_model(run[1]), {})
        own[document["id"]] = _with_payload(document, payload) if document["known"] else document
        models[indices.JOB_APPROVALS] |= {item["id"]: item for item in document["approvals"]}
        lines += _lines(document, payload)
    models[indices.JOB_TRIGGERS] = _triggers(bodies)
    models[indices.JOB_ALERTS] = _alerts(bodies)
    return models


def line(document):
    """A line item as the oracle tells it."""
    return tuple(document[name] for name in (*RUN, "timestamp", "latest_attempt", *LINE))


def incident(document):
    """What the oracle tells of an incident."""
    causes = [cause["job_run_id"] for cause in document["causes"]]
    deliveries = [(each["rev"], each["sink"], each["outcome"]) for each in document["deliveries"]]
    return {name: document[name] for name in ("id", "timestamp", *INCIDENT)} | {
        "causes": causes,
        "deliveries": deliveries,
    }


def _first(bodies, event_type):
    found = [body for body in bodies if body["event_type"] == event_type]
    return min(found, key=lambda body: (body["timestamp"], body["event_id"]), default=None)


def _only(value, names):
    return None if value is None else {name: value.get(name) for name in names}


def _run_document(run, told, *, latest):
    keys = dict(zip(RUN, run, strict=True))
    completed, started = _first(told, "job_completed"), _first(told, "job_started")
    shown = completed or started or {}
    metrics, quality = shown.get("metrics") or {}, shown.get("quality") or {}
    checks = [_only(check, CHECK) for check in quality.get("checks", [])]
    decided = _decided(told)
    document = {
        "id": expected_event_id({"event_type": "job_completed", **keys}),
        **keys,
        "latest_attempt": latest,
        "known": bool(shown),
        "timestamp": shown.get("timestamp"),
        "event_type": shown.get("event_type"),
        "status": completed["status"] if completed else "RUNNING" if started else None,
        **{n: shown.get(n) for n in ("failure_type", "artifacts_available", "artifacts_base_path")},
        "quality": {**_only(quality, ("status", "evaluated")), "checks": checks},
        "artifacts": [_only(each, ARTIFACT) for each in shown.get("artifacts", [])],
        "artifacts_manifest": _only(shown.get("artifacts_manifest"), ("uri", "bytes", "sha256")),
        "metrics": _metrics(metrics) if shown else None,
        "error": shown.get("error"),
        "throughput_per_second": _over(metrics, "duration_seconds", 1),
        "success_rate_percent": _over(metrics, "records_read", 100),
        **decided,
        "approvals": [_decision(body, told, completed) for body in _decisions(told)],
    }
    return document, metrics.get("payload") if shown else None


def _with_payload(document, payload):
    metrics = document["metrics"] | {"payload": payload}
    return document | {"metrics": metrics, "payload_raw": None, "payload_overflow": False}


def _metrics(metrics):
    phases = metrics.get("phases") or {}
    return {
        **_only(metrics, METRICS),
        "drop_reasons": [_only(each, ("reason", "count")) for each in metrics.get("drop_reasons", [])],
        "phases": {name: _only(phases.get(name), PHASE) for name in ("extract", "transform", "load")},
        "resources": metrics.get("resources"),
    }


def _over(metrics, whole, scale):
    part, whole = metrics.get("records_written"), metrics.get(whole)
    return scale * part / whole if part is not None and whole else None


def _decisions(told):
    found = [body for body in told if body["event_type"] in {"approval_decision", "approval_expired"}]
    return sorted(found, key=lambda body: (body["timestamp"], body["event_id"]))


def _decision(body, told, completed):
    """One decision: by itself early, then what its acceptance or its verdict made of it."""
    own = body["event_id"]
    accepted = body["event_type"] == "approval_expired" or any(
        each.get("accepted_event_id") == own for each in told
    )
    verdicts = [each["outcome"] for each in told if each.get("decision_event_id") == own]
    quality = (completed or {}).get("quality") or {"status": None, "checks": []}
    return {
        "id": own,
        **{name: body[name] for name in ("timestamp", "event_type", *RUN)},
        **_only(body, DECISION),
        "accepted": accepted,
        "outcome": "accepted" if accepted else verdicts[0] if verdicts else "early",
        "original_quality_status": quality["status"],
        "original_checks": [_only(check, CHECK) for check in quality["checks"]],
    }


def _decided(told):
    final = _first(told, "approval_accepted") or _first(told, "approval_expired") or {}
    requested = _first(told, "approval_requested")
    winner = next((b for b in told if b["event_id"] == final.get("accepted_event_id")), {})
    return {
        "approval_status": final.get("decision") or ("PENDING" if requested else None),
        "approval_expires_at": (requested or {}).get("expires_at"),
        "approved_by": final.get("decided_by"),
        "approval_reason": winner.get("reason"),
        "approval_timestamp": final.get("timestamp"),
        "approval_conflict": any(each.get("outcome") == "conflict" for each in told),
    }


def _lines(document, payload):
    """One per check, drop reason, data type and category."""
    payload = payload or {}
    found = [("check", each["name"], each, ("value", "threshold")) for each in document["quality"]["checks"]]
    metrics = document["metrics"] or {}
    found += [("drop_reason", each["reason"], each, ("count",)) for each in metrics.get("drop_reasons", [])]
    types, summary = payload.get("transform", {}), payload.get("load", {})
    found += [
        ("data_type", each["name"], each, ("records", "dropped")) for each in types.get("data_types", [])
    ]
    found += [
        ("category", each["category"], each, ("records", "bytes", "file_count"))
        for each in summary.get("output_summary", [])
    ]
    shared = {name: document[name] for name in (*RUN, "timestamp", "latest_attempt")}
    return [
        line(
            {**shared, **dict.fromkeys(LINE), **_only(told, fields), "kind": kind, "name": name}
            | ({"status": told["status"]} if kind == "check" else {})
        )
        for kind, name, told, fields in found
    ]


def _triggers(bodies):
    by_trigger = defaultdict(list)
    for body in bodies:
        if body.get("trigger_id") and body["event_type"].startswith(("trigger_", "dag_run_")):
            by_trigger[body["trigger_id"]].append(body)
    return {trigger: _trigger(trigger, told) for trigger, told in by_trigger.items()}


def _trigger(trigger, told):
    by_type = {body["event_type"]: body for body in told}
    requested = by_type.get("trigger_requested") or by_type.get("trigger_sent") or told[0]
    dag_run = by_type.get("dag_run_finished") or by_type.get("dag_run_created") or {}
    return {
        "id": trigger,
        "timestamp": min(body["timestamp"] for body in told),
        **_only(requested, (*RUN, *TRIGGER)),
        "outcome": "sent" if dag_run or "trigger_sent" in by_type else "requested",
        "error": None,
        "dag_run_id": dag_run.get("dag_run_id"),
        "dag_run_state": dag_run.get("state", "created") if dag_run else None,
    }


def _alerts(bodies):
    newest, delivered = {}, {}
    for body in bodies:
        if body["event_type"] == "incident_transition":
            held = newest.get(body["incident_id"])
            newest[body["incident_id"]] = body if held is None or body["rev"] > held["rev"] else held
        elif body["event_type"] == "notification_sent":
            delivered[body["incident_id"], body["rev"], body["sink"]] = "sent"
    return {known: _alert(body, delivered) for known, body in newest.items()}


def _alert(body, delivered):
    told = body["incident"]
    return {
        "id": body["incident_id"],
        "timestamp": told["updated_at"],
        **_only(told, INCIDENT),
        "causes": [cause["job_run_id"] for cause in told["causes"]],
        "deliveries": [
            (
                each["rev"],
                each["sink"],
                delivered.get((body["incident_id"], each["rev"], each["sink"]), "planned"),
            )
            for each in told["deliveries"]
        ],
    }
