"""The whole line, live: first the plain demo and what a person asks its system, then copies, shuffles, kills.

Tests run in the order they stand in; a demo that injects faults replaces the system of the one before.
"""

import dataclasses
import json
import socket
import subprocess
import time
from pathlib import Path

import pytest
from dwh_contracts.attributes import attributes_of
from dwh_contracts.clock import SystemClock
from dwh_contracts.testing import a_job_event
from dwh_contracts.times import format_time
from dwh_local.aws import client
from dwh_local.compare import differences
from dwh_local.demo import runs
from dwh_local.supervise import Supervisor
from trace_shape import DEMO_TRACES, shape
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SYSTEM_BYTES = 6 * 2**30


def test_the_demo_observes_every_effect(summary):
    by_type = {t: len(ids) for family in summary["events"].values() for t, ids in family.items()}
    assert (by_type["job_completed"], by_type["dag_run_created"], by_type["trigger_sent"]) == (6, 3, 3)
    assert [state for _, state in summary["dag_runs"]] == ["success"] * 3
    assert summary["quarantined"] == 0
    assert summary["filtered_set"]["rows"] > 0


def test_trace_and_why_explain_the_red_run(live, plain):
    red = live.search("job-events", job_name="transform_images", status="PENDING_APPROVAL")[0]
    root = json.loads(live.dwh("trace", red["job_run_id"], "--json").stdout)

    def kinds(node):
        return {node["kind"]} | {kind for child in node["children"] for kind in kinds(child)}

    assert kinds(root) >= {"run", "event", "check", "alert", "approval", "decision", "trigger", "dag_run"}
    started = live.dwh(
        "why", "filter_image_glue_pyspark", "--job", red["job_name"], "--run", red["job_run_id"]
    )
    assert started.returncode == 0, started.stderr
    other = live.dwh("why", "no_such_dag", "--job", red["job_name"], "--run", red["job_run_id"])
    assert other.returncode == 1
    assert len(other.stdout.splitlines()) >= 1


def test_the_traces_of_the_demo_have_the_known_shape(live, summary):
    colours = (run_id.rpartition("-")[2].upper() for run_id in summary["runs"])
    traces = (json.loads(live.dwh("trace", run_id, "--json").stdout) for run_id in summary["runs"])
    assert dict(zip(colours, map(shape, traces), strict=True)) == json.loads(DEMO_TRACES.read_text())


def test_the_command_line_answers_with_the_right_exit_codes(live, plain):
    assert live.dwh("runs", "list").returncode == 0
    unknown = live.dwh("runs", "show", "transform_images", "no-such-run")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (1, 1)
    unknown = live.dwh("trace", "no-such-run")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (1, 1)
    unknown = live.dwh(
        "approvals", "approve", "transform_images", "no-such-run", "--reason", "there is no such run"
    )
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (1, 1)
    assert live.dwh("bootstrap", "--check").returncode == 0


def test_selftest_sends_an_event_the_whole_way_and_starts_nothing(live, plain):
    answer = live.dwh("selftest")
    assert answer.returncode == 0, answer.stderr
    assert "found in the store" in answer.stdout
    assert live.search("job-triggers", job_name="dwh_selftest") == []
    assert live.search("job-alerts", job_name="dwh_selftest") == []


def test_a_second_up_is_harmless(live, plain):
    before = {name: info["pid"] for name, info in Supervisor(live.system.place).states().items()}
    again = live.dwh("local", "up")
    assert again.returncode == 0, again.stderr
    after = {name: info["pid"] for name, info in Supervisor(live.system.place).states().items()}
    assert after == before


def test_the_whole_system_stays_under_six_gibibytes(live, plain, record_testsuite_property):
    resident = sum(resident_bytes(info["pid"]) for info in Supervisor(live.system.place).states().values())
    record_testsuite_property("resident_gibibytes", round(resident / 2**30, 2))
    assert 0 < resident < SYSTEM_BYTES


def resident_bytes(pid):
    """Of a process and all its descendants."""
    if not pid:
        return 0
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0) * 1024
    return own + sum(resident_bytes(int(child)) for child in children)


def test_every_bad_file_is_kept_with_its_reason_and_good_events_beside_it_are_handled(live, plain, golden):
    expected = json.loads((golden / "bad" / "expected.json").read_text())
    system = live.system
    sns = client("sns", system.names.endpoint_url)
    wanted = {}
    for name, why in expected.items():
        if name == "binary.bin":
            continue  # a topic carries text; `dwh emit` and the parser refuse it in their own tests
        text = (golden / "bad" / name).read_text().replace('"dev"', '"local"')
        topic = "job-approvals" if name.startswith("approval") else "job-events"
        sns.publish(TopicArn=system.names.topic_arn(topic), Message=text)
        wanted[text] = why["reason"]
    good = a_job_event(
        environment="local", job_run_id="beside-bad-ones", timestamp=format_time(SystemClock().now())
    )
    attributes = {n: {"DataType": "String", "StringValue": v} for n, v in attributes_of(good).items()}
    sns.publish(
        TopicArn=system.names.topic_arn("job-events"), Message=json.dumps(good), MessageAttributes=attributes
    )

    def kept():
        records = live.search("events-quarantine-v1")
        found = {record["raw"]: record["reason"] for record in records if record["raw"] in wanted}
        return found if len(found) == len(wanted) else None

    assert until(kept) == wanted
    assert until(lambda: live.search("job-events", job_run_id="beside-bad-ones"))
    states = Supervisor(system.place).states()
    assert {states[name]["statename"] for name in ("indexer", "alerts", "orchestrator", "approvals")} == {
        "RUNNING"
    }


