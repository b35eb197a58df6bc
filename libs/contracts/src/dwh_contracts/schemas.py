"""JSON Schemas of everything that travels: `python -m dwh_contracts.schemas DIR` writes them."""

import json
import re
import sys
from pathlib import Path

from pydantic import BaseModel

from dwh_contracts.alerts import AlertMessage
from dwh_contracts.approvals import APPROVAL_EVENTS
from dwh_contracts.claim_check import ClaimCheck
from dwh_contracts.events import JOB_EVENTS
from dwh_contracts.facts import EFFECT_EVENTS
from dwh_contracts.quarantine import QuarantineRecord
from dwh_contracts.routes import AlertRoutes
from dwh_contracts.triggers import TriggerMessage
from dwh_contracts.workflow import WorkflowConfig

_OTHERS = (AlertMessage, AlertRoutes, ClaimCheck, QuarantineRecord, TriggerMessage, WorkflowConfig)


def schemas() -> dict[str, str]:
    """File names and their text."""
    models: set[type[BaseModel]] = {
        *JOB_EVENTS.values(),
        *APPROVAL_EVENTS.values(),
        *EFFECT_EVENTS.values(),
        *_OTHERS,
    }
    return {_file_name(model): _text(model) for model in sorted(models, key=_file_name)}


def write(folder: Path) -> None:
    """Make `folder` hold exactly the schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = schemas()
    for path in folder.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _file_name(model: type[BaseModel]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__).lower() + ".json"


def _text(model: type[BaseModel]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
