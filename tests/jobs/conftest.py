"""One Spark session and one AWS stand-in for the whole suite: starting them costs more than most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dwh_jobs.config import JobConfig
from dwh_jobs.session import open_session
from lab import Lab, a_context
from pyspark.sql import SparkSession
from stand_in import PYTHON, StandIn, started


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = open_session(a_context(), JobConfig(spark={"spark.sql.shuffle.partitions": "2"}))
    yield session
    session.stop()


@pytest.fixture
def lab(tmp_path: Path, spark: SparkSession) -> Lab:
    return Lab(tmp_path, spark)


@pytest.fixture(scope="session")
def lab_in(spark: SparkSession) -> Callable[[Path], Lab]:
    return lambda folder: Lab(folder, spark)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    if not PYTHON.exists():
        pytest.skip("the AWS stand-in is not installed: make setup")
    with started(tmp_path_factory.mktemp("aws")) as stand_in:
        yield stand_in
