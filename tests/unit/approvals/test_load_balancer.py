"""Behind a load balancer that signs people in: their token comes in its header, judged like any other."""

import pytest
from bad_tokens import BAD_TOKENS, later
from issuer import an_issuer, bearer, mode

ME = "/api/v1/me"
HEADER = "x-amzn-oidc-accesstoken"


@pytest.fixture
def issuer():
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
async def behind(a_line, issuer):
    line = await a_line(mode=mode(issuer, oidc_token_header=HEADER))
    yield line
    await line.close()


async def test_the_token_that_is_handed_on_says_who_somebody_is(behind, issuer):
    answer = await behind.get(ME, user=None, **{HEADER: issuer.token(behind.clock.now())})
    assert (answer.status_code, answer.json()["name"]) == (200, "ann@example.com")


async def test_where_the_settings_do_not_name_the_header_a_good_token_in_it_is_nobody(a_line, issuer):
    line = await a_line(mode=mode(issuer))
    answer = await line.get(ME, user=None, **{HEADER: issuer.token(line.clock.now())})
    await line.close()
    assert answer.status_code == 401


async def test_a_bad_token_is_nobody_here_too(behind, issuer):
    now = behind.clock.now()
    async with behind.client() as client:
        answers = [await client.get(ME, headers={HEADER: make(issuer, now)}) for _, make in BAD_TOKENS]
    assert {answer.status_code for answer in answers} == {401}


async def test_a_caller_s_own_token_counts_before_the_one_handed_on(behind, issuer):
    now = behind.clock.now()
    good = {HEADER: issuer.token(now)}
    for own in (bearer(issuer.token(now, exp=later(now, -60))), {"Authorization": "Basic YW5uOmFubg=="}):
        assert (await behind.get(ME, user=None, **good, **own)).status_code == 401
    answer = await behind.get(ME, user=None, **good, **bearer(issuer.token(now, email="tom@example.com")))
    assert answer.json()["name"] == "tom@example.com"


async def test_what_the_load_balancer_says_itself_and_two_tokens_are_no_identity(behind, issuer):
    token = issuer.token(behind.clock.now())
    for headers in ({"x-amzn-oidc-data": token}, {"x-amzn-oidc-identity": "ann"}):
        assert (await behind.get(ME, user=None, **headers)).status_code == 401
    async with behind.client() as client:
        answer = await client.get(ME, headers=[(HEADER, token)] * 2)
    assert answer.status_code == 401
