"""The console: pages, forms without scripts, and text that stays text."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from dwh_contracts.testing import a_job_event
from dwh_eventstore import StoreUnavailable

PAGE = "/runs/transform_images/run-1"
ORIGIN = {"Origin": "http://127.0.0.1:8080"}
REASON = "the dropped rows are replayed tonight"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "<svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "javascript:alert(1)//",
    "\u202egnp.exe\u2066",
    "' onmouseover='alert(1)",
]


def fields(page, action):
    """The hidden fields of the form that posts there."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form is not None, f"no form for {action}"
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form.group())
    return {name: unescape(value) for name, value in hidden}


async def submit(line, user="ann", *, path=f"{PAGE}/decision", headers=ORIGIN, page_of=None, **over):
    page = (await line.get(PAGE, user=page_of or user)).text
    sent = fields(page, f"{PAGE}/decision") | {"decision": "APPROVED", "reason": REASON} | over
    async with line.client(user, **headers) as client:
        return await client.post(
            path, data={name: value for name, value in sent.items() if value is not None}
        )


KNOWN_TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "a",
    "header",
    "nav",
    "form",
    "input",
    "label",
    "button",
    "main",
    "h1",
    "h2",
    "h3",
    "p",
    "div",
    "span",
    "section",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "dl",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "strong",
    "blockquote",
    "textarea",
    "footer",
    "br",
}
KNOWN_ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "class",
    "aria-label",
    "aria-labelledby",
    "id",
    "tabindex",
    "method",
    "action",
    "type",
    "value",
    "for",
    "autocomplete",
    "required",
    "maxlength",
    "minlength",
    "rows",
    "scope",
}


