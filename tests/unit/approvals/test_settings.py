"""The service starts only where it can tell who somebody is."""

import pytest
from dwh_approvals.app import build
from dwh_approvals.settings import Settings
from dwh_contracts.clock import ManualClock
from dwh_eventstore import memory_store
from dwh_runtime.settings import SettingsError, load
from dwh_runtime.testing import MemoryAws, base_environment

GOOD = {
    "DWH_JOB_APPROVALS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:dwh-local-job-approvals",
    "DWH_WORKFLOW_CONFIG_URI": "s3://dwh-local-code/orchestration/workflow_config.json",
    "DWH_CSRF_KEYS": "c" * 32,
    "DWH_AUTH_MODE": "local",
}


def load_with(monkeypatch, **over):
    for name, value in base_environment(**(GOOD | over)).items():
        monkeypatch.setenv(name, value)
    return load(Settings)


def test_the_local_mode_starts_in_the_local_environment(monkeypatch):
    assert load_with(monkeypatch).auth_mode == "local"


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"DWH_AUTH_MODE": "oidc"}, "DWH_AUTH_MODE=oidc is not available in this build"),
        ({"DWH_ENVIRONMENT": "dev"}, "DWH_AUTH_MODE=local needs DWH_ENVIRONMENT=local"),
        ({"DWH_AUTH_MODE": ""}, "DWH_AUTH_MODE is missing"),
        ({"DWH_AUTH_MODE": "none"}, "DWH_AUTH_MODE: "),
        ({"DWH_CSRF_KEYS": "short"}, "DWH_CSRF_KEYS: every key needs at least 32 bytes"),
    ],
)
def test_anything_else_does_not_start_and_says_why(monkeypatch, over, text):
    with pytest.raises(SettingsError) as refused:
        load_with(monkeypatch, **over)
    assert any(problem.startswith(text) for problem in refused.value.problems), refused.value.problems


async def test_the_whole_service_is_put_together_from_its_settings(monkeypatch):
    clock = ManualClock(memory_store().clock.now())
    service = await build(
        load_with(monkeypatch), store=memory_store("local", clock), aws=MemoryAws(), clock=clock
    )
    assert service.name == "approvals"