def test_an_event_is_searchable_within_one_and_a_half_seconds(
    live, plain, tmp_path, record_testsuite_property
):
    took = []
    for number in range(3):
        run_id = f"at-rest-{number}"
        path = tmp_path / "event.json"
        body = a_job_event(
            environment="local",
            job_name="at_rest",
            job_run_id=run_id,
            timestamp=format_time(SystemClock().now()),
        )
        path.write_text(json.dumps(body))
        assert live.dwh("emit", str(path)).returncode == 0
        began = time.monotonic()
        until(lambda run_id=run_id: live.search("job-events", job_run_id=run_id))
        took.append(time.monotonic() - began)
    record_testsuite_property("emit_to_searchable_seconds", round(min(took), 2))
    assert min(took) < 1.5


def test_one_row_repaired_by_hand_changes_counts_check_and_downstream_set(live, plain, summary):
    system = live.system

    def one(index, **terms):
        return next(iter(live.search(index, **terms)), None)

    green = next(run for run in runs.demo_runs(1) if run.colour == "GREEN")
    before = one("job-events", job_run_id=green.run_id)
    replace_one_broken_line(system.place.data / "source", green, a_fresh_line(system, green))

    repaired = dataclasses.replace(green, colour="REPAIRED")
    runs.run_job(system, repaired)
    after = until(lambda: one("job-events", job_run_id=repaired.run_id, status="SUCCESS"))
    trigger = until(lambda: one("job-triggers", job_run_id=repaired.run_id, outcome="sent"))
    downstream = f"trig__{runs.JOB}__{trigger['id']}"
    until(lambda: one("job-events", job_run_id=downstream, status="SUCCESS"), seconds=150)

    def counts(run):
        return [run["metrics"][name] for name in ("records_read", "records_written", "records_dropped")]

    read, written, dropped = counts(before)
    assert counts(after) == [read, written + 1, dropped - 1]
    (check,) = [check for check in after["quality"]["checks"] if check["name"] == "drop_rate"]
    assert check["value"] == round((dropped - 1) / read, 4)
    assert check["value"] < next(c for c in before["quality"]["checks"] if c["name"] == "drop_rate")["value"]
    assert runs.filtered_set(system)["rows"] == summary["filtered_set"]["rows"] + 1


def a_fresh_line(system, run):
    """A sound input row that no run has seen."""
    command = [str(system.place.bin("jobs") / "python"), "-m", "dwh_jobs.sample_data", "--rows", "1"]
    target = system.place.state / "fresh"
    command += ["--seed", "4711", "--corrupt", "0", "--null-time", "0", "--undecryptable", "0"]
    command += ["--output", target.as_uri(), "--start_date", run.start, "--end_date", run.end]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (file,) = [path for path in target.rglob("*") if path.is_file() and path.stat().st_size]
    return file.read_text().strip()


def replace_one_broken_line(source, run, line):
    """As a person would with an editor: the first row that is no JSON becomes the given one."""
    hour = f"hour={run.start[11:13]}"
    for path in sorted(path for path in source.rglob("*") if path.is_file() and hour in str(path)):
        lines = path.read_text().splitlines()
        broken = next((place for place, text in enumerate(lines) if not is_object(text)), None)
        if broken is not None:
            lines[broken] = line
            path.write_text("\n".join(lines) + "\n")
            return
    raise AssertionError("no broken row to repair")


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def test_a_busy_port_is_named_with_its_owner(live):
    live.purge()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", live.system.ports.opensearch))
        taken.listen()
        answer = live.dwh("local", "up")
    assert answer.returncode == 1
    assert str(live.system.ports.opensearch) in answer.stderr
    assert "process" in answer.stderr


def test_three_copies_of_every_message_change_nothing(live, plain):
    live.purge()
    copies = live.demo("copies", DEMO_COPIES="3")
    assert differences(json.loads(plain.read_bytes()), json.loads(copies.read_bytes())) == []


def test_shuffled_messages_and_the_death_of_each_service_change_nothing(live, plain):
    live.purge()
    kills = {
        "✓ GREEN: Spark run": "indexer",
        "✓ YELLOW: Spark run": "alerts",
        "✓ RED: Spark run": "orchestrator",
        "… RED: `dwh approvals approve`": "approvals",
    }
    shuffled = live.demo("shuffled", kills, DEMO_SHUFFLE="7")
    assert differences(json.loads(plain.read_bytes()), json.loads(shuffled.read_bytes())) == []
