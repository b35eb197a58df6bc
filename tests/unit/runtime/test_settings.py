import pytest
from dwh_runtime.settings import ServiceSettings, SettingsError, load
from dwh_runtime.settings_names import KNOWN
from pydantic import SecretStr, ValidationError


class WithSecrets(ServiceSettings):
    link_keys: SecretStr | None = None


def problems(cls=ServiceSettings):
    with pytest.raises(SettingsError) as caught:
        load(cls)
    return caught.value.problems


def test_a_complete_environment_loads(environ):
    settings = load(ServiceSettings)
    assert (settings.environment, settings.http_port, settings.drain_seconds) == ("local", 0, 25.0)


def test_settings_cannot_be_changed_afterwards(environ):
    settings = load(ServiceSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.http_port = 1


def test_every_problem_is_named_at_once(environ):
    environ.delenv("DWH_QUEUE_URL")
    environ.setenv("DWH_HTTP_PORT", "many")
    environ.setenv("DWH_ENVIRONMENT", "Prod!")
    found = problems()
    assert "DWH_QUEUE_URL is missing" in found
    assert [line.split(":")[0] for line in found if ":" in line] == ["DWH_ENVIRONMENT", "DWH_HTTP_PORT"]


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("DWH_QUEUEURL", "DWH_QUEUE_URL"),
        ("DWH_OPENSEARCH_URLS", "DWH_OPENSEARCH_URL"),
        ("DWH_LOG_LEVLE", "DWH_LOG_LEVEL"),
        ("DWH_ALERT_SECRET_FILE", "DWH_ALERT_SECRETS_FILE"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest_one(environ, typo, meant):
    environ.setenv(typo, "x")
    assert problems() == [f"{typo} is not a known setting; did you mean {meant}?"]


def test_names_that_other_services_read_are_known_and_ignored(environ):
    for name in KNOWN - {"DWH_OPENSEARCH_AUTH", "DWH_LOG_LEVEL", "DWH_LOG_FORMAT"}:
        if name.endswith("_FILE") or name in ServiceSettingsNames:
            continue
        environ.setenv(name, "x")
    assert load(ServiceSettings).environment == "local"


ServiceSettingsNames = {f"DWH_{field.upper()}" for field in ServiceSettings.model_fields}


def test_every_field_of_the_common_settings_is_a_known_name():
    assert {name for name in ServiceSettingsNames if not name.startswith("DWH_AWS_")} <= KNOWN


def test_an_empty_variable_counts_as_absent(environ):
    environ.setenv("DWH_QUEUE_URL", "")
    assert problems() == ["DWH_QUEUE_URL is missing"]


def test_a_secret_may_come_from_a_file(environ, tmp_path):
    (tmp_path / "keys").write_text("from-a-file\n")
    environ.setenv("DWH_LINK_KEYS_FILE", str(tmp_path / "keys"))
    settings = load(WithSecrets)
    assert settings.link_keys is not None
    assert settings.link_keys.get_secret_value() == "from-a-file"


def test_a_secret_given_twice_is_an_error(environ, tmp_path):
    environ.setenv("DWH_LINK_KEYS", "a")
    environ.setenv("DWH_LINK_KEYS_FILE", str(tmp_path / "keys"))
    assert problems(WithSecrets) == ["DWH_LINK_KEYS and DWH_LINK_KEYS_FILE are both set; keep one"]


def test_an_unreadable_secret_file_is_named(environ, tmp_path):
    environ.setenv("DWH_LINK_KEYS_FILE", str(tmp_path / "absent"))
    (problem,) = problems(WithSecrets)
    assert problem.startswith("DWH_LINK_KEYS_FILE cannot be read: No such file")


def test_no_secret_stands_in_the_printed_settings_or_in_an_error(environ):
    environ.setenv("DWH_OPENSEARCH_PASSWORD", "hunter2-hunter2")
    assert "hunter2" not in str(load(ServiceSettings).redacted())
    environ.setenv("DWH_OPENSEARCH_AUTH", "basic")
    assert "hunter2" not in " ".join(problems())


def test_visibility_shorter_than_the_handler_is_refused(environ):
    environ.setenv("DWH_HANDLER_SECONDS", "90")
    assert problems() == ["DWH_VISIBILITY_SECONDS must be at least DWH_HANDLER_SECONDS"]


@pytest.mark.parametrize(("environment", "host"), [("local", "127.0.0.1"), ("prod", "0.0.0.0")])
def test_http_is_bound_to_loopback_only_on_a_laptop(environ, environment, host):
    environ.setenv("DWH_ENVIRONMENT", environment)
    assert load(ServiceSettings).http_host == host


def test_in_a_pod_the_local_environment_can_listen_for_probes(environ):
    environ.setenv("DWH_ENVIRONMENT", "local")
    environ.setenv("DWH_HTTP_HOST", "0.0.0.0")
    assert load(ServiceSettings).http_host == "0.0.0.0"
