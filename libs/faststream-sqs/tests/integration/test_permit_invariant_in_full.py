import pytest
from permit_chaos import OPTIONS, check_invariant

pytestmark = [pytest.mark.integration, pytest.mark.prove, pytest.mark.timeout(1800)]

MESSAGES = 1_000_000


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_permits_balance_over_a_million_outcomes(options):
    await check_invariant(options, MESSAGES // len(OPTIONS), seconds=1700)
