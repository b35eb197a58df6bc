"""The indexer, except that it dies after the append and before the fold."""

import os
import sys
from collections.abc import Sequence

from dwh_contracts.parse import Event
from dwh_indexer.app import build
from dwh_indexer.settings import SERVICE, Settings
from dwh_runtime.service import Service, run


class Dying:
    async def fold(self, events: Sequence[Event]) -> None:
        os._exit(137)


async def dying(settings: Settings) -> Service:
    return await build(settings, read_models=Dying())


if __name__ == "__main__":
    sys.exit(run(dying, Settings, name=SERVICE))
