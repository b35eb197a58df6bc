"""A request to stop is never unheard, whenever it comes."""

import os
import signal

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


def test_a_request_within_the_run_is_raised_at_once_and_once():
    with Termination() as termination:
        termination.arm()
        with pytest.raises(Terminated):
            ask()
        ask()


def test_a_request_after_the_run_changes_nothing():
    with Termination() as termination:
        termination.arm()
        termination.disarm()
        ask()
    ask()
