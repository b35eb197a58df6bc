"""Rows of the filtered set that readers would find now, as a count and a digest free of order.

Run as a program by the interpreter of the jobs environment, which has pyarrow; it follows the pointer as a
reader does: `latest.json` → manifest → the listed files, and no other.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def final_set(dataset: Path) -> dict[str, Any]:
    """`{"rows": n, "sha256": …}` of the newest published set; no rows when nothing is published."""
    from pyarrow import parquet  # noqa: PLC0415 - only the jobs environment has it

    pointer = dataset / "latest.json"
    if not pointer.exists():
        return {"rows": 0, "sha256": None}
    manifest_path = Path(unquote(urlsplit(json.loads(pointer.read_bytes())["manifest"]["uri"]).path))
    manifest = json.loads(manifest_path.read_bytes())
    hashes: list[str] = []
    for category in manifest["categories"]:
        for file in category["files"]:
            table = parquet.read_table(manifest_path.parent / file["path"], columns=["row_hash"])
            hashes += table.column("row_hash").to_pylist()
    return {"rows": len(hashes), "sha256": hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()}


if __name__ == "__main__":
    print(json.dumps(final_set(Path(sys.argv[1]))))  # noqa: T201 - its answer
