"""What is in the image and what is not."""

import json
import os
import re
import sys
from pathlib import Path

import containers
import pytest

CONSOLE_SCRIPTS = ["indexer", "alerts", "orchestrator", "approvals", "bootstrap", "dwh"]
INSTALLERS = ["pip", "pip3", "uv", "uvx", "gcc", "cc", "g++", "clang", "make"]
# Character classes keep this file from finding itself.
REGISTRY_HOSTS = re.compile(rb"files\.python[h]osted|registry\.n[p]mjs|repo1?\.m[a]ven|proxy\.g[o]lang")


@pytest.fixture(scope="module")
def rootfs(image):
    path = image.mounted()
    yield path
    image.podman("image", "unmount", containers.NAME)


def test_it_takes_at_most_250_mb_over_its_base(image):
    assert image.megabytes_over_base() <= 250


@pytest.mark.parametrize("program", CONSOLE_SCRIPTS)
def test_each_console_script_is_chosen_by_the_arguments_under_a_read_only_root(image, program):
    answer = image.run(program, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "--help" in answer.stdout


@pytest.mark.parametrize("program", CONSOLE_SCRIPTS[:4])
def test_a_service_without_settings_names_what_is_missing_and_exits_2(image, program):
    answer = image.run(program)
    assert answer.returncode == 2
    assert "DWH_ENVIRONMENT" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_local_system_is_not_in_it_and_it_says_so(image):
    answer = image.run("dwh", "local", "up")
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert "the local system is not in this installation" in line


def test_it_holds_no_installer_and_no_compiler(rootfs):
    folders = ["usr/bin", "usr/local/bin", "bin", "app/.venv/bin"]
    found = [
        f"{folder}/{name}" for folder in folders for name in INSTALLERS if (rootfs / folder / name).exists()
    ]
    modules = [str(path.relative_to(rootfs)) for path in rootfs.glob("**/ensurepip")]
    modules += [str(path.relative_to(rootfs)) for path in rootfs.glob("**/*-packages/pip")]
    assert found + modules == []


def test_it_runs_as_10001_and_nothing_of_the_application_can_be_written(image, rootfs):
    assert image.inspect()["Config"]["User"] == "10001:10001"
    writable = [
        path for path in (rootfs / "app").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022
    ]
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in (rootfs / "app").rglob("*")}
    assert (writable, owners) == ([], {(0, 0)})


def test_entry_signal_and_labels(image):
    config = image.inspect()["Config"]
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert config["StopSignal"] in {"SIGTERM", "15"}
    assert config["WorkingDir"] == "/app"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "dwh"
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["org.opencontainers.image.version"])
    assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    if not containers.GIVEN:
        assert labels["org.opencontainers.image.created"] == containers.image.created()


def test_the_list_of_parts_lies_where_the_label_says_and_names_every_distribution(image, rootfs):
    path = image.inspect()["Config"]["Labels"]["io.dwh.sbom.path"]
    parts = json.loads((rootfs / path.lstrip("/")).read_text())
    assert parts["bomFormat"] == "CycloneDX"
    listed = {re.sub(r"[-_.]+", "-", part["name"]).lower() for part in parts["components"]}
    metadata = rootfs.glob("app/.venv/lib/python*/site-packages/*.dist-info/METADATA")
    installed = {
        re.sub(r"[-_.]+", "-", re.search(r"^Name: (\S+)", file.read_text(), re.MULTILINE).group(1)).lower()
        for file in metadata
    }
    assert installed == listed
    assert {"dwh-indexer", "dwh-alerts", "dwh-orchestrator", "dwh-approvals", "dwh-cli"} <= installed


def test_no_layer_holds_how_the_builder_reached_its_registries(image, rootfs):
    names = {"pip.conf", "pip.ini", "uv.toml", ".netrc", ".npmrc", "direct_url.json"}
    left = [str(path.relative_to(rootfs)) for path in rootfs.glob("**/*") if path.name in names]
    assert left == []
    told = json.dumps([image.inspect()["Config"], image.inspect()["History"]]).encode()
    own = [path for path in (rootfs / "app").rglob("*") if path.is_file() and "dwh_" in str(path)]
    texts = [told, *(path.read_bytes() for path in own)]
    values = [
        os.environ[name].encode() for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL") if name in os.environ
    ]
    assert not [
        text for text in texts if REGISTRY_HOSTS.search(text) or any(value in text for value in values)
    ]


def test_the_descriptions_of_aws_services_that_stay_are_those_of_the_list(rootfs):
    sys.path.insert(0, str(containers.ROOT / "deploy" / "image"))
    from prune import AWS_SERVICES  # noqa: PLC0415 - a program, not a package

    [data] = rootfs.glob("app/.venv/lib/python*/site-packages/botocore/data")
    assert {path.name for path in data.iterdir() if path.is_dir()} == AWS_SERVICES
    assert {"endpoints.json", "partitions.json", "_retry.json"} <= {path.name for path in data.iterdir()}


def test_hadolint_finds_nothing_in_the_containerfile(image):
    hadolint = Path(sys.executable).with_name("hadolint")
    answer = containers.image.run(str(hadolint), str(containers.ROOT / "Containerfile"), check=False)
    assert (answer.returncode, answer.stdout) == (0, "")
