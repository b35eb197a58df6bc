"""Guides are true: what can run has run, and what needs an account or a cluster would be understood there."""

import re
import subprocess

import pytest
import yaml
from conftest import MARK
from pages import GUIDES, MARKS, ROOT, blocks, scripts
from shell import Script
from tools import objects

NAMES = {"install-aws.md", "operate.md", "upgrade.md"}
CHECKED = [
    pytest.param(block, script, id=str(block))
    for page in GUIDES
    for block, script in scripts(page)
    if block.info == "bash check"
]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_there_are_guides_to_install_to_operate_and_to_upgrade():
    assert {page.name for page in GUIDES} == NAMES


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_block_says_how_it_is_proven(page):
    marks = {block.info for block in blocks(page)}
    assert marks <= MARKS, f"{page.name}: {sorted(marks - MARKS)}"
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks(page))
    assert "bash run" in marks


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_what_is_marked_run_runs_as_it_stands(executed, page):
    _, answer = executed(page)
    begun = re.findall(rf"^{MARK}(.*)$", answer.stdout, re.MULTILINE)
    assert answer.returncode == 0, f"{begun[-1:]} failed: {answer.stdout[-2000:]}{answer.stderr[-2000:]}"
    assert begun == [str(block) for block in blocks(page, "bash run")]


@pytest.mark.parametrize(("block", "script"), CHECKED)
def test_what_needs_an_account_or_a_cluster_would_be_understood_there(checker, block, script):
    parsed = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    assert script.commands
    for words in script.commands:
        checker.check(words, script.functions)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_variable_is_set_on_its_page_before_it_is_used(page):
    assert {str(block): script.unset for block, script in scripts(page) if script.unset} == {}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_values_that_a_guide_shows_are_taken_by_the_chart(checker, tmp_path, page):
    for block in blocks(page, "yaml values"):
        file = tmp_path / f"{block.line}.yaml"
        file.write_text(block.text)
        assert yaml.safe_load(block.text)
        checker.render(["helm/dwh/values-prod.yaml", "values-terraform.yaml", str(file)], [])


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{page.name}: {link}"


def test_a_reader_finds_the_guides_from_the_front_page():
    for index in (ROOT / "README.md", ROOT / "docs" / "README.md"):
        text = index.read_text(encoding="utf-8")
        assert all(f"guide/{name}" in text for name in NAMES), index


def test_alerts_that_a_guide_names_have_a_page():
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    for page in GUIDES:
        named = set(re.findall(r"\bDwh[A-Z]\w+|\bOpenSearch(?:Status|Storage|Write)\w*", page.read_text()))
        assert named <= pages, page.name


def test_the_guide_of_scaling_changes_the_objects_of_one_consumer_only(executed):
    tree, _ = executed(ROOT / "docs" / "guide" / "operate.md")
    before, after = (
        {(made["kind"], made["metadata"]["name"]): made for made in objects(path.read_text())}
        for path in (tree / "before.yaml", tree / "after.yaml")
    )
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("ScaledObject", "dwh-alerts")}


def test_the_secret_of_the_installation_has_the_keys_that_its_pods_read(executed):
    tree, _ = executed(ROOT / "docs" / "guide" / "install-aws.md")
    read = re.findall(r"^ +- key: (\S+)\n +path:", (tree / "rendered.yaml").read_text(), re.MULTILINE)
    assert {path.name for path in (tree / "secrets").iterdir()} == set(read)


# What a guide must not say, and what it then hears: the checks bite.
MISTAKES = {
    "aws sqs redrive --source-arn x": "no such operation",
    "aws sqs get-queue-url --queue dwh-prod-alerts": "no option --queue",
    "aws sqs get-queue-url --queue-name dwh-prod-alert": "alert is none of",
    "aws sqs get-queue-url": "Missing required parameter",
    "aws nosuch list": "no such service",
    "aws ecs wait service-stable --cluster x --services y": "nothing like that to wait for",
    "aws ecs run-task --task-definition dwh-prod-bootstrap --launch-type FARGATES": "none of",
    "aws ecs run-task --task-definition dwh-dev-bootstrap --network-configuration awsvpc=x": "awsvpc is none",
    "aws s3 cp a s3://dwh-prod-codes/a": "codes is none of",
    "aws logs tail /dwh/prod/notices": "notices is none of",
    "dwh redrive": "no such verb",
    "dwh runs list --limits 5": "No such option",
    "dwh approvals approve job run": "Missing option",
    "kubectl -n dwh exec deploy/dwh-indexer -- dwh runs show": "Missing argument",
    "kubectl -n dwh get deploy/dwh-notices": "no Deployment dwh-notices",
    "kubectl -n dwh logs -l app.kubernetes.io/component=notices": "no pod has the label",
    "kubectl -n dwh create job x --from=cronjob/dwh-daily": "no CronJob dwh-daily",
    "kubectl -n dwh restart deploy/dwh-alerts": "not known here",
    "helm upgrade dwh helm/dwh -f helm/dwh/values-prod.yaml --set consumers.alerts.scaling.most=3": "most",
    "helm upgrade dwh helm/dwh -f helm/dwh/values-production.yaml": "values-production.yaml",
    "helm rollback warehouse 3": "the release is dwh",
    "terraform -chdir=terraform/environments/prod output -raw opensearch_url": "output opensearch_url",
    "terraform -chdir=terraform/environments/production plan": "is no environment",
    "terraform apply": "in which folder",
    "terraform -chdir=terraform/environments/dev apply -target=aws_sqs_queue.x": "aws_sqs_queue.x",
    "docker build --file Dockerfile .": "there is no Dockerfile",
    "python3 scripts/helm_value.py": "there is no scripts/helm_value.py",
    ".venv/bin/python scripts/helm_values.py --digest x": "no option --digest",
    "git diff a b -- CHANGES.md": "there is no CHANGES.md",
    "make releases": "no target",
    "frobnicate": "no checker knows",
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_guide_is_found(checker, mistake):
    (words,) = Script({}).read(mistake).commands
    with pytest.raises(AssertionError) as found:
        checker.check(words)
    assert MISTAKES[mistake] in str(found.value)


def test_commands_inside_of_others_and_variables_that_nobody_sets_are_found():
    script = Script({}).read('A=1\nB=$(aws a b | c "$D") for "x $(e)" # f\nwhile_ g && h "$A" > i\n')
    assert ["aws", "a", "b"] in script.commands
    assert ["c", "D"] in script.commands
    assert ["e"] in script.commands
    assert ["h", "1"] in script.commands
    assert script.unset == {"D"}


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
