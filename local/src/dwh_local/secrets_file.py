"""Keys that the local services sign with: random, made once per checkout, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

NAMES = ("link_key", "csrf_key", "audit_key", "airflow_jwt", "airflow_api")


def local_secrets(path: Path) -> dict[str, str]:
    """The keys of this checkout, made on first use."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: secrets.token_hex(32) for name in NAMES if name not in known}
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({**known, **missing}, file, indent=1)
    return {**known, **missing}
