"""The stand-in for SNS, SQS, S3 and KMS: one process that speaks their protocols on one port."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

from dwh_local.children import Child
from dwh_local.errors import NotReady
from dwh_local.paths import checkout
from dwh_local.waiting import probe, until

REGION = "us-east-1"
ACCOUNT = "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running stand-in."""

    endpoint_url: str
    process: Child

    def stop(self) -> None:
        """End the stand-in; what it holds is kept in memory only and lost."""
        self.process.stop(seconds=10)


def command() -> list[str]:
    """The command line of the stand-in."""
    return [str(checkout().bin("aws") / "python"), "-m", "ministack"]


def environment(directory: Path, port: int) -> dict[str, str]:
    """What the stand-in reads."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "SERVICES": "sns,sqs,s3,kms",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "CLOUDTRAIL_RECORDING": "0",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(directory),
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
    }


def answers(endpoint_url: str) -> bool:
    """Whether the stand-in serves."""
    return probe(f"{endpoint_url}/_ministack/health")


def start_gateway(directory: Path, port: int) -> Gateway:
    """Start the stand-in and return when it serves. Raises NotReady with the end of its log."""
    directory.mkdir(parents=True, exist_ok=True)
    child = Child(command(), log=directory / "gateway.log", env=environment(directory, port))
    gateway = Gateway(f"http://127.0.0.1:{port}", child)
    ready = until(lambda: not child.alive() or answers(gateway.endpoint_url), seconds=READY_SECONDS)
    if not ready or not child.alive():
        child.stop()
        raise NotReady(f"the AWS stand-in on port {port} did not start:\n{child.tail()}")
    return gateway


def client_environment(endpoint_url: str) -> dict[str, str]:
    """What every AWS client of the local system finds in its environment."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CREDENTIALS,
    }


@functools.cache  # a client costs a tenth of a second and more
def client(service: str, endpoint_url: str) -> Any:
    """A botocore client of the stand-in, independent of the caller's AWS configuration."""
    session = Session(profile=None)
    session.set_config_variable("profile", None)
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}, connect_timeout=5),
    )


def inherited() -> dict[str, str]:
    """The caller's environment less its AWS, DWH and Airflow settings: nothing may reach a real account."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DWH_", "AIRFLOW"))
    }
