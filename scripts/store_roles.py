"""Turn `terraform output -json` into roles of the store and who has them.

Writes, below a folder, the bodies for OpenSearch's security API: `roles/<name>.json`, what a service may do
there, and `rolesmapping/<name>.json`, the IAM role that has it. Promises: nobody may delete an index or a
document, only approvals writes decisions, only the indexer writes job events. `bootstrap` needs no role: it
is the domain's master.

    terraform output -json | store_roles.py store-roles
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

Body = dict[str, Any]

ASK = ["cluster_composite_ops", "cluster:monitor/main", "cluster:monitor/health"]
"""Whole requests: several documents at a time, whether the store answers."""
READ = ["read", "indices:admin/get"]
WRITE = [
    *("indices:data/write/bulk*", "indices:data/write/index"),
    *("indices:admin/mapping/put", "indices:admin/refresh*"),
]
CREATE = ["indices:admin/create", "indices:admin/aliases"]
ALIASES = {"index_patterns": ["*"], "allowed_actions": ["indices:admin/aliases/get"]}
"""Which index an alias names is asked of the whole store."""

SWEEP = ["indices:monitor/stats", "indices:admin/refresh*"]
"""What reading the whole log takes beside reading it: how far each shard is, and making that visible."""

READABLE = ["events-*", "rm-*", "effects-v1", "decisions-v1", "projection-*"]
SHARED = ["events-effect-v1-*", "events-late-v1", "events-quarantine-v1", "effects-v1", "rm-*"]
"""What every service writes: facts of its own, claims, refused messages, read models."""
OWN = {
    "indexer": ["events-job-v1-*", "projection-checkpoints"],
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


def mappings(outputs: Body) -> dict[str, Body]:
    """The IAM role behind each role of the store.

    Raises:
        KeyError: the outputs are not those of an applied environment.
    """
    arns = outputs["helm"]["value"]["role_arns"]
    return {name: {"backend_roles": [arns[name.removeprefix("dwh-")]]} for name in roles()}


def _role(service: str) -> Body:
    grants = [_grant(READABLE, READ), _grant([*SHARED, *OWN[service]], WRITE)]
    if service in FOLDS_RUNS:
        grants.append(_grant(["rm-*"], CREATE))
    if service == SWEEPS:
        grants.append(_grant(["events-*"], SWEEP))
    return _body(*grants)


def _body(*grants: Body) -> Body:
    return {"cluster_permissions": ASK, "index_permissions": [ALIASES, *grants]}


def _grant(patterns: list[str], actions: list[str]) -> Body:
    return {"index_patterns": patterns, "allowed_actions": actions}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the files go")
    folder: Path = parser.parse_args().folder
    try:
        parts = {"roles": roles(), "rolesmapping": mappings(json.load(sys.stdin))}
    except json.JSONDecodeError as error:
        print(f"store_roles: standard input is no JSON: {error}", file=sys.stderr)
        return 2
    except (KeyError, TypeError) as error:
        print(
            f"store_roles: the outputs lack {error}: run `terraform output -json` in an applied environment",
            file=sys.stderr,
        )
        return 2
    for part, bodies in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name, body in bodies.items():
            (folder / part / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
