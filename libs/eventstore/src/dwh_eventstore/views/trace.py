"""Everything that followed from a run, as a tree."""

from typing import Any

from dwh_contracts.canonical import JsonObject
from pydantic import JsonValue

from dwh_eventstore import indices
from dwh_eventstore.store import Store

Times = dict[str, str]
"""Trigger id → time."""

_TRIGGER_ENDS: list[JsonValue] = ["trigger_sent", "trigger_failed", "trigger_skipped"]
_MANY = 200
_DEEPEST = 20


async def trace(store: Store, job_run_id: str, job_name: str | None = None) -> JsonObject | None:
    """The run with its event, checks, alerts, approval, triggers, DAG runs and the runs that those started.

    A node is `{kind, id, name, timestamp, state, detail, children[]}`. None when no such run is known;
    of several jobs with this run id the newest is taken unless `job_name` says which.
    """
    where: JsonObject = {"environment": store.environment, "job_run_id": job_run_id, "latest_attempt": True}
    if job_name is not None:
        where["job_name"] = job_name
    page = await store.read_models.search(indices.JOB_EVENTS, where, limit=1)
    return await _run(store, page.items[0], frozenset()) if page.items else None


async def _run(store: Store, run: JsonObject, above: frozenset[str]) -> JsonObject:
    """`above` are the runs this one followed from: a run is never shown below itself."""
    above |= {str(run["id"])}
    quality: Any = run["quality"] or {}
    children = [_event(run), *(_check(check, run) for check in quality.get("checks") or [])]
    children += await _alerts(store, run)
    if run["approval_status"] is not None or run["approvals"]:
        children.append(_approval(run))
    children += await _triggers(store, run, above)
    return _node(
        "run",
        run["id"],
        f"{run['job_name']} {run['job_run_id']}",
        run["timestamp"],
        run["status"],
        f"attempt {run['attempt']}, quality {quality.get('status')}",
        children,
    )


def _event(run: JsonObject) -> JsonObject:
    error: Any = run["error"] or {}
    return _node("event", run["id"], run["event_type"], run["timestamp"], run["status"], error.get("message"))


def _check(check: dict[str, Any], run: JsonObject) -> JsonObject:
    detail = check["message"] or f"{check['value']} against {check['threshold']}"
    return _node(
        "check", f"{run['id']}/{check['name']}", check["name"], run["timestamp"], check["status"], detail
    )


async def _alerts(store: Store, run: JsonObject) -> list[JsonObject]:
    where: JsonObject = {
        "environment": store.environment,
        "job_name": run["job_name"],
        "causes.job_run_id": run["job_run_id"],
    }
    page = await store.read_models.search(indices.JOB_ALERTS, where, sort=("timestamp", "asc"), limit=_MANY)
    return [_alert(alert, run) for alert in page.items]


def _alert(alert: JsonObject, run: JsonObject) -> JsonObject:
    causes: Any = alert["causes"]
    rules = [cause["rule"] for cause in causes if cause["job_run_id"] == run["job_run_id"]]
    deliveries: Any = alert["deliveries"]
    told = sorted({f"{each.get('sink')} {each.get('outcome')}" for each in deliveries})
    detail = ", ".join([str(alert["severity"]), *dict.fromkeys(rules), *told])
    return _node("alert", alert["id"], alert["title"], alert["timestamp"], alert["state"], detail)


def _approval(run: JsonObject) -> JsonObject:
    listed: Any = run["approvals"]
    decisions = [
        _node(
            "decision",
            decision["id"],
            f"{decision['decision']} by {decision['decided_by']}",
            decision["timestamp"],
            decision["outcome"],
            decision["reason"],
        )
        for decision in listed
    ]
    status = run["approval_status"]
    by = f"{status} by {run['approved_by']}" if run["approved_by"] else f"until {run['approval_expires_at']}"
    timestamp = run["approval_timestamp"]
    return _node("approval", f"{run['id']}/approval", "approval", timestamp, status, by, decisions)


async def _triggers(store: Store, run: JsonObject, above: frozenset[str]) -> list[JsonObject]:
    where: JsonObject = {
        "environment": store.environment,
        "job_name": run["job_name"],
        "job_run_id": run["job_run_id"],
        "attempt": run["attempt"],
    }
    page = await store.read_models.search(indices.JOB_TRIGGERS, where, sort=("timestamp", "asc"), limit=_MANY)
    if not page.items:
        return []
    sent = await _times(store, "effect", run, _TRIGGER_ENDS)
    created = await _times(store, "job", run, ["dag_run_created"])
    return [await _trigger(store, trigger, above, sent, created) for trigger in page.items]


async def _times(store: Store, family: indices.Family, run: JsonObject, types: list[JsonValue]) -> Times:
    """When each trigger of a run met one of these facts, the latest of several."""
    where: JsonObject = {name: run[name] for name in ("environment", "job_name", "job_run_id")}
    found = await store.events.find(family, where | {"event_type": types}, limit=_MANY)
    times: Times = {}
    for fact in found:
        trigger, timestamp = str(fact.body.get("trigger_id")), fact.time
        times[trigger] = max(timestamp, times.get(trigger, timestamp))
    return times


async def _trigger(
    store: Store, trigger: JsonObject, above: frozenset[str], sent: Times, created: Times
) -> JsonObject:
    trigger_id = str(trigger["id"])
    downstream = await _started_by(store, trigger_id, above)
    children = downstream
    if trigger["dag_run_id"] is not None:
        children = [
            _node(
                "dag_run",
                trigger["dag_run_id"],
                trigger["target"],
                created.get(trigger_id, trigger["timestamp"]),
                trigger["dag_run_state"],
                None,
                downstream,
            )
        ]
    detail = trigger["error"] or f"{trigger['trigger_set']} rule {trigger['rule_id']}"
    return _node(
        "trigger",
        trigger["id"],
        trigger["target"],
        sent.get(trigger_id, trigger["timestamp"]),
        trigger["outcome"],
        detail,
        children,
    )


async def _started_by(store: Store, trigger_id: str, above: frozenset[str]) -> list[JsonObject]:
    """Runs whose events name the trigger as their cause."""
    where: JsonObject = {"causation_id": trigger_id, "environment": store.environment}
    events = await store.events.find(
        "job", where | {"event_type": ["job_started", "job_completed"]}, limit=_MANY
    )
    runs = {(event.job_name, event.job_run_id, event.attempt) for event in events}
    nodes: list[JsonObject] = []
    for job_name, job_run_id, attempt in sorted(runs):
        exactly: JsonObject = {"job_name": job_name, "job_run_id": job_run_id, "attempt": attempt}
        page = await store.read_models.search(indices.JOB_EVENTS, where_in(store) | exactly, limit=1)
        nodes += [
            await _run(store, run, above)
            for run in page.items
            if run["id"] not in above and len(above) < _DEEPEST
        ]
    return nodes


def where_in(store: Store) -> JsonObject:
    """Documents of the store's environment."""
    return {"environment": store.environment}


def _node(
    kind: str,
    node_id: JsonValue,
    name: JsonValue,
    timestamp: JsonValue,
    state: JsonValue,
    detail: JsonValue = None,
    children: list[JsonObject] | None = None,
) -> JsonObject:
    below: list[JsonValue] = list(children or [])
    return {
        "kind": kind,
        "id": node_id,
        "name": name,
        "timestamp": timestamp,
        "state": state,
        "detail": detail,
        "children": below,
    }
