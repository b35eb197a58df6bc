"""The orchestrator, except that it dies after the decision record, or after the claim."""

import os
import sys

from dwh_eventstore import StoreSettings, open_store
from dwh_orchestrator.app import build
from dwh_orchestrator.settings import SERVICE, Settings
from dwh_runtime.aws import AwsClients
from dwh_runtime.service import Service, run

LEASE_SECONDS = 2.0


async def dying(settings: Settings) -> Service:
    store = await open_store(StoreSettings(**settings.store_options(), service=SERVICE))
    aws = await AwsClients(settings.aws_region).__aenter__()
    if os.environ["DIE_AFTER"] == "record":
        recorded = store.record

        async def record(events, origin=None):
            appended = await recorded(events, origin)
            if events[0].event_type == "decision_recorded":
                os._exit(137)
            return appended

        store.record = record
    else:

        async def send(*_args, **_more):
            os._exit(137)

        aws.queues.send = send
    return await build(settings, store=store, aws=aws, lease_seconds=LEASE_SECONDS)


if __name__ == "__main__":
    sys.exit(run(dying, Settings, name=SERVICE))
