import os

import pytest
from dwh_runtime.testing import base_environment


@pytest.fixture
def environ(monkeypatch):
    """A complete local environment and nothing else of ours."""
    for name in list(os.environ):
        if name.upper().startswith(("DWH_", "AWS_")):
            monkeypatch.delenv(name)
    for name, value in base_environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch
