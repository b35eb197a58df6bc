"""Mode `oidc`: only a token that the issuer signed, for us and for now, says who somebody is."""

import asyncio
import re
from html import unescape

import pytest
from bad_tokens import BAD_TOKENS, later
from dwh_approvals.issuer import verifying_keys
from dwh_contracts.testing import a_job_event
from issuer import AUDIENCE, DISCOVERY, JWKS, ORIGIN, an_issuer, bearer, ec_key, jwk_of, mode, rsa_key
from prometheus_client import REGISTRY

ME = "/api/v1/me"
PAGE = "/runs/transform_images/run-1"


@pytest.fixture
def issuer():
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
async def oidc(a_line, issuer):
    """A replica that knows people by their tokens."""
    line = await a_line(mode=mode(issuer))
    yield line
    await line.close()


async def me(line, token):
    return await line.get(ME, user=None, **bearer(token))


def reason_counts():
    return {
        sample.labels["reason"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "dwh_auth_failures_total" and sample.labels["service"] == "approvals"
    }


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
async def test_a_good_token_says_who_somebody_is(oidc, issuer, alg):
    token = issuer.token(oidc.clock.now(), alg=alg, kid="ec-1" if alg == "ES256" else "rsa-1")
    answer = await me(oidc, token)
    assert answer.json() == {
        "principal": f"oidc:{issuer.url}#subject-1",
        "name": "ann@example.com",
        "groups": ["dwh-approvers"],
        "roles": ["reader", "approver"],
    }


async def test_a_decision_is_recorded_under_the_verified_identity(oidc, issuer):
    await oidc.run()
    answer = await oidc.decide(None, headers=bearer(issuer.token(oidc.clock.now())))
    assert answer.status_code == 201, answer.text
    event = answer.json()
    assert (event["decided_by"], event["decided_by_verified"]) == ("ann@example.com", True)
    assert event["principal"] == f"oidc:{issuer.url}#subject-1"


@pytest.mark.parametrize(("reason", "make"), BAD_TOKENS)
async def test_a_bad_token_is_nobody_and_counted_by_its_reason(oidc, issuer, reason, make):
    before = reason_counts()
    answer = await me(oidc, make(issuer, oidc.clock.now()))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    grown = {name: value - before.get(name, 0) for name, value in reason_counts().items()}
    assert {name: value for name, value in grown.items() if value} == {reason: 1}


@pytest.mark.parametrize(
    "over",
    [
        {"aud": ["another", AUDIENCE]},
        {"exp": -29},
        {"nbf": 30},
        {"iat": 30},
        {"exp": 0.5},
    ],
)
async def test_clocks_may_differ_by_30_seconds_and_others_may_be_meant_too(oidc, issuer, over):
    now = oidc.clock.now()
    times = {name: later(now, value) if name != "aud" else value for name, value in over.items()}
    assert (await me(oidc, issuer.token(now, **times))).status_code == 200


async def test_no_other_header_or_cookie_is_an_identity(oidc):
    for headers in (
        {},
        {"X-Local-User": "ann"},
        {"Cookie": "dwh_local_user=ann"},
        {
            "x-amzn-oidc-identity": "ann",
            "x-amzn-oidc-data": "e30.e30.",
            "x-amzn-oidc-accesstoken": "e30.e30.",
        },
        {"X-Forwarded-User": "ann", "X-Forwarded-Email": "ann@example.com", "Remote-User": "ann"},
        {"Authorization": "Basic YW5uOmFubg=="},
        {"Authorization": "Bearer"},
    ):
        answer = await oidc.get(ME, user=None, **headers)
        assert answer.status_code == 401, headers


async def test_the_description_tells_programs_to_bring_a_bearer_token(oidc):
    document = (await oidc.get("/openapi.json", user=None)).json()
    assert set(document["components"]["securitySchemes"]) == {"oidc"}
    scheme = document["components"]["securitySchemes"]["oidc"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    calls = [call for methods in document["paths"].values() for call in methods.values()]
    assert [call["security"] for call in calls] == [[{"oidc": []}]] * len(calls)


async def test_two_tokens_in_one_request_are_none(oidc, issuer):
    token = issuer.token(oidc.clock.now())
    async with oidc.client() as client:
        answer = await client.get(ME, headers=[("Authorization", f"Bearer {token}")] * 2)
    assert answer.status_code == 401


async def test_every_operation_refuses_every_bad_caller(oidc, issuer):
    await oidc.run()
    now = oidc.clock.now()
    document = (await oidc.get("/openapi.json", user=None)).json()
    callers = [{}, {"X-Local-User": "ann"}, *(bearer(make(issuer, now)) for _, make in BAD_TOKENS)]
    operations = [
        (method, path.format(job_name="transform_images", job_run_id="run-1"))
        for path, methods in document["paths"].items()
        for method in methods
    ]
    assert len(operations) >= 8
    async with oidc.client() as client:
        answers = [
            await client.request(method, path, headers=caller, json={} if method == "post" else None)
            for method, path in operations
            for caller in callers
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert oidc.published == []


async def test_keys_are_asked_for_once_in_five_minutes_and_by_all_together(oidc, issuer):
    token = issuer.token(oidc.clock.now(), exp=later(oidc.clock.now(), 3600))
    answers = await asyncio.gather(*(me(oidc, token) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    oidc.clock.advance(299)
    await me(oidc, token)
    assert issuer.asked == [DISCOVERY, JWKS]
    oidc.clock.advance(1)
    await me(oidc, token)
    assert issuer.fetches == 2


async def test_a_key_taken_back_counts_for_five_minutes_at_most(oidc, issuer):
    token = issuer.token(oidc.clock.now(), exp=later(oidc.clock.now(), 3600))
    assert (await me(oidc, token)).status_code == 200
    issuer.offers(("ec-1", ec_key("ec-1")))
    oidc.clock.advance(300)
    assert (await me(oidc, token)).status_code == 401


async def test_a_new_key_counts_at_once(oidc, issuer):
    now = oidc.clock.now()
    assert (await me(oidc, issuer.token(now))).status_code == 200
    issuer.offers(("rsa-2", rsa_key("rsa-2")))
    rotated = [me(oidc, issuer.token(now, key=rsa_key("rsa-2"), kid="rsa-2")) for _ in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*rotated)} == {200}
    assert issuer.fetches == 2


async def test_unknown_keys_ask_again_once_a_minute_whoever_sends_them(oidc, issuer):
    def token(kid):
        return issuer.token(oidc.clock.now(), kid=kid)

    await me(oidc, token("rsa-1"))
    for number in range(20):
        assert (await me(oidc, token(f"unknown-{number}"))).status_code == 401
    assert issuer.fetches == 2
    oidc.clock.advance(60)
    for number in range(20):
        await me(oidc, token(f"unknown-{number}"))
    assert issuer.fetches == 3


async def test_a_provider_that_is_away_leaves_its_last_good_keys_for_24_hours(oidc, issuer):
    async def status():
        return (await me(oidc, issuer.token(oidc.clock.now()))).status_code

    assert await status() == 200
    issuer.status = 500
    for hours in (1, 10, 12):
        oidc.clock.advance(hours * 3600)
        assert await status() == 200
    asked = len(issuer.asked)
    for _ in range(10):
        await status()
    assert len(issuer.asked) == asked  # at most one attempt a minute meanwhile
    oidc.clock.advance(3600)
    answer = await me(oidc, issuer.token(oidc.clock.now()))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/identity-unavailable")
    assert "retry-after" in answer.headers
    issuer.status = 200
    oidc.clock.advance(5)
    assert await status() == 200


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://other.example.com"},
        {"jwks_uri": "http://keys.example.com/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
async def test_what_a_discovery_must_not_say_gives_no_keys(oidc, issuer, told):
    issuer.discovery = told
    assert (await me(oidc, issuer.token(oidc.clock.now()))).status_code == 503
    assert issuer.fetches == 0


async def test_keys_are_not_taken_from_where_a_provider_redirects_to(oidc, issuer):
    issuer.status = 302
    assert (await me(oidc, issuer.token(oidc.clock.now()))).status_code == 503


def test_keys_for_other_purposes_or_too_weak_verify_nothing():
    key = rsa_key("rsa-1")
    left_out = [
        jwk_of("encryption", key, use="enc"),
        jwk_of("wrapping", key, key_ops=["wrapKey"]),
        jwk_of("other-algorithm", key, alg="RS512"),
        jwk_of("weak", rsa_key("weak", 1024)),
        jwk_of("broken", key, n="!"),
        {"kid": "secret", "kty": "oct", "k": "c2VjcmV0"},
        {**jwk_of("x", ec_key("ec-1")), "kid": "other-curve", "crv": "P-384"},
        {**jwk_of("x", key), "kid": None},
        *(
            jwk_of("odd", key, **{name: odd})
            for name in ("kty", "alg", "use", "key_ops", "n")
            for odd in (7, [], {})
        ),
        {},
        "nonsense",
    ]
    kept = [jwk_of("any", key), jwk_of("one", key, alg="PS256"), jwk_of("ec", ec_key("ec-1"), alg="ES256")]
    found = verifying_keys({"keys": left_out + kept})
    assert {kid: sorted(key.algorithms) for kid, key in found.items()} == {
        "any": ["PS256", "RS256"],
        "one": ["PS256"],
        "ec": ["ES256"],
    }
    assert verifying_keys({"keys": None}) == verifying_keys({}) == {}


@pytest.mark.parametrize(
    ("claim", "over", "groups"),
    [
        ("groups", {"groups": ["a", "dwh-operators"]}, ["a", "dwh-operators"]),
        ("groups", {"groups": "dwh-approvers"}, ["dwh-approvers"]),
        ("groups", {"groups": {"dwh-approvers": True}}, []),
        ("groups", {"groups": [1, None, ["dwh-approvers"]]}, []),
        ("groups", {"groups": None}, []),
        ("https://example.com/roles", {"https://example.com/roles": ["a"], "groups": ["b"]}, ["a"]),
    ],
)
async def test_groups_come_from_the_claim_of_the_settings_alone(a_line, issuer, claim, over, groups):
    line = await a_line(mode=mode(issuer, oidc_groups_claim=claim))
    answer = (await me(line, issuer.token(line.clock.now(), **over))).json()
    assert answer["groups"] == groups
    assert ("approver" in answer["roles"]) == ("dwh-approvers" in groups)
    assert ("operator" in answer["roles"]) == ("dwh-operators" in groups)
    await line.close()


@pytest.mark.parametrize(
    ("over", "name"),
    [
        ({}, "ann@example.com"),
        ({"email_verified": "true"}, "ann@example.com"),
        ({"email_verified": False}, "subject-1"),
        ({"email_verified": None}, "subject-1"),
        ({"email": None}, "subject-1"),
        ({"email": "a\u202eb@example.com"}, "subject-1"),
        ({"email": ["ann@example.com"]}, "subject-1"),
    ],
)
async def test_a_person_is_called_by_a_verified_e_mail_else_by_the_subject(oidc, issuer, over, name):
    assert (await me(oidc, issuer.token(oidc.clock.now(), **over))).json()["name"] == name


@pytest.mark.parametrize(
    ("approvers", "over", "status"),
    [
        (["group:dwh-approvers"], {}, 201),
        (["group:dwh-approvers"], {"groups": []}, 403),
        (["group:dwh-approvers"], {"groups": ["DWH-APPROVERS"]}, 403),
        (["group:stewards"], {}, 403),
        (["group:stewards"], {"groups": ["stewards"]}, 201),
        (["user:Ann@Example.com"], {"groups": []}, 201),
        (["user:ann@example.com"], {"groups": [], "email_verified": False}, 403),
        (["user:subject-1"], {"groups": [], "email_verified": False}, 201),
    ],
)
async def test_the_policy_names_groups_of_the_token_and_verified_names(
    a_line, issuer, approvers, over, status
):
    line = await a_line(mode=mode(issuer), approvers=approvers)
    await line.run()
    answer = await line.decide(None, headers=bearer(issuer.token(line.clock.now(), **over)))
    assert answer.status_code == status, answer.text
    await line.close()


@pytest.mark.parametrize(
    ("requester", "over", "status"),
    [
        ("ANN@example.com", {}, 403),
        ("ann@example.com", {"email_verified": False}, 403),
        ("Subject-1", {}, 403),
        ("Ann", {}, 403),
        ("bob", {}, 201),
    ],
)
async def test_the_requester_is_known_by_every_name_of_the_token(oidc, issuer, requester, over, status):
    metrics = a_job_event(quality_status="RED", job_run_id="run-1")["metrics"] | {"created_by": requester}
    await oidc.run(metrics=metrics)
    answer = await oidc.decide(None, headers=bearer(issuer.token(oidc.clock.now(), **over)))
    assert answer.status_code == status, answer.text


async def test_the_console_shows_who_is_signed_in_and_lets_nobody_choose(oidc, issuer):
    await oidc.run()
    signed_in = bearer(issuer.token(oidc.clock.now()))
    page = (await oidc.get(PAGE, user=None, **signed_in)).text
    assert "ann@example.com" in page
    assert "/session" not in page
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    form = {name: unescape(value) for name, value in hidden.items()}
    form |= {"decision": "APPROVED", "reason": "the dropped rows are replayed tonight"}
    async with oidc.client(Origin=ORIGIN) as client:
        chosen = await client.post("/session", data={"user": "ann", "csrf": form["csrf"]})
        stolen = await client.post(f"{PAGE}/decision", data=form, headers=other(issuer, oidc))
        decided = await client.post(f"{PAGE}/decision", data=form, headers=signed_in)
    assert (chosen.status_code, stolen.status_code, decided.status_code) == (404, 403, 303)
    assert [message["decided_by"] for message in oidc.published] == ["ann@example.com"]


def other(issuer, line):
    return bearer(issuer.token(line.clock.now(), sub="subject-2", email="bob@example.com"))


async def test_a_signed_out_page_says_how_to_go_on(oidc):
    answer = await oidc.get("/approvals", user=None)
    assert answer.status_code == 401
    assert "your organisation signs you in" in answer.text
