"""Slots, overrides, and who holds a busy port."""

import os
import socket
from pathlib import Path

import pytest
from dwh_local.errors import PortBusy, WrongValue
from dwh_local.ports import Ports, is_busy, owner_of, require_free, slot_from_environment


def test_slot_0_has_the_documented_ports() -> None:
    assert dict(Ports.for_slot(0).items()) == {
        "opensearch": 9201,
        "approvals": 8080,
        "airflow": 8081,
        "indexer": 8082,
        "alerts": 8083,
        "orchestrator": 8084,
        "aws": 8085,
    }


def test_no_two_slots_share_a_port() -> None:
    taken = [port for slot in range(98) for _, port in Ports.for_slot(slot).items()]
    assert len(taken) == len(set(taken))
    assert Ports.for_slot(97).opensearch == 9298


@pytest.mark.parametrize("text", ["98", "-1", "one", "1.5", "²"])
def test_a_wrong_slot_is_refused(text: str) -> None:
    with pytest.raises(WrongValue, match="DWH_LOCAL_SLOT"):
        Ports.for_slot(slot_from_environment({"DWH_LOCAL_SLOT": text}))


def test_an_override_for_no_part_names_the_parts() -> None:
    assert Ports().with_overrides({"aws": 9999}).aws == 9999
    with pytest.raises(WrongValue, match="no part is called 'postgres': ports have airflow, alerts"):
        Ports().with_overrides({"postgres": 5432})


@pytest.mark.enable_socket
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="owners are read from /proc")
def test_a_busy_port_is_named_with_its_owner() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert is_busy(port)
        assert f"process {os.getpid()} (" in owner_of(port)
        with pytest.raises(PortBusy, match=rf"port {port} \(airflow\) is held by process {os.getpid()}"):
            require_free({"airflow": port})
    require_free({"airflow": port})
