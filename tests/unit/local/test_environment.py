"""What `dwh local env` prints and services find."""

import shlex

import pytest
from dwh_local.environment import SERVICES, export_lines, service_settings
from dwh_local.paths import Checkout
from dwh_local.ports import Ports
from dwh_local.system import Faults, System
from dwh_runtime.settings_names import KNOWN, unknown_names


@pytest.fixture
def system(tmp_path) -> System:
    return System(Checkout(tmp_path), Ports.for_slot(3))


def exported(system: System) -> dict[str, str]:
    words = [shlex.split(line) for line in export_lines(system)]
    assert all(word[0] == "export" and len(word) == 2 for word in words)
    return dict(word[1].split("=", 1) for word in words)


def test_every_setting_is_printed_but_the_two_that_differ_per_service(system: System) -> None:
    printed = {name for name in exported(system) if name.startswith("DWH_")}
    not_printed = {"DWH_QUEUE_URL", "DWH_HTTP_PORT", "DWH_TOKEN", "DWH_LOCAL_SLOT", "DWH_LOCAL_STATE"}
    assert printed == {name for name in KNOWN if not name.endswith("_FILE")} - not_printed


def test_services_know_every_name_that_is_printed(system: System) -> None:
    assert unknown_names(exported(system)) == []


def test_each_service_has_its_own_queue_and_port(system: System) -> None:
    settings = [service_settings(system, service) for service in SERVICES]
    assert len({found["DWH_QUEUE_URL"] for found in settings}) == len(SERVICES)
    assert [found["DWH_HTTP_PORT"] for found in settings] == ["8112", "8113", "8114", "8110"]


def test_keys_are_kept_and_readable_by_their_owner_only(system: System) -> None:
    first = exported(system)
    assert exported(system) == first
    assert len(first["DWH_LINK_KEYS"]) >= 32
    assert (system.place.state / "secrets.json").stat().st_mode & 0o077 == 0


def test_with_faults_triggers_go_to_the_couriers_queue(system: System) -> None:
    faulty = System(system.place, system.ports, Faults(copies=2))
    assert exported(faulty)["DWH_MWAA_TRIGGERS_QUEUE_URL"].endswith("/dwh-local-mwaa-triggers-held")
    assert exported(system)["DWH_MWAA_TRIGGERS_QUEUE_URL"].endswith("/dwh-local-mwaa-triggers")
