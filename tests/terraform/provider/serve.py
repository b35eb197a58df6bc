"""A stand-in of the AWS provider: the real schema, a plan without AWS.

Serves `schema.json` over plugin protocol 6, so that `terraform validate`, `terraform test` with mocks and
`terraform plan` find every wrong, missing and mistyped argument where the provider itself cannot be
installed. It never applies, calls nobody, and does not check the ranges of values that AWS checks.
Computed values are unknown unless `planned` can tell them from a name; policy documents are rendered.
"""

from __future__ import annotations

import base64
import functools
import json
import tempfile
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack
from planned import Region, data_source, planned
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.runner import _self_signed_cert

HERE = Path(__file__).resolve().parent
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


@functools.cache
def schema() -> dict[str, Any]:
    """The schema as `terraform providers schema -json` prints it, cut to what this repository uses."""
    return json.loads((HERE / "schema.json").read_bytes())


def _block(block: dict[str, Any]) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(found["type"]).encode(),
                required=found.get("required", False),
                optional=found.get("optional", False),
                computed=found.get("computed", False),
            )
            for name, found in block.get("attributes", {}).items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_block(found["block"]),
                nesting=NESTING[found["nesting_mode"]],
                min_items=found.get("min_items", 0),
                max_items=found.get("max_items", 0),
            )
            for name, found in block.get("block_types", {}).items()
        ],
    )


def _schemas(kind: str) -> dict[str, pb.Schema]:
    return {
        name: pb.Schema(version=0, block=_block(found["block"])) for name, found in schema()[kind].items()
    }


@functools.cache
def _all_schemas() -> pb.GetProviderSchema.Response:
    return pb.GetProviderSchema.Response(
        provider=pb.Schema(version=0, block=_block(schema()["provider"]["block"])),
        resource_schemas=_schemas("resource_schemas"),
        data_source_schemas=_schemas("data_source_schemas"),
        server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=False),
    )


def _unpack(value: pb.DynamicValue) -> Any:
    return json.loads(value.json) if value.json else msgpack.unpackb(value.msgpack, raw=False)


def _pack(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


class Provider(rpc.ProviderServicer):
    """What Terraform asks a provider for before anything is applied."""

    def __init__(self) -> None:
        self._region = Region("us-east-1")

    def GetMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the schema says it all")

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return _all_schemas()

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        region = (_unpack(request.config) or {}).get("region")
        if isinstance(region, str):
            self._region = Region(region)
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        proposed = _unpack(request.proposed_new_state)
        if proposed is not None:
            attributes = schema()["resource_schemas"][request.type_name]["block"]["attributes"]
            computed = {name for name, found in attributes.items() if found.get("computed")}
            proposed = planned(request.type_name, proposed, computed, self._region)
        return pb.PlanResourceChange.Response(planned_state=_pack(proposed), legacy_type_system=True)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        state = data_source(request.type_name, _unpack(request.config), self._region)
        return pb.ReadDataSource.Response(state=_pack(state))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


class Controller(controller_rpc.GRPCControllerServicer):
    """Ends the process when Terraform is done with it."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server

    def Shutdown(self, request: Any, context: Any) -> Any:
        self._server.stop(0)
        return controller.Empty()


class Stdio(stdio_rpc.GRPCStdioServicer):
    """Nothing to print."""

    def StreamStdio(self, request: Any, context: Any) -> Any:
        return iter([])


def main() -> None:
    """Serve until Terraform says that it is done."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
    rpc.add_ProviderServicer_to_server(Provider(), server)
    controller_rpc.add_GRPCControllerServicer_to_server(Controller(server), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(Stdio(), server)
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/provider.sock"
        chain, credentials = _self_signed_cert()
        server.add_secure_port(f"unix://{socket}", credentials)
        server.start()
        certificate = base64.b64encode(chain).decode().rstrip("=")
        print("|".join(["1", "6", "unix", socket, "grpc", certificate]), flush=True)  # noqa: T201 - handshake
        server.wait_for_termination()


if __name__ == "__main__":
    main()
