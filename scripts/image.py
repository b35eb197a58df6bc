"""Build the image on Debian without a Docker daemon: debootstrap for the base, Buildah for the rest.

Promises: the base is made once and kept in the user's cache folder; how this machine reaches its package
registries is handed to the build as secrets and stands in no layer; the last line gives size and seconds.
Elsewhere any builder that reads a Containerfile does the same: `docker build -f Containerfile .`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dwh" / "image"
PACKAGES = ("buildah", "podman", "runc", "debootstrap", "tini")
BASE = "localhost/python-base:bookworm"
BASE_INCLUDES = "python3,python3-venv,ca-certificates,tini"
PASSED_ON = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
)
CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CONTAINERS_CONF = """[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


class CannotBuildError(Exception):
    """This machine lacks something; the text says what, and what else does the job."""


def environment() -> dict[str, str]:
    """Variables under which buildah and podman need no flags: storage in the cache, no daemon, no init."""
    CACHE.mkdir(parents=True, exist_ok=True)
    containers, storage, policy = (
        CACHE / "containers.conf",
        CACHE / "storage.conf",
        Path("/etc/containers/policy.json"),
    )
    containers.write_text(CONTAINERS_CONF)
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{CACHE}/storage"\nrunroot = "{CACHE}/run"\n')
    if not policy.exists():
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
    return os.environ | {
        "BUILDAH_ISOLATION": "chroot",
        "STORAGE_DRIVER": "vfs",
        "CONTAINERS_CONF": str(containers),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def prepare() -> None:
    """Install the tools that are missing.

    Raises:
        CannotBuildError: where this is not root on Debian or Ubuntu.
    """
    missing = [name for name in PACKAGES if shutil.which(name) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotBuildError(
            f"missing here: {', '.join(missing)}; installing them needs root on Debian or Ubuntu. "
            "Any other builder does the same: `docker build -f Containerfile -t localhost/dwh:dev .`"
        )
    say(f"installing {' '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run("apt-get", "update", "-qq", env=os.environ | quiet)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES, env=os.environ | quiet)


def make_base(env: dict[str, str]) -> None:
    """The base image, unless it is there: Debian's smallest variant with Python and tini."""
    if run("buildah", "inspect", "--type", "image", BASE, env=env, check=False).returncode == 0:
        return
    say("making the base with debootstrap")
    sites = run("apt-get", "indextargets", "--format", "$(SITE)").stdout.split()
    mirror = next(site for site in sites if not site.endswith("-security"))
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        rootfs = Path(folder) / "rootfs"
        include = f"--include={BASE_INCLUDES}"
        run("debootstrap", "--variant=minbase", include, "bookworm", str(rootfs), mirror)
        for unread in (
            "var/cache/apt",
            "var/lib/apt/lists",
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
        ):
            shutil.rmtree(rootfs / unread, ignore_errors=True)
        container = run("buildah", "from", "scratch", env=env).stdout.strip()
        try:
            run("buildah", "add", "--quiet", container, str(rootfs), "/", env=env)
            run("buildah", "config", "--env", "LANG=C.UTF-8", container, env=env)
            run("buildah", "commit", "--quiet", container, BASE, env=env)
        finally:
            run("buildah", "rm", container, env=env, check=False)


def build(name: str, env: dict[str, str]) -> None:
    """The image itself, from the Containerfile."""
    revision = run("git", "-C", str(ROOT), "rev-parse", "HEAD", check=False).stdout.strip() or "unknown"
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"BASE_IMAGE": BASE, "VERSION": version(), "REVISION": revision, "CREATED": created()}
        command = [
            "buildah",
            "bud",
            "--quiet",
            "--network=host",
            "--file",
            str(ROOT / "Containerfile"),
            "--tag",
            name,
        ]
        for key, value in arguments.items():
            command += ["--build-arg", f"{key}={value}"]
        for secret, file in client_secrets(Path(folder)).items():
            command += ["--secret", f"id={secret},src={file}"]
        run(*command, str(ROOT), env=env)


def client_secrets(folder: Path) -> dict[str, Path]:
    """How this machine reaches its registries, as files for the build; nothing where nothing is set."""
    lines = [f"export {name}={json.dumps(os.environ[name])}" for name in PASSED_ON if name in os.environ]
    found = next((Path(os.environ[name]) for name in CERTIFICATES if os.environ.get(name)), None)
    secrets = {}
    if found is not None and found.is_file():
        secrets["ca"] = found
        lines += [f"export {name}=/run/secrets/ca" for name in CERTIFICATES]
    client = folder / "client"
    client.write_text("\n".join([*lines, ""]))
    return secrets | {"client": client}


def size(name: str, env: dict[str, str]) -> int:
    """Bytes that an image takes, all layers together."""
    answer = run("podman", "image", "inspect", "--format", "{{.Size}}", name, env=env)
    return int(answer.stdout)


def archive(name: str, file: Path, env: dict[str, str]) -> None:
    """Write the image as an OCI archive, as `ctr images import` reads it."""
    file.unlink(missing_ok=True)
    run("buildah", "push", "--quiet", name, f"oci-archive:{file}:{name}", env=env)


def created() -> str:
    """What the image says about when it was made: SOURCE_DATE_EPOCH, or the last commit's time, never now.

    So an image made twice of one commit says the same; without either it says 1970.
    """
    last = run("git", "-C", str(ROOT), "log", "-1", "--format=%ct", check=False).stdout.strip()
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or last or 0)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def version() -> str:
    """Version of the product, as in every package."""
    project: str = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]["version"]
    return project


def run(
    *command: str, env: dict[str, str] | os._Environ[str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a tool; its last words are the error."""
    answer = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if check and answer.returncode != 0:
        words = "\n".join((answer.stderr or answer.stdout).splitlines()[-15:])
        raise CannotBuildError(f"`{' '.join(command[:3])}` ended with {answer.returncode}:\n{words}")
    return answer


def say(text: str) -> None:
    """A line of progress."""
    print(f"image: {text}", flush=True)


def main() -> int:
    """Entry point of `make image`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tag", default=f"localhost/dwh:{version()}", help="name of the image (default: %(default)s)"
    )
    parser.add_argument("--archive", type=Path, metavar="FILE", help="also write it as an OCI archive")
    options = parser.parse_args()
    try:
        prepare()
        env = environment()
        make_base(env)
        started = time.monotonic()
        say(f"building {options.tag}")
        build(options.tag, env)
        over = (size(options.tag, env) - size(BASE, env)) / 1e6
        seconds = time.monotonic() - started
        if options.archive:
            archive(options.tag, options.archive, env)
    except CannotBuildError as error:
        print(f"image: {error}", file=sys.stderr)
        return 2
    say(f"{options.tag}: {over:.0f} MB over its base, built in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
