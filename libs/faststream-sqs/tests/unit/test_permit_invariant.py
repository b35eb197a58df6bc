import pytest
from permit_chaos import OPTIONS, check_invariant

MESSAGES = 4_000


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_permits_out_are_messages_held_or_asked_for_and_all_come_back(options):
    await check_invariant(options, MESSAGES, seconds=60)
