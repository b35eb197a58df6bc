import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dwh_local.testing import service_port
from dwh_runtime.testing import base_environment

pytestmark = pytest.mark.integration
PROGRAM = Path(__file__).with_name("service_under_test.py")


class Process:
    def __init__(self, mode, port):
        self.port = port
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
        settings = base_environment(
            DWH_QUEUE_URL="memory://queues/q", DWH_HTTP_PORT=str(port), DWH_DRAIN_SECONDS="5"
        )
        self.child = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env=kept | settings | {"TEST_MODE": mode},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def wait_for(self, path, status):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.child.poll() is None, self.child.communicate()
            with contextlib.suppress(OSError):
                if self.get(path)[0] == status:
                    return
            time.sleep(0.05)  # noqa: TID251 - another process announces nothing
        raise AssertionError(f"{path} never answered {status}")

    def wait_for_line(self, text):
        for line in self.child.stdout:
            if text in line:
                return
        raise AssertionError(f"{text} was never printed")

    def end(self):
        out, err = self.child.communicate(timeout=20)
        return self.child.returncode, out, err


@pytest.fixture
def start():
    started = []

    def start(mode, port=None):
        process = Process(mode, port or service_port())
        started.append(process)
        return process

    yield start
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
            process.child.communicate()


def test_a_stop_lets_the_running_handler_finish_and_exits_0(start):
    process = start("busy")
    process.wait_for_line("handling")
    process.child.send_signal(signal.SIGTERM)
    code, out, _ = process.end()
    assert code == 0
    assert out.index("handled") < out.index("closed")


def test_a_second_signal_changes_nothing(start):
    process = start("busy")
    process.wait_for_line("handling")
    for _ in range(3):
        process.child.send_signal(signal.SIGTERM)
        time.sleep(0.1)  # noqa: TID251 - signals of one number merge while pending
    code, out, _ = process.end()
    assert (code, "handled" in out) == (0, True)


def test_an_idle_service_stops_within_its_poll(start):
    process = start("idle")
    process.wait_for("/readyz", 200)
    began = time.monotonic()
    process.child.send_signal(signal.SIGTERM)
    code, _, _ = process.end()
    assert code == 0
    assert time.monotonic() - began < 2


def test_background_work_that_gives_up_stops_the_process_with_one_line(start):
    code, out, err = start("fail").end()
    assert (code, err) == (1, "dwh_test: Fatal: the background gave up\n")
    assert "closed" in out


def test_with_a_dependency_away_it_lives_is_not_ready_and_can_be_stopped(start):
    process = start("away")
    process.wait_for("/readyz", 503)
    assert process.get("/livez")[0] == 200
    problems = json.loads(process.get("/readyz")[1])["problems"]
    assert problems["store"] == "ConnectionError: refused"
    process.child.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_a_busy_port_is_named(start):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, _, err = start("idle", port).end()
    assert code == 1
    assert err == f"dwh_test: Fatal: cannot listen on 127.0.0.1:{port}: Address already in use\n"
