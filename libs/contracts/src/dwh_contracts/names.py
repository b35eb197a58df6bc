"""Names that come from outside, and what may be made of them.

A name that does not fit its pattern is refused with `bad-name`; no index, path or id is ever made of one.
"""

import hashlib
import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", re.ASCII)
RUN_ID = re.compile(r"[!-.0-~]{1,250}", re.ASCII)
"""Printable ASCII without space and `/`; run ids, DAG ids, DAG run ids."""
ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{1,15}", re.ASCII)
BAD_NAME = "bad_name"

_PLAIN = re.compile(r"[a-z0-9_]{1,100}", re.ASCII)
_SLUG_LENGTH = 100


@lru_cache(maxsize=1024)
def slug(job_name: str) -> str:
    """The part of `job-events-<slug>` that belongs to this job alone.

    `_` becomes `-` for names of `[a-z0-9_]` up to 100 characters; every other name is lowered, mapped and
    cut, and gets `_` and 6 hex digits of its SHA-256, so two jobs never share an index.
    """
    if _PLAIN.fullmatch(job_name):
        return job_name.replace("_", "-")
    mapped = re.sub(r"[^a-z0-9-]", "-", job_name.lower(), flags=re.ASCII)[:_SLUG_LENGTH]
    return f"{mapped}_{hashlib.sha256(job_name.encode()).hexdigest()[:6]}"


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise PydanticCustomError(BAD_NAME, f"not {what}")
        return value

    return AfterValidator(check)


JobName = Annotated[str, _matching(JOB_NAME, "a job name: letters, digits, `_.-`, at most 200")]
RunId = Annotated[str, _matching(RUN_ID, "printable ASCII without space and `/`, at most 250")]
EnvironmentName = Annotated[str, _matching(ENVIRONMENT, "an environment: [a-z][a-z0-9-]{1,15}")]
