"""Stands in for the Spark job: writes down its arguments and environment, fails when told to."""

import json
import os
import sys
from pathlib import Path

arguments = sys.argv[1:]
run_id = arguments[arguments.index("--job_run_id") + 1]
record = {"arguments": arguments, "topic": os.environ.get("DWH_JOB_EVENTS_TOPIC_ARN")}
Path(os.environ["RECORD_FOLDER"], f"{run_id}.json").write_text(json.dumps(record))
sys.exit(1 if "fail" in arguments else 0)
