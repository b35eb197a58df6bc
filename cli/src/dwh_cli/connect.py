"""Where the servers are: from the environment, else the local system of this checkout.

With no `DWH_ENVIRONMENT` set, the command talks to the system that `dwh local up` started here. Where the
extra `local` is not installed, as in the image, there is none: the variables must be set.
"""

import os
from pathlib import Path

from dwh_cli.exits import NO_LOCAL_SYSTEM, Usage


def load_environment() -> None:
    """Complete the process's environment from the local system when none is named."""
    if os.environ.get("DWH_ENVIRONMENT"):
        return
    try:
        from dwh_local.environment import variables  # noqa: PLC0415 - an extra, absent in images
        from dwh_local.system import local_system  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        raise Usage(f"DWH_ENVIRONMENT is not set, and {NO_LOCAL_SYSTEM}") from None
    for name, value in variables(local_system()).items():
        if value:
            os.environ.setdefault(name, value)


def setting(name: str) -> str:
    """A setting that this verb needs.

    Raises:
        Usage: it is not set.
    """
    load_environment()
    value = os.environ.get(name)
    if not value:
        raise Usage(f'{name} is not set; `eval "$(dwh local env)"` sets it for the local system')
    return value


def secret(name: str) -> str | None:
    """A secret from its variable or, as in a pod, from the file that `<name>_FILE` names; None without both.

    Raises:
        Usage: the file cannot be read.
    """
    load_environment()
    file = os.environ.get(f"{name}_FILE")
    if os.environ.get(name) or not file:
        return os.environ.get(name) or None
    try:
        return Path(file).read_text().strip() or None
    except OSError as error:
        raise Usage(f"{name}_FILE: {file}: {error.strerror}") from None
