"""Services, queues and a rebuild in any order, with deaths at any call; at length in `make prove`."""

from dwh_eventstore import indices
from dwh_eventstore.replay import Rebuild, Sweep, verify
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from store_machine import StoreMachine
from store_world import POOL, World


def test_whatever_is_copied_reordered_or_killed_what_is_acknowledged_is_stored_once_and_read_models_agree():
    short = settings(max_examples=15, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(StoreMachine, settings=short)


async def test_a_replay_of_everything_while_services_run_calls_nobody():
    world = World()
    for queues, raw in POOL:
        world.deliver(queues, raw)
    await world.settle()
    before, published = dict(world.sent.runs), world.published
    for queues, raw in POOL:
        world.deliver(queues, raw)
        model = indices.FIXED_READ_MODELS[len(raw) % len(indices.FIXED_READ_MODELS)]
        await Rebuild(world.store.backend, model, owner="operator", clock=world.clock).run()
    await Sweep(world.store.backend, world.store.read_models, world.clock).turn()
    await world.settle()
    assert all(not each.differences for each in await verify(world.store.backend, None, clock=world.clock))
    assert before
    assert (dict(world.sent.runs), world.published) == (before, published)
