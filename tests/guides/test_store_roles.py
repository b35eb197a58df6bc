"""Rights inside the store: enough to work, nothing to delete, decisions by approvals alone."""

import fnmatch
import json
import subprocess
import sys

import pytest
from dwh_eventstore import indices
from tools import outputs_of

SERVICES = ("indexer", "alerts", "orchestrator", "approvals")


@pytest.fixture(scope="session")
def made(root, tmp_path_factory):
    """What the script writes for an environment, by path."""
    folder = tmp_path_factory.mktemp("roles")
    answer = run(root, outputs_of(root, "prod"), str(folder))
    assert answer.returncode == 0, answer.stderr
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in folder.rglob("*.json")}


def run(root, outputs, *arguments):
    command = [sys.executable, str(root / "scripts" / "store_roles.py"), *arguments]
    return subprocess.run(command, input=outputs, capture_output=True, text=True, check=False)


def may(made, name, index, action):
    return any(
        any(fnmatch.fnmatch(index, pattern) for pattern in grant["index_patterns"])
        and any(fnmatch.fnmatch(action, allowed) for allowed in grant["allowed_actions"])
        for grant in made[f"roles/dwh-{name}.json"]["index_permissions"]
    )


def writers(made, index):
    return {name for name in SERVICES if may(made, name, index, "indices:data/write/index")}


def test_each_role_is_had_by_the_iam_role_of_its_service(made):
    for name in (*SERVICES, "selftest"):
        (arn,) = made[f"rolesmapping/dwh-{name}.json"]["backend_roles"]
        assert arn.endswith(f":role/dwh-prod-{name}")
    assert len(made) == 2 * (len(SERVICES) + 1)


def test_job_events_are_written_by_the_indexer_and_decisions_by_approvals_alone(made):
    assert writers(made, "events-job-v1-2026-11") == {"indexer"}
    assert writers(made, "events-approval-v1-2026-11") == {"approvals"}
    assert writers(made, indices.DECISIONS) == {"approvals"}


def test_facts_claims_refusals_and_read_models_are_written_by_every_service(made):
    shared = ["events-effect-v1-2026-11", indices.LATE, indices.QUARANTINE, indices.EFFECTS]
    for index in (*shared, *(indices.physical(model) for model in indices.FIXED_READ_MODELS)):
        assert writers(made, index) == set(SERVICES), index


def test_everybody_reads_what_bootstrap_makes(made):
    family = [f"events-{family}-v1-2026-11" for family in indices.FAMILIES]
    models = [indices.physical(model) for model in indices.FIXED_READ_MODELS]
    for name in (*SERVICES, "selftest"):
        for index in (*family, indices.LATE, indices.EFFECTS, indices.DECISIONS, *models):
            assert may(made, name, index, "read"), f"{name}: {index}"


def test_the_indexer_alone_sees_how_far_the_log_is_and_keeps_how_far_it_has_read(made):
    for index in ("events-approval-v1-2026-11", indices.LATE):
        for action in ("indices:monitor/stats", "indices:admin/refresh"):
            assert may(made, "indexer", index, action), f"{index}: {action}"
    assert writers(made, indices.CHECKPOINTS) == {"indexer"}
    assert writers(made, indices.REGISTRY) == set()


def test_everybody_may_ask_of_the_whole_store_which_index_an_alias_names(made):
    for name in (*SERVICES, "selftest"):
        assert may(made, name, ".some-index", "indices:admin/aliases/get")
        assert not may(made, name, ".some-index", "read")


def test_nobody_deletes_and_the_test_of_a_release_writes_nothing(made):
    for name in (*SERVICES, "selftest"):
        actions = {
            action
            for grant in made[f"roles/dwh-{name}.json"]["index_permissions"]
            for action in grant["allowed_actions"]
        }
        assert not {action for action in actions if "delete" in action or action.startswith("*")}
        assert not {action for action in actions if action in ("indices_all", "manage", "write", "crud")}
        assert not may(made, name, "events-job-v1-2026-11", "indices:data/write/delete")
    assert not writers(made, "rm-job-events-v0001") - set(SERVICES)
    assert not may(made, "selftest", "rm-job-events-v0001", "indices:data/write/index")


@pytest.mark.parametrize(("outputs", "said"), [("", "is no JSON"), ("{}", "lack 'helm'"), ("[]", "lack")])
def test_outputs_of_no_applied_environment_are_refused(root, tmp_path, outputs, said):
    answer = run(root, outputs, str(tmp_path / "roles"))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
