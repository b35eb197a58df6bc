"""The whole port and the command over signed requests: a front checks each signature before the real node."""

import subprocess
import sys

import pytest
from aws_front import REGION, aws_front, aws_variables
from dwh_eventstore import StoreSettings
from dwh_eventstore.opensearch import OpenSearchBackend
from dwh_eventstore.testing import BackendSuite
from dwh_eventstore.testing.backend_suite import make_indices

pytestmark = pytest.mark.integration
EVERYTHING = "contract-*,events-*,rm-*,effects-v1,decisions-v1"


@pytest.fixture
def front(opensearch_node, monkeypatch, tmp_path):
    with aws_front(opensearch_node.url) as front:
        aws_variables(monkeypatch, tmp_path, front, AWS_REGION=REGION)
        front.gives("ASIAROLE", seconds=3600)
        yield front
    assert front.faults == []
    assert len(front.seen) > 0


@pytest.fixture
async def empty(front):
    settings = StoreSettings(url=front.url, environment="local", service="test", auth="sigv4", region=REGION)
    backend = OpenSearchBackend(settings)
    await backend._ask("DELETE", f"/{EVERYTHING}", params={"ignore_unavailable": "true"}, missing={})
    await backend.forbid_auto_create(["events-*", "rm-*", "contract-*"])
    yield backend
    await backend.close()


class TestSignedBackend(BackendSuite):
    @pytest.fixture
    async def backend(self, empty):
        await make_indices(empty)
        return empty


def test_the_command_signs_what_it_asks(front, empty, monkeypatch):
    for name, value in {
        "DWH_ENVIRONMENT": "dev",
        "DWH_OPENSEARCH_URL": front.url,
        "DWH_OPENSEARCH_AUTH": "sigv4",
    }.items():
        monkeypatch.setenv(name, value)
    assert dwh("bootstrap", "--check").returncode == 1
    made = dwh("bootstrap")
    assert (made.returncode, made.stderr) == (0, "")
    assert dwh("bootstrap", "--check").stdout.startswith("nothing to do")
    listed = dwh("runs", "list")
    assert (listed.returncode, listed.stdout) == (0, "no runs yet\n")


def dwh(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "dwh_cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
