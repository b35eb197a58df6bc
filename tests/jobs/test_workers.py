"""What runs inside the Python workers: light to import, exact to the bit, and named when it fails."""

from __future__ import annotations

import subprocess
import sys

from dwh_jobs.transform_images.columns import number_column, text_column
from hypothesis import given
from hypothesis import strategies as st


@given(
    texts=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
)
def test_columns_read_back_as_they_were_given(texts: list[str | None], numbers: list[int | None]) -> None:
    for column, values in ((text_column(texts), texts), (number_column(numbers), numbers)):
        column.validate(full=True)
        assert column.to_pylist() == values
        assert column.null_count == values.count(None)


def test_a_worker_imports_nothing_heavy_for_the_cipher() -> None:
    probe = (
        "import sys; from dwh_jobs.transform_images.columns import number_column, text_column\n"
        "from dwh_jobs.transform_images.references import references\n"
        "text_column(['a', None]), number_column([1, None])\n"
        "references('test_cipher', [(None, None, None)])\n"
        "print(sorted({'boto3', 'pandas', 'pydantic'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
