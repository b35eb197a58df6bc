"""Each service's user on a node with users and TLS: what the printed roles let it do, and what not."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from dwh_contracts.clock import ManualClock
from dwh_eventstore import StoreDenied, StoreSettings, StoreUnavailable, bootstrap, open_store
from dwh_eventstore.audit import Sealer, audit
from dwh_eventstore.replay import Sweep
from dwh_eventstore.testing import RunFacts
from dwh_eventstore.testing.audit_suite import KEY
from dwh_eventstore.testing.events import START
from dwh_local import opensearch, secured
from dwh_local.paths import checkout
from dwh_local.testing import free_port

pytestmark = [pytest.mark.integration, pytest.mark.prove]
SERVICES = ("indexer", "alerts", "orchestrator", "approvals")
USERS = (*SERVICES, "selftest")
PASSWORD = "a-long-Passphrase-of-4-tests!"
JOB, APPROVAL, EFFECT = (f"events-{family}-v1-2026-11" for family in ("job", "approval", "effect"))
ROLES = "/_plugins/_security/api"


@dataclass(frozen=True)
class Secured:
    """A bootstrapped store in which each user has its role."""

    node: secured.SecuredNode
    clients: dict[str, httpx.Client]

    def answers(self, method: str, path: str, body: Any = None) -> dict[str, int]:
        """What each user is told."""
        text = json.dumps(body)
        answers = {
            name: client.request(
                method,
                path.replace("{user}", name),
                content=None if body is None else text.replace("{user}", name),
                headers={"content-type": "application/json"},
            )
            for name, client in self.clients.items()
        }
        return {name: answer.status_code for name, answer in answers.items()}

    def settings(self, user: str) -> StoreSettings:
        return StoreSettings(
            self.node.url, environment="local", service=user, auth="basic", user=user, password=PASSWORD
        )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[secured.SecuredNode]:
    port = free_port(opensearch.LOWEST_PORT, opensearch.HIGHEST_PORT - 1, skip=3)
    folder = tmp_path_factory.mktemp("secured")
    running = secured.start(secured.install(), folder, port, {"path.repo": str(folder / "snapshots")})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def trusting(node: secured.SecuredNode) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(node.authority))
        yield


@pytest.fixture(scope="module")
def users(
    node: secured.SecuredNode, trusting: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    arns = {name: f"arn:aws:iam::000000000000:role/dwh-local-{name}" for name in USERS}
    with node.as_admin() as admin:
        for path in printed(arns, tmp_path_factory.mktemp("roles")):
            put(admin, f"{path.parent.name}/{path.stem}", json.loads(path.read_text()))
        for name, arn in arns.items():
            put(admin, f"internalusers/{name}", {"password": PASSWORD, "backend_roles": [arn]})
        put(admin, "internalusers/bootstrap", {"password": PASSWORD})
        put(admin, "rolesmapping/all_access", {"users": ["bootstrap"]})
    made = Secured(node, {name: node.as_user(name, PASSWORD) for name in USERS})
    asyncio.run(bootstrap(made.settings("bootstrap"), clock=ManualClock(START)))
    with node.as_user("bootstrap", PASSWORD) as master:
        for path, body in (
            ("kept", {"type": "fs", "settings": {"location": "kept"}}),
            ("kept/one?wait_for_completion=true", {"indices": "events-*", "include_global_state": False}),
        ):
            assert master.put(f"/_snapshot/{path}", json=body).status_code == 200
    yield made
    for client in made.clients.values():
        client.close()


def printed(arns: dict[str, str], folder: Path) -> list[Path]:
    """What `scripts/store_roles.py` writes."""
    script = checkout().root / "scripts" / "store_roles.py"
    outputs = json.dumps({"helm": {"value": {"role_arns": arns}}})
    subprocess.run([sys.executable, str(script), str(folder)], input=outputs, text=True, check=True)
    return sorted(folder.rglob("*.json"))


def put(admin: httpx.Client, path: str, body: Any) -> None:
    answer = admin.put(f"{ROLES}/{path}", json=body)
    assert answer.status_code in {200, 201}, answer.text


WRITES = [
    (f"/{JOB}/_create", {"indexer"}),
    (f"/{APPROVAL}/_create", {"approvals"}),
    (f"/{EFFECT}/_create", set(SERVICES)),
    ("/events-late-v1/_create", set(SERVICES)),
    ("/events-quarantine-v1/_create", set(SERVICES)),
    ("/events-quarantine-v1/_doc", set(SERVICES)),
    ("/effects-v1/_doc", set(SERVICES)),
    ("/decisions-v1/_doc", {"approvals"}),
    ("/rm-job-events-v0001/_doc", set(SERVICES)),
    ("/projection-checkpoints/_doc", {"indexer"}),
    ("/projection-registry/_doc", set()),
    ("/event-digests-v1/_create", {"indexer"}),
]


@pytest.mark.parametrize(("path", "may"), WRITES, ids=[path for path, _ in WRITES])
def test_a_document_is_written_by_whom_the_index_belongs_to(users, path, may):
    is_log = path.endswith("_create") and path.startswith("/events-") and "quarantine" not in path
    body = {"body": RunFacts("with_roles", "run-of-{user}").completed().body} if is_log else {}
    answers = users.answers("PUT", f"{path}/{'of' if is_log else path.rpartition('_')[2]}-{{user}}", body)
    assert answers == {name: 201 if name in may else 403 for name in USERS}


@pytest.mark.parametrize("index", [JOB, APPROVAL, EFFECT, "effects-v1", "rm-job-events-v0001", "job-events"])
def test_everybody_reads(users, index):
    for method, path in (("POST", "_search"), ("POST", "_mget"), ("GET", "_count")):
        body = {"ids": ["a"]} if path == "_mget" else {}
        assert set(users.answers(method, f"/{index}/{path}", body).values()) == {200}, path


NOBODY = [
    ("DELETE", f"/{JOB}", None),
    ("DELETE", "/events-*", None),
    ("DELETE", "/rm-job-events-v0001", None),
    ("DELETE", f"/{JOB}/_doc/of-indexer", None),
    ("POST", f"/{EFFECT}/_update/of-{{user}}", {"doc": {"n": 1}}),
    ("POST", f"/{EFFECT}/_update/new-{{user}}", {"doc": {"n": 1}, "doc_as_upsert": True}),
    ("POST", f"/{EFFECT}/_update_by_query", {}),
    ("POST", f"/{EFFECT}/_delete_by_query", {"query": {"match_all": {}}}),
    ("POST", "/_reindex", {"source": {"index": EFFECT}, "dest": {"index": JOB}}),
    ("PUT", f"/{JOB}/_settings", {"index.number_of_replicas": 0}),
    ("PUT", f"/{JOB}/_settings", {"index.default_pipeline": "rewrite"}),
    ("PUT", f"/{EFFECT}/_mapping", {"properties": {"more": {"type": "keyword"}}}),
    ("PUT", "/_ingest/pipeline/rewrite", {"processors": []}),
    ("PUT", "/_index_template/ours", {"index_patterns": ["events-*"]}),
    ("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}}),
    ("PUT", f"/{JOB}/_block/write", None),
    ("POST", f"/{JOB}/_close", None),
    ("POST", f"/{JOB}/_clone/events-copy", {"settings": {"index.append_only.enabled": False}}),
    ("POST", f"/{JOB}/_split/events-copy", {"settings": {"index.number_of_shards": 2}}),
    ("POST", f"/{JOB}/_shrink/events-copy", None),
    ("POST", f"/{JOB}/_rollover", None),
    ("PUT", "/events-job-v1-2030-01", {}),
    ("PUT", "/_snapshot/elsewhere", {"type": "fs", "settings": {"location": "x"}}),
    ("PUT", "/_snapshot/kept/another", None),
    (
        "POST",
        "/_snapshot/kept/one/_restore",
        {"indices": JOB, "rename_pattern": "^", "rename_replacement": "x"},
    ),
    ("DELETE", "/_snapshot/kept/one", None),
    ("POST", "/_aliases", {"actions": [{"add": {"index": JOB, "alias": "events-other"}}]}),
    ("GET", f"{ROLES}/roles", None),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), NOBODY, ids=[f"{method}-{path.strip('/')}" for method, path, _ in NOBODY]
)
def test_no_service_may_change_or_copy_what_is_stored(users, method, path, body):
    assert users.answers(method, path, body) == dict.fromkeys(USERS, 403)


def test_a_read_model_of_a_new_job_is_made_by_those_who_fold_runs(users):
    body = {"aliases": {"job-events-{user}": {}}}
    answers = users.answers("PUT", "/rm-job-events-{user}-v0001", body)
    assert answers == {name: 200 if name in {"indexer", "approvals"} else 403 for name in USERS}


async def test_a_document_that_the_role_forbids_is_no_bad_document(users):
    """The engine tells it of the document; quarantining it would blame the message for a missing right."""
    run = RunFacts("without_roles")
    allowed, forbidden = run.incident(), run.completed("RED")
    store = await open_store(users.settings("alerts"), ManualClock(START))
    try:
        with pytest.raises(StoreDenied, match="give the user of DWH_OPENSEARCH_USER a role with this right"):
            await store.record([allowed, forbidden])
        assert await store.events.get(forbidden.event_id, forbidden.timestamp) is None
    finally:
        await store.close()


async def test_each_service_does_its_work_with_its_role(users):
    """What they do beside each other: the log, read models, claims, refusals, the sweep, the seal."""
    run = RunFacts("with_roles")
    decision = run.decision()
    work = {
        "indexer": [run.started(), run.completed("RED")],
        "approvals": [run.requested(), decision, run.accepted(decision)],
        "orchestrator": [run.recorded(run.completed("RED")), run.trigger("requested"), run.trigger("sent")],
        "alerts": [run.incident(), run.notification("sent")],
    }
    clock = ManualClock(START)
    for name, events in work.items():
        store = await open_store(users.settings(name), clock)
        try:
            assert {outcome.value for outcome in await store.record(events)} == {"stored"}, name
            claim = await store.claims.acquire(f"effect|{name}", owner=name, lease_seconds=30)
            await store.claims.done(claim, {"ok": True})
            lease = await store.leases.acquire(f"lease-{name}", owner=name, seconds=30)
            assert lease is not None
            await store.leases.release(lease)
        finally:
            await store.close()
    indexer = await open_store(users.settings("indexer"), clock)
    sweep = Sweep(indexer.backend, indexer.read_models, clock)
    await sweep.turn()
    clock.advance(3600)
    swept = await sweep.turn()
    sealed = await Sealer(indexer.backend, KEY, clock).seal()
    checked = await audit(indexer.backend, KEY)
    await indexer.close()
    assert (swept.events >= 10, sealed >= 10, checked.findings) == (True, True, [])


async def test_tls_is_asked_for_and_the_certificate_is_checked(users, monkeypatch):
    good = users.settings("indexer")
    elsewhere = good.url.replace("localhost", "127.0.0.1")
    plain = good.url.replace("https", "http")
    monkeypatch.setenv("SSL_CERT_FILE", str(users.node.authority))
    assert await told(good) == "answered"
    assert "certificate verify failed: IP address mismatch" in await told(replace(good, url=elsewhere))
    assert "no answer from OpenSearch" in await told(replace(good, url=plain))
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate verify failed" in await told(good)


async def test_a_wrong_password_and_no_name_are_refused_with_what_to_do(users):
    good = users.settings("indexer")
    assert "DWH_OPENSEARCH_PASSWORD" in await told(replace(good, password="wrong"))
    assert "set DWH_OPENSEARCH_AUTH to basic or sigv4" in await told(replace(good, auth="none"))


async def told(settings: StoreSettings) -> str:
    store = await open_store(settings)
    try:
        await store.ping()
    except (StoreDenied, StoreUnavailable) as error:
        return str(error)
    finally:
        await store.close()
    return "answered"
