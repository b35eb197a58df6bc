"""The shipped alert rules: Prometheus takes them, they act at their limits, and all they name exists."""

import importlib
import re
import subprocess
from collections import Counter

import pytest
import yaml
from dwh_cli.verbs import VERBS
from dwh_runtime.metrics import DECLARED

RUNBOOKS = "https://runbooks.example.com/dwh/"
# CloudWatch alarms with a runbook of their own; the one on dead letters shares DwhDeadLetters.
# Of CloudWatch, without a rule of Prometheus; tests/terraform holds that they are the runbooks alarms name.
ALARMS = {
    *("QueueOldestMessage", "SnsDeliveryFailures", "MwaaSchedulerHeartbeat", "JournalFreshness"),
    *("OpenSearchStatus", "OpenSearchStorage", "OpenSearchWriteRejections"),
}
# Labels that Prometheus puts on when it scrapes a pod, and on buckets.
SCRAPED = {"pod", "le"}
SECTIONS = ["## Meaning", "## Look", "## Remedy", "## Escalate"]
SELECTOR = re.compile(r"(dwh_[a-z_]+)(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="session", autouse=True)
def declared():
    for service in ("indexer", "alerts", "orchestrator", "approvals"):
        importlib.import_module(f"dwh_{service}.metrics")
    return DECLARED


def checked(promtool, *arguments, folder):
    answer = subprocess.run(
        [promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    return answer.returncode, answer.stdout + answer.stderr


def test_promtool_takes_the_rules_without_a_word_against_them(promtool, rules):
    code, said = checked(
        promtool, "check", "rules", "--lint-fatal", rules.path.name, folder=rules.path.parent
    )
    assert code == 0, said
    assert f"{len(rules.all)} rules found" in said


@pytest.mark.long
def test_rules_fire_at_their_limit_and_not_under_it(promtool, rules):
    code, said = checked(promtool, "test", "rules", rules.tests.name, folder=rules.path.parent)
    assert code == 0, said


@pytest.mark.parametrize(
    ("alert", "limit", "moved"),
    [("DwhQueueBacklog", "> 1000", "> 1001"), ("DwhStoreAppendFailing", '="failed"', '="duplicate"')],
)
def test_a_moved_limit_is_noticed(promtool, rules, tmp_path, alert, limit, moved):
    text = rules.path.read_text(encoding="utf-8")
    assert text.count(limit) >= 1
    (tmp_path / rules.path.name).write_text(text.replace(limit, moved))
    suite = yaml.safe_load(rules.tests.read_text(encoding="utf-8"))
    suite["tests"] = [case for case in suite["tests"] if case["alert_rule_test"][0]["alertname"] == alert]
    (tmp_path / "some.yaml").write_text(yaml.safe_dump(suite))
    code, said = checked(promtool, "test", "rules", "some.yaml", folder=tmp_path)
    assert code != 0
    assert f"alertname: {alert}" in said


def test_every_rule_has_a_case_that_fires_and_one_that_does_not(rules):
    fires, silent = Counter(), Counter()
    for case in yaml.safe_load(rules.tests.read_text(encoding="utf-8"))["tests"]:
        for claim in case["alert_rule_test"]:
            (fires if claim["exp_alerts"] else silent)[claim["alertname"]] += 1
    names = {rule["alert"] for rule in rules.all}
    assert set(fires) == names
    assert set(silent) == names - {"DwhWatchdog"}
    assert fires["DwhWatchdog"] >= 2


def test_every_metric_and_label_of_a_rule_is_declared(rules, declared):
    for rule in rules.all:
        allowed = set(SCRAPED)
        for name, matchers in SELECTOR.findall(rule["expr"]):
            spec = declared.get(name) or declared.get(re.sub(r"_(bucket|sum|count)$", "", name))
            assert spec is not None, f"{rule['alert']}: {name}"
            allowed |= set(spec.labels)
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= set(spec.labels), rule["alert"]
        grouped = {label for group in BY.findall(rule["expr"]) for label in re.split(r",\s*", group)}
        assert grouped <= allowed, rule["alert"]


def test_every_rule_says_how_bad_it_is_and_what_happened(rules):
    for rule in rules.all:
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}, rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}{rule['alert']}.md"


def test_every_rule_has_a_runbook_and_every_runbook_a_rule_or_an_alarm(rules, root):
    named = {rule["annotations"]["runbook_url"].removeprefix(RUNBOOKS) for rule in rules.all}
    named |= {f"{alarm}.md" for alarm in ALARMS}
    written = {path.name for path in (root / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert written == named


def test_every_runbook_tells_meaning_look_remedy_and_escalation(root):
    for path in sorted((root / "docs" / "runbooks").glob("*.md")):
        if path.name != "README.md":
            text = path.read_text(encoding="utf-8")
            assert text.startswith(f"# {path.stem}\n"), path.name
            assert re.findall(r"^## \w+$", text, re.MULTILINE) == SECTIONS, path.name
            assert "```" in text, path.name


def test_runbooks_use_only_verbs_that_dwh_has(root):
    for path in (root / "docs" / "runbooks").glob("*.md"):
        used = set(re.findall(r"(?:^|`)dwh ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert used <= set(VERBS), path.name
