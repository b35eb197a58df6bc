"""A request to stop is never unheard, whenever it comes."""

import os
import signal
import subprocess
from contextlib import suppress

import pytest
from dwh_jobs.errors import Terminated
from dwh_jobs.termination import Termination, stop_children


@pytest.fixture(autouse=True)
def handler():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_request_before_the_run_is_raised_when_it_begins():
    with Termination() as termination:
        ask()
        with pytest.raises(Terminated):
            termination.arm()


def test_a_request_within_the_run_is_raised_at_once_and_one_while_that_is_handled_changes_nothing():
    with Termination() as termination:
        termination.arm()
        try:
            ask()
        except Terminated:
            ask()
            signal.sigtimedwait([], 1.2)  # two of the insisting requests come in this time
            termination.disarm()
        else:
            pytest.fail("nothing was raised")


@pytest.mark.timeout(60)
def test_a_request_that_was_swallowed_is_raised_again():
    with Termination() as termination:
        termination.arm()
        for request in (ask, signal.pause, signal.pause):
            with suppress(BaseException):  # as some libraries do
                request()
        with pytest.raises(Terminated):
            signal.pause()


def test_a_request_after_the_run_changes_nothing():
    with Termination() as termination:
        termination.arm()
        termination.disarm()
        ask()
    ask()


@pytest.mark.parametrize(("answer", "last_words"), [("echo bye; exit", "bye\n"), ("", "")])
def test_no_process_outlives_the_run_that_started_it_even_one_that_hears_no_request(answer, last_words):
    program = f"trap '{answer}' TERM; echo ready; read line"
    with subprocess.Popen(
        ["sh", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        stop_children(grace=0.5)
        assert child.stdout.read() == last_words  # its end of file comes when nobody holds the pipe
