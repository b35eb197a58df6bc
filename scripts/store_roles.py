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

from dwh_eventstore.roles import Body, roles


def mappings(outputs: Body) -> dict[str, Body]:
    """The IAM role behind each role of the store.

    Raises:
        KeyError: the outputs are not those of an applied environment.
    """
    arns = outputs["helm"]["value"]["role_arns"]
    return {name: {"backend_roles": [arns[name.removeprefix("dwh-")]]} for name in roles()}


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
