"""The examples, each started as a program of its own on the stand-in and ended by SIGTERM."""

import asyncio
import itertools
import operator
import os
import re
import signal
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
README = (EXAMPLES / "README.md").read_text()
LINES = 40
SECONDS = 30


def as_written(name, endpoint):
    """Variables and words of the line of the README, with this server's address and this example's name."""
    line = next(line for line in README.splitlines() if line.startswith("    AWS_ENDPOINT_URL="))
    words = line.replace(re.search(r"http://[0-9.:]+", line)[0], endpoint).split()
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    assert words[-2:] == ["python", "sns_fan_out.py"]
    return variables, (sys.executable, name)


async def run(name, endpoint, lines):
    """All its lines; it is told to end after the first `lines`, and must do so cleanly."""
    variables, program = as_written(name, endpoint)
    process = await asyncio.create_subprocess_exec(
        *program,
        cwd=EXAMPLES,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    seen = []
    try:
        async with asyncio.timeout(SECONDS):
            while len(seen) < lines:
                line = (await process.stdout.readline()).decode().strip()
                if not line:
                    raise AssertionError((await process.stderr.read()).decode())
                seen.append(line)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            rest, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return seen + rest.decode().split("\n")[:-1]


async def test_topic_reaches_one_queue_whole_and_the_other_filtered(endpoint):
    assert sorted(await run("sns_fan_out.py", endpoint, 3)) == ["audit 2", "ship 1", "ship 2"]


async def test_fifo_keeps_the_order_of_each_job_while_jobs_run_side_by_side_and_drops_repeats(endpoint):
    seen = await run("fifo.py", endpoint, 12)
    for job in "ab":
        steps = [line for line in seen if line.startswith(job)]
        assert steps == [f"{job} {n} {what}" for n in range(3) for what in ("begins", "ends")]
    begun = [line.endswith("begins") for line in seen]
    assert any(itertools.starmap(operator.and_, itertools.pairwise(begun)))  # two at work at one time


async def test_batch_adds_up_what_can_be_read_and_parks_the_rest(endpoint, transport):
    seen = await run("batch.py", endpoint, 1)
    sums = [line.split() for line in seen if line.startswith("sum ")]
    assert sum(int(words[1]) for words in sums) == 36
    assert sum(int(words[3]) for words in sums) == 9
    url = (await transport.resolve("dead")).url
    (parked,) = await transport.receive(url, limit=10, wait_seconds=5, visibility=30)
    assert '"exception_type":"JSONDecodeError"' in parked.attributes["parking"].text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_example_is_shorter_than_forty_lines(path):
    assert len(path.read_text().splitlines()) < LINES
