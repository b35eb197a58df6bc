from copy import deepcopy

from dwh_eventstore import indices, memory_store
from dwh_eventstore.definitions import read_model_definition
from dwh_eventstore.fold_versions import outdated
from dwh_eventstore.replay import Rebuild
from dwh_eventstore.testing import HastyClock, RunFacts
from dwh_eventstore.testing.events import START


async def test_a_release_of_other_folds_makes_every_read_model_anew_in_the_order_it_is_given():
    store = memory_store(clock=HastyClock(START))
    run = RunFacts()
    decision = run.decision()
    await store.record([run.completed("RED"), decision, run.accepted(decision), run.trigger("requested")])
    job = indices.job_read_model(run.job_name)
    for model in (*indices.FIXED_READ_MODELS, job):
        definition = deepcopy(read_model_definition(model, 0))
        definition["mappings"]["_meta"] = {"fold_version": 1}
        await store.backend.drop_index(indices.physical(model))
        await store.backend.create_index(indices.physical(model), definition)
    found = [each.model for each in await outdated(store.backend)]
    assert (found[0], found[-1], len(found)) == ("job-events", job, 6)
    for model in found:
        rebuilt = await Rebuild(store.backend, model, owner="a", clock=store.clock).run()
        assert (model, rebuilt.differences) == (model, ())
    assert await outdated(store.backend) == []
    await store.ready()
