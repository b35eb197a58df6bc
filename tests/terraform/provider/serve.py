"""A stand-in of the AWS provider: the real schema, a plan without AWS.

Serves `schema.json` over plugin protocol 6, so that `terraform validate`, `terraform test` with mocks and
`terraform plan` find every wrong, missing and mistyped argument where the provider itself cannot be
installed. It never applies, calls nobody, and does not check the ranges of values that AWS checks.
Computed values are unknown unless `planned` can tell them from a name; policy documents are rendered.

`serve.py SOCKET` serves until it is ended and prints the TF_REATTACH_PROVIDERS under which any number
of Terraform commands use it, without `terraform init`.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack
from planned import data_source, planned
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

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
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        proposed = _unpack(request.proposed_new_state)
        if proposed is not None:
            attributes = schema()["resource_schemas"][request.type_name]["block"]["attributes"]
            computed = {name for name, found in attributes.items() if found.get("computed")}
            proposed = planned(request.type_name, proposed, computed)
        return pb.PlanResourceChange.Response(planned_state=_pack(proposed), legacy_type_system=True)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        state = data_source(request.type_name, _unpack(request.config))
        return pb.ReadDataSource.Response(state=_pack(state))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


def main() -> None:
    """Serve on a socket until the process is ended."""
    socket = sys.argv[1]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
    rpc.add_ProviderServicer_to_server(Provider(), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    address = {"Network": "unix", "String": socket}
    attached = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    print(json.dumps({"hashicorp/aws": attached}), flush=True)  # noqa: T201 - what the caller waits for
    server.wait_for_termination()


if __name__ == "__main__":
    main()
