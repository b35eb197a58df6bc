"""The image and its containers, as a test sees them: built once per run, run as production runs it.

DWH_TEST_IMAGE names one that is built already; it is tested as it is.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import image  # noqa: E402 - scripts are programs, not a package

GIVEN = os.environ.get("DWH_TEST_IMAGE")
NAME = GIVEN or "localhost/dwh:test"
LOCKED_DOWN = ("--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def lacking():
    """Why images cannot be built here; None where they can."""
    missing = [name for name in image.PACKAGES if shutil.which(name) is None]
    try:
        image.prepare()
    except image.CannotBuildError as error:
        return f"{', '.join(missing)}: {error}"
    return None


class Image:
    """The image under test and the tools that read it."""

    def __init__(self):
        self.env = image.environment()
        image.make_base(self.env)
        if not GIVEN:
            image.build(NAME, self.env)

    def podman(self, *arguments, check=True):
        return image.run("podman", *arguments, env=self.env, check=check)

    def inspect(self):
        [found] = json.loads(self.podman("image", "inspect", NAME).stdout)
        return found

    def megabytes_over_base(self):
        return (image.size(NAME, self.env) - image.size(image.BASE, self.env)) / 1e6

    def run(self, *arguments, **variables):
        """Run a program of the image to its end."""
        given = [f"--env={name}={value}" for name, value in variables.items()]
        return self.podman("run", "--rm", *LOCKED_DOWN, *given, NAME, *arguments, check=False)

    def start(self, name, variables, *arguments):
        return Container(self, name, variables, arguments)

    def mounted(self):
        return Path(self.podman("image", "mount", NAME).stdout.strip())


class Container:
    """A service in a container that runs until it is stopped."""

    def __init__(self, image_, name, variables, arguments):
        self.image, self.name = image_, name
        given = [f"--env={key}={value}" for key, value in variables.items()]
        image_.podman("rm", "--force", "--ignore", name)
        image_.podman("create", f"--name={name}", *LOCKED_DOWN, *given, NAME, *arguments)
        self.began = time.monotonic()
        image_.podman("start", name)

    def seconds_to_ready(self, url, at_most=30):
        pause = threading.Event()
        while time.monotonic() - self.began < at_most:
            try:
                if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                    return time.monotonic() - self.began
            except httpx.TransportError:
                pass
            pause.wait(0.05)
        raise AssertionError(f"{url} not ready within {at_most} s:\n{self.logs()}")

    def state(self):
        [found] = json.loads(self.image.podman("inspect", self.name).stdout)
        return found["State"]

    def logs(self):
        answer = self.image.podman("logs", "--tail", "40", self.name, check=False)
        return answer.stdout + answer.stderr

    def resident_megabytes(self):
        """RSS of everything in the container, the entry included."""
        tini = self.state()["Pid"]
        children = Path(f"/proc/{tini}/task/{tini}/children").read_text().split()
        return sum(map(_resident_kilobytes, [tini, *children])) / 1024

    def user_ids(self):
        tini = self.state()["Pid"]
        line = next(
            line for line in Path(f"/proc/{tini}/status").read_text().splitlines() if line.startswith("Uid")
        )
        return set(map(int, line.split()[1:]))

    def stop(self, grace_seconds=45):
        """SIGTERM as an orchestrator sends it; exit code and seconds."""
        began = time.monotonic()
        self.image.podman("stop", f"--time={grace_seconds}", self.name)
        return self.state()["ExitCode"], time.monotonic() - began

    def remove(self):
        subprocess.run(
            ["podman", "rm", "--force", "--ignore", self.name],
            env=self.image.env,
            capture_output=True,
            check=False,
        )


def _resident_kilobytes(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
