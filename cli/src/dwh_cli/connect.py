"""Where the servers are: from the environment, else the local system of this checkout.

With no `DWH_ENVIRONMENT` set, the command talks to the system that `dwh local up` started here.
"""

import os

from dwh_local.environment import variables
from dwh_local.system import local_system

from dwh_cli.exits import Usage


def load_environment() -> None:
    """Complete the process's environment from the local system when none is named."""
    if os.environ.get("DWH_ENVIRONMENT"):
        return
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
