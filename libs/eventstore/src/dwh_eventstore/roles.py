"""What each service may do in the store, as data: bodies for OpenSearch's security API.

Nobody may delete an index or a document, only approvals writes decisions, only the indexer writes job events.
`bootstrap` has no role here: it is the domain's master.
"""

from typing import Any

Body = dict[str, Any]

ASK = ["cluster_composite_ops_ro", "cluster:monitor/main", "cluster:monitor/health"]
"""Whole requests: several documents at a time, whether the store answers."""
SEND = ["indices:data/write/bulk"]
"""Writes of several documents at a time; each of them is looked at again by its index."""
READ = ["read", "indices:admin/get"]
WRITE = ["indices:data/write/bulk*", "indices:data/write/index", "indices:admin/refresh*"]
LEARN = ["indices:admin/mapping/put"]
"""The fields of a job's own payload; the log learns none."""
CREATE = ["indices:admin/create", "indices:admin/aliases"]
ALIASES = {"index_patterns": ["*"], "allowed_actions": ["indices:admin/aliases/get"]}
"""Which index an alias names is asked of the whole store."""

SWEEP = ["indices:monitor/stats", "indices:admin/refresh*"]
"""What reading all of an index takes beside reading it: how far each shard is, and making that visible.

Of the log for the sweep, of the read models for `dwh store verify` in the indexer's pod.
"""

READABLE = ["events-*", "rm-*", "effects-v1", "decisions-v1", "projection-*", "event-digests-v1"]
SHARED = ["events-effect-v1-*", "events-late-v1", "events-quarantine-v1", "effects-v1", "rm-*"]
"""What every service writes: facts of its own, claims, refused messages, read models."""
OWN = {
    "indexer": ["events-job-v1-*", "projection-checkpoints", "event-digests-v1"],
    "alerts": [],
    "orchestrator": [],
    "approvals": ["events-approval-v1-*", "decisions-v1"],
}
FOLDS_RUNS = ("indexer", "approvals")
"""Who may make the read model of a job that is seen for the first time."""
SWEEPS = "indexer"


def roles() -> dict[str, Body]:
    """What each service, and the test of a release, may do in the store."""
    return {f"dwh-{name}": _role(name) for name in OWN} | {"dwh-selftest": _body(_grant(READABLE, READ))}


def _role(service: str) -> Body:
    grants = [_grant(READABLE, READ), _grant([*SHARED, *OWN[service]], WRITE), _grant(["rm-*"], LEARN)]
    if service in FOLDS_RUNS:
        grants.append(_grant(["rm-*"], CREATE))
    if service == SWEEPS:
        grants.append(_grant(["events-*", "rm-*"], SWEEP))
    return _body(*grants, ask=[*ASK, *SEND])


def _body(*grants: Body, ask: list[str] = ASK) -> Body:
    return {"cluster_permissions": ask, "index_permissions": [ALIASES, *grants]}


def _grant(patterns: list[str], actions: list[str]) -> Body:
    return {"index_patterns": patterns, "allowed_actions": actions}
