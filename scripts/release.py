"""Make everything a release consists of, into `dist/<version>/`, from one version that stands everywhere.

Promises: nothing is made while versions differ; archives made twice from one commit are equal byte by byte;
`SHA256SUMS` names every file. Publishes nothing: where the files go is the operator's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import image

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("libs/contracts", "libs/faststream-sqs", "libs/eventstore", "libs/runtime"),
    *("services/indexer", "services/alerts", "services/orchestrator", "services/approvals"),
    *("cli", "local", "jobs"),
)
CHART = "helm/dwh"
JOB_FILES = ("libs/contracts/src", "jobs/src")
"""What `--py-files` of a Spark job needs of ours."""

ARCHIVE_TIME = (1980, 1, 1, 0, 0, 0)
"""The oldest time a zip can hold: an archive must not depend on when a file was checked out."""


class CannotReleaseError(Exception):
    """Something must be put right first; the text says what."""


def versions(root: Path = ROOT) -> dict[str, str]:
    """Every place that states the version of the product, with what it states."""
    found = {
        f"{package}/pyproject.toml": str(
            tomllib.loads((root / package / "pyproject.toml").read_text(encoding="utf-8"))["project"][
                "version"
            ]
        )
        for package in PACKAGES
    }
    chart = root / CHART / "Chart.yaml"
    if chart.is_file():
        text = chart.read_text(encoding="utf-8")
        for key in ("version", "appVersion"):
            stated = re.search(rf"^{key}:\s*[\"']?([^\"'\s]+)", text, re.MULTILINE)
            found[f"{CHART}/Chart.yaml {key}"] = stated.group(1) if stated else "missing"
    return found


def version(root: Path = ROOT) -> str:
    """The one version.

    Raises:
        CannotReleaseError: places differ; the text names each with its version.
    """
    found = versions(root)
    if len(set(found.values())) != 1:
        listed = "\n".join(f"  {value:<12} {place}" for place, value in sorted(found.items()))
        raise CannotReleaseError(f"versions differ; set them all to one:\n{listed}")
    return next(iter(found.values()))


def wheels(target: Path) -> None:
    """A wheel of every package, with the locked build backend of the workspace."""
    python = ROOT / ".venv" / "bin" / "python"
    uv = ROOT / ".venv" / "bin" / "uv"
    if not uv.exists():
        raise CannotReleaseError("the workspace environment is missing: run `make setup`")
    for package in PACKAGES:
        options = ("--quiet", "--wheel", "--no-build-isolation", "--python", str(python))
        _run(str(uv), "build", *options, "--out-dir", str(target), str(ROOT / package))
    (target / ".gitignore").unlink(missing_ok=True)  # uv marks its output folders


def job_bundle(target: Path, number: str) -> None:
    """The jobs with their contracts as one zip for `--py-files`, and the script that is their entry."""
    sources = {path: ROOT / folder for folder in JOB_FILES for path in _sources(ROOT / folder)}
    _archive(target / f"dwh_jobs-{number}.zip", {path: path.relative_to(sources[path]) for path in sources})
    entry = ROOT / "jobs/src/dwh_jobs/generic_entry.py"
    shutil.copyfile(entry, target / entry.name)


def dags_bundle(target: Path, number: str) -> None:
    """The DAG files as one zip, laid out as the DAG folder."""
    folder = ROOT / "dags"
    files = {path: path.relative_to(folder) for path in _sources(folder)}
    _archive(target / f"dwh_dags-{number}.zip", files)


def chart(target: Path) -> bool:
    """The packaged chart; False where there is no chart or no Helm at hand."""
    helm = os.environ.get("HELM") or shutil.which("helm")
    if not helm or not (ROOT / CHART / "Chart.yaml").is_file():
        return False
    _run(helm, "package", str(ROOT / CHART), "--destination", str(target))
    return True


def container_image(target: Path, number: str) -> None:
    """The image as an OCI archive, its digest, and the list of its parts out of the image itself."""
    name, file = f"localhost/dwh:{number}", target / f"dwh-image-{number}.tar"
    image.prepare()
    env = image.environment()
    image.make_base(env)
    image.build(name, env)
    image.archive(name, file, env)
    digest = image.run("podman", "image", "inspect", "--format", "{{.Digest}}", name, env=env).stdout
    (target / f"dwh-image-{number}.digest").write_text(digest, encoding="utf-8")
    mounted = Path(image.run("podman", "image", "mount", name, env=env).stdout.strip())
    try:
        shutil.copyfile(mounted / "app/sbom.cdx.json", target / f"dwh-image-{number}.cdx.json")
    finally:
        image.run("podman", "image", "unmount", name, env=env)


def checksums(target: Path) -> None:
    """`SHA256SUMS` of everything beside it, as `sha256sum --check` reads it."""
    files = sorted(path for path in target.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{_sha256(path)}  {path.name}\n" for path in files]
    (target / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def release(target: Path, number: str, *, with_image: bool) -> None:
    """Make all files of the release anew."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    wheels(target)
    job_bundle(target, number)
    dags_bundle(target, number)
    if not chart(target):
        print("release: no chart package: there is no chart or no helm on the PATH", flush=True)
    if with_image:
        container_image(target, number)
    checksums(target)


def _sources(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if "__pycache__" not in path.parts and path.suffix != ".md")


def _archive(file: Path, members: dict[Path, Path]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for path, name in sorted(members.items(), key=lambda member: member[1].as_posix()):
            entry = zipfile.ZipInfo(name.as_posix(), ARCHIVE_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _run(*command: str) -> None:
    stamp = {"SOURCE_DATE_EPOCH": "315532800"}  # ARCHIVE_TIME, for wheels
    answer = subprocess.run(command, env=os.environ | stamp, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise CannotReleaseError(f"`{' '.join(command[:3])}` failed:\n{answer.stdout}{answer.stderr}")


def main() -> int:
    """Entry point of `make release`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether all versions agree")
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, make nothing")
    parser.add_argument("--no-image", action="store_true", help="leave the image out")
    options = parser.parse_args()
    try:
        number = version()
        target = ROOT / "dist" / number
        if options.check or options.dry_run:
            print(f"release: {number} in {len(versions())} places")
        if options.dry_run:
            parts = [f"{len(PACKAGES)} wheels", "jobs zip and entry", "DAGs zip", "chart"]
            parts += [] if options.no_image else ["image archive, digest and SBOM"]
            print(f"release: would write {', '.join(parts)}, SHA256SUMS to {target.relative_to(ROOT)}/")
        if not (options.check or options.dry_run):
            release(target, number, with_image=not options.no_image)
            print(f"release: {number} lies in {target.relative_to(ROOT)}/")
    except (CannotReleaseError, image.CannotBuildError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
