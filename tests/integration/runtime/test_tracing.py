import os
import socket
import subprocess
import sys

import pytest
from dwh_runtime.testing import base_environment

pytestmark = pytest.mark.integration


def test_a_process_ends_within_seconds_though_its_collector_never_answers():
    """In a process of its own: whatever its loop still waits for keeps it from ending."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = """
import asyncio
from dwh_runtime import tracing
from dwh_runtime.settings import ServiceSettings, load

async def main():
    opened = tracing.open_tracing(load(ServiceSettings), "indexer")
    [middleware] = opened.middlewares
    tracer = middleware._tracer
    for number in range(1200):
        tracer.start_span(str(number)).end()
    await opened.close()

asyncio.run(main())
"""
        settings = base_environment(DWH_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DWH_", "AWS_"))}
        subprocess.run([sys.executable, "-c", program], env=kept | settings, check=True, timeout=16)
