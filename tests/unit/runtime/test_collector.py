"""In a process of its own: the collector is the interpreter's, not this test's."""

import subprocess
import sys

_PROGRAM = """
import gc
from dwh_runtime import collector
before = gc.get_threshold()[0]
collector.spare()
print(gc.get_freeze_count() > 1000, gc.get_threshold()[0] > 10 * before, gc.isenabled())
"""


def test_what_is_loaded_is_left_alone_and_young_objects_are_looked_at_ten_times_less_often():
    answer = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "True", "True"]
