"""The approvals service, except that it dies where it would publish: the claim is there, the rest is not."""

import os
import sys
from collections.abc import Mapping

from dwh_approvals.app import build
from dwh_approvals.settings import SERVICE, Settings
from dwh_runtime.aws import AwsClients
from dwh_runtime.service import Service, run


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


async def dying_build(settings: Settings) -> Service:
    aws = await AwsClients(settings.aws_region).__aenter__()
    aws.topics = DyingTopics()
    return await build(settings, aws=aws)


if __name__ == "__main__":
    sys.exit(run(dying_build, Settings, name=SERVICE))
