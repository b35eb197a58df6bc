import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from store_machine import StoreMachine


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_of_3000_histories_of_100_steps_none_loses_doubles_or_contradicts_anything():
    long = settings(
        max_examples=3000, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(StoreMachine, settings=long)
