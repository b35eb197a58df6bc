import helm_schema
import pytest
import yaml
from rendering import CHART, ROOT


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def defaults():
    """values.yaml as it is."""
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def schema():
    return helm_schema.schema()
