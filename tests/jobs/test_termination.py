"""A request to stop is never unheard, whenever it comes."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from dwh_jobs.errors import Terminated
from dwh_jobs.termination import Termination


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


@pytest.mark.timeout(60)
def test_a_request_within_the_run_is_raised_at_once_and_one_while_that_is_handled_changes_nothing():
    with Termination() as termination:
        termination.arm()
        try:
            ask()
        except Terminated:
            ask()
            signal.pause()  # until the next of the insisting requests
            signal.pause()
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


PARENT = """
import subprocess, sys
from dwh_jobs.termination import stop_children
child = subprocess.Popen(["sh", "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
stop_children(grace=0.5)
print(child.stdout.read())  # its end of file comes when nobody holds the pipe
"""


@pytest.mark.parametrize(("answer", "last_words"), [("echo bye; exit", "bye"), ("", "")])
def test_no_process_outlives_the_run_that_started_it_even_one_that_hears_no_request(answer, last_words):
    program = f"trap '{answer}' TERM; echo ready; read line"
    told = subprocess.run([sys.executable, "-c", PARENT, program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == last_words
