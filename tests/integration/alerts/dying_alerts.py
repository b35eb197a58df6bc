"""The alerts service, except that it dies where `DIES_AFTER` says: the incident head, or the claim."""

import os
import sys
from collections.abc import Mapping, Sequence

from dwh_alerts.app import build
from dwh_alerts.settings import SERVICE, Settings
from dwh_contracts.parse import Event
from dwh_runtime.aws import AwsClients
from dwh_runtime.service import Service, run

DIES_AFTER = os.environ.pop("DIES_AFTER")
LEASE_SECONDS = 2.0


async def dying_record(events: Sequence[Event]) -> None:
    os._exit(137)


class DyingTopics:
    async def publish(
        self,
        topic_arn: str,
        body: bytes,
        attributes: Mapping[str, str],
        subject: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        os._exit(137)


async def dying(settings: Settings) -> Service:
    if DIES_AFTER == "head":
        return await build(settings, record=dying_record)
    aws = await AwsClients(settings.aws_region).__aenter__()
    aws.topics = DyingTopics()
    return await build(settings, aws=aws, lease_seconds=LEASE_SECONDS)


if __name__ == "__main__":
    sys.exit(run(dying, Settings, name=SERVICE))