class Seen(HTMLParser):
    """What a browser makes of a page: elements, attributes, addresses, text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.addresses, self.text = set(), set(), [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in {"href", "action"}]

    def handle_data(self, data):
        self.text += data


async def test_a_person_sees_the_run_and_approves_by_a_form(line):
    await line.run()
    async with line.client("ann") as client:
        start = await client.get("/")
        assert (start.status_code, start.headers["location"]) == (303, "/approvals")
        listed = (await client.get("/approvals")).text
    assert f'href="{PAGE}"' in listed
    page = (await line.get(PAGE)).text
    for text in ("drop_rate", "120,000", "13,800", "11.5 %", "airflow", "SHA-256"):
        assert text in page, text

    answer = await submit(line)
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    [message] = line.published
    assert (message["channel"], message["decided_by"]) == ("console", "ann")
    after = (await line.get(PAGE)).text
    assert REASON in after
    assert "<textarea" not in after
    assert f'href="{PAGE}"' in (await line.get("/approvals?show=decided")).text
    assert "Nothing waits for a decision" in (await line.get("/approvals")).text


async def test_a_run_id_with_every_allowed_character_has_its_page_and_form(line):
    run = "manual__2026-11-23T08:00:00+00:00?a=%20&b=#c;'\""
    await line.run(job_run_id=run)
    [path] = re.findall(r'href="(/runs/transform_images/[^"]+)"', (await line.get("/approvals")).text)
    page = await line.get(unescape(path))
    action = f"{unescape(path)}/decision"
    [shown] = re.findall(r'action="(/runs/[^"]+)"', page.text)
    assert unescape(shown) == action
    assert (await line.get(fields(page.text, "/session")["next"])).status_code == 200
    sent = fields(page.text, shown) | {"decision": "REJECTED", "reason": REASON}
    async with line.client("ann", **ORIGIN) as client:
        answer = await client.post(action, data=sent)
    assert answer.status_code == 303, answer.text
    assert line.published[0]["job_run_id"] == run


async def test_a_browser_chooses_its_user_and_keeps_it_in_a_cookie(line):
    await line.run()
    async with line.client() as client:
        asked = await client.get(PAGE)
        assert asked.status_code == 401
        sent = fields(asked.text, "/session") | {"user": "ann"}
        answer = await client.post("/session", data=sent, headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get(PAGE)).status_code == 200
        for onward in ("https://evil.example", "//evil.example", "/\\evil.example"):
            page = await client.get("/approvals")
            sent = fields(page.text, "/session") | {"user": "bob", "next": onward}
            moved = await client.post("/session", data=sent, headers=ORIGIN)
            assert moved.headers["location"] == "/approvals"
        page = await client.get("/approvals")
        bad = await client.post(
            "/session", data=fields(page.text, "/session") | {"user": "system:expiry"}, headers=ORIGIN
        )
        assert bad.status_code == 401


FORGED = {
    "no token": ({"csrf": None}, ORIGIN, 403),
    "an empty token": ({"csrf": ""}, ORIGIN, 403),
    "a made up token": ({"csrf": "WyJsb2NhbDphbm4iXQ.x.y"}, ORIGIN, 403),
    "another person's token": ({"page_of": "bob"}, ORIGIN, 403),
    "no origin": ({}, {}, 403),
    "a foreign origin": ({}, {"Origin": "https://evil.example"}, 403),
    "an origin of null": ({}, {"Origin": "null"}, 403),
    "a host that only begins like ours": ({}, {"Origin": "http://127.0.0.1.evil.example"}, 403),
    "another site": ({}, {**ORIGIN, "Sec-Fetch-Site": "cross-site"}, 403),
    "a neighbouring site": ({}, {**ORIGIN, "Sec-Fetch-Site": "same-site"}, 403),
    "plain text": ({}, {**ORIGIN, "Content-Type": "text/plain"}, 415),
    "a file upload": ({}, {**ORIGIN, "Content-Type": "multipart/form-data; boundary=x"}, 415),
}


@pytest.mark.parametrize(("over", "headers", "status"), FORGED.values(), ids=FORGED.keys())
async def test_a_forged_form_decides_nothing(line, over, headers, status):
    await line.run()
    answer = await submit(line, headers=headers, **over)
    assert answer.status_code == status
    assert line.published == []
    assert (await line.document())["approval_status"] == "PENDING"


async def test_a_token_is_for_one_path_and_two_hours(line):
    await line.run()
    page = (await line.get(PAGE)).text
    other = fields(page, "/session")["csrf"]
    assert (await submit(line, csrf=other)).status_code == 403
    mine = fields(page, f"{PAGE}/decision")["csrf"]
    line.clock.advance(2 * 3600 + 1)
    assert (await submit(line, csrf=mine)).status_code == 403
    assert (await submit(line)).status_code == 303


@pytest.mark.parametrize("user", ["viewer-1", "airflow"])
async def test_who_may_not_decide_gets_the_reason_and_no_form(line, user):
    await line.run()
    page = (await line.get(PAGE, user=user)).text
    assert "<textarea" not in page
    assert ("dwh-approvers" if user == "viewer-1" else "started this run") in page


@pytest.mark.parametrize(
    ("over", "status", "text"),
    [
        ({"reason": "short"}, 422, "10 to 2,000"),
        ({"decision": ""}, 422, "approve or reject"),
        ({"artifacts_manifest_sha256": "b" * 64}, 409, "differ"),
    ],
)
async def test_what_went_wrong_is_said_on_the_page_and_the_typed_reason_kept(line, over, status, text):
    await line.run()
    answer = await submit(line, **({"reason": "<b>my own words</b>"} | over))
    assert answer.status_code == status
    assert text in answer.text
    assert "<textarea" in answer.text
    kept = over.get("reason", "&lt;b&gt;my own words&lt;/b&gt;")
    assert f"required>{kept}</textarea>" in answer.text


async def test_who_was_second_reads_who_was_first(line):
    await line.run()
    page = (await line.get(PAGE, user="bob")).text
    await line.decide("ann", "REJECTED")
    sent = fields(page, f"{PAGE}/decision") | {"decision": "APPROVED", "reason": REASON}
    async with line.client("bob", **ORIGIN) as client:
        answer = await client.post(f"{PAGE}/decision", data=sent)
    assert answer.status_code == 409
    assert "REJECTED by ann was final before" in answer.text
    assert "CONFLICT" in answer.text


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_shown_as_text_on_every_page(line, text):
    base = a_job_event(quality_status="RED")
    check = {"name": text, "status": "RED", "value": 1, "threshold": 0, "message": text}
    await line.run(
        quality={"status": "RED", "evaluated": True, "checks": [check]},
        metrics=base["metrics"] | {"created_by": text, "drop_reasons": [{"reason": text, "count": 1}]},
        artifacts=[base["artifacts"][0] | {"name": text, "path": text}],
        artifacts_manifest=base["artifacts_manifest"] | {"uri": text},
        error={"type": text, "phase": text, "message": text, "stack_trace": text},
    )
    await line.decide("viewer", reason=f"{text} {REASON}")
    for path in ("/approvals", PAGE):
        seen = Seen((await line.get(path)).text)
        assert text in seen.text
        assert seen.tags <= KNOWN_TAGS
        assert seen.attributes <= KNOWN_ATTRIBUTES
        assert all(address.startswith(("/", "#")) for address in seen.addresses)


async def test_pages_hold_no_inline_script_style_or_handler(line):
    await line.run()
    for path in ("/approvals", PAGE, "/nothing"):
        page = (await line.get(path)).text
        assert "<script" not in page
        assert "<style" not in page
        assert not re.search(r"\s(style|on\w+)=", page)
        assert page.count("<h1") == 1


async def test_the_stylesheet_is_immutable_under_the_name_of_its_content(line):
    [path] = re.findall(r'href="(/static/app\.[0-9a-f]{16}\.css)"', (await line.get("/approvals")).text)
    answer = await line.get(path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert (await line.get("/static/app.css")).status_code == 404


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def test_colours_keep_their_contrast_in_light_and_dark(line):
    [path] = re.findall(r'href="(/static/[^"]+)"', (await line.get("/approvals")).text)
    css = (await line.get(path)).text
    modes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(modes) == 2
    for mode in modes:
        for name in ("text", "muted", "link", "green", "yellow", "red", "control"):
            for ground in ("ground", "raised"):
                light, dark = sorted((luminance(mode[name]), luminance(mode[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= (3 if name == "control" else 4.5), (name, ground)


async def test_a_store_that_is_away_is_a_page_with_a_way_back(line, monkeypatch):
    await line.run()

    async def away(*_, **__):
        raise StoreUnavailable("http://127.0.0.1:9201 does not answer")

    monkeypatch.setattr(line.store.read_models, "get", away)
    answer = await line.get(PAGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert f'href="{PAGE}"' in answer.text
