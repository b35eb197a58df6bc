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

OIDC = {
    "DWH_ENVIRONMENT": "prod",
    "DWH_AUTH_MODE": "oidc",
    "DWH_OIDC_ISSUER": "https://login.example.com/realms/dwh",
    "DWH_OIDC_AUDIENCE": "dwh-prod",
}


def load_with(monkeypatch, **over):
    for name, value in base_environment(**(GOOD | over)).items():
        monkeypatch.setenv(name, value)
    return load(Settings)


def test_the_local_mode_starts_in_the_local_environment(monkeypatch):
    assert load_with(monkeypatch).auth_mode == "local"


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_the_mode_oidc_starts_everywhere(monkeypatch, environment):
    settings = load_with(monkeypatch, **(OIDC | {"DWH_ENVIRONMENT": environment}))
    assert (settings.auth_mode, settings.oidc_groups_claim) == ("oidc", "groups")


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"DWH_AUTH_MODE": "oidc"}, "DWH_AUTH_MODE=oidc needs DWH_OIDC_ISSUER and DWH_OIDC_AUDIENCE"),
        (OIDC | {"DWH_OIDC_AUDIENCE": ""}, "DWH_AUTH_MODE=oidc needs DWH_OIDC_AUDIENCE"),
        (OIDC | {"DWH_OIDC_ISSUER": "http://login.example.com"}, "DWH_OIDC_ISSUER must be an https address"),
        (OIDC | {"DWH_OIDC_ISSUER": "login.example.com"}, "DWH_OIDC_ISSUER must be an https address"),
        (OIDC | {"DWH_OIDC_ISSUER": "https://["}, "DWH_OIDC_ISSUER must be an https address"),
        (OIDC | {"DWH_OIDC_TOKEN_HEADER": "x-forwarded-user"}, "DWH_OIDC_TOKEN_HEADER: "),
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


@pytest.mark.parametrize("mode", [{}, OIDC], ids=["local", "oidc"])
async def test_the_whole_service_is_put_together_from_its_settings(monkeypatch, mode):
    clock = ManualClock(memory_store().clock.now())
    service = await build(
        load_with(monkeypatch, **mode), store=memory_store("local", clock), aws=MemoryAws(), clock=clock
    )
    assert service.name == "approvals"
