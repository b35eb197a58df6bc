"""Arrow columns from Python values, without `pyarrow.array`: its first call imports pandas when it can.

Every Python worker would pay for that with a second of start-up.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa


def text_column(values: Sequence[str | None]) -> pa.Array:
    """A column of text."""
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = array("i", accumulate(map(len, encoded), initial=0))
    buffers = [_present(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def number_column(values: Sequence[int | None]) -> pa.Array:
    """A column of whole numbers of 64 bits."""
    numbers = array("q", [value or 0 for value in values])
    return pa.Array.from_buffers(pa.int64(), len(values), [_present(values), pa.py_buffer(numbers)])


def _present(values: Sequence[object]) -> pa.Buffer:
    """One bit per value, the first in the lowest: set unless the value is None."""
    bits = "".join("0" if value is None else "1" for value in reversed(values)) or "0"
    return pa.py_buffer(int(bits, 2).to_bytes((len(values) + 7) // 8, "little"))
