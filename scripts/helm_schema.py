"""The values of the chart as types; writes them as the JSON Schema that Helm holds values to.

Unknown keys are refused everywhere but in `global`, which belongs to parent charts, and in the maps whose
names are somebody else's (variables, labels, annotations). What several values must agree on stands in
`templates/validate.yaml`. An empty text means "not given": where that is no answer, a template says so.

    helm_schema.py helm/dwh/values.schema.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from dwh_contracts.names import ENVIRONMENT
from dwh_runtime.settings_names import SECRETS
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

JSON_SCHEMA = "http://json-schema.org/draft-07/schema#"  # what every Helm 3 and 4 reads
DEFINITIONS = "#/$defs/"
SQS_VISIBILITY_MOST = 43_200
HPA_WINDOW_MOST = 3_600
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = rf"{LABEL}(\.{LABEL})*"

Environment = Annotated[str, Field(pattern=f"^({ENVIRONMENT.pattern})?$")]
Name = Annotated[str, Field(pattern=f"^({NAME})?$")]
Url = Annotated[str, Field(pattern=r"^(https?://\S+)?$")]
Address = Annotated[str, Field(pattern=r"^https?://\S+$")]
Collector = Annotated[str, Field(pattern=r"^(https?://[^\s/@]+/?)?$")]
Uri = Annotated[str, Field(pattern=r"^((s3|file)://\S+)?$")]
TopicArn = Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$")]
RoleArn = Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+)?$")]
Repository = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*$")]
Digest = Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64})?$")]
Tag = Annotated[str, Field(pattern="^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")]

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1)]
Cpu = Annotated[str, Field(pattern=r"^([1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?)$")] | Annotated[float, Field(gt=0)]
Bytes = Annotated[str, Field(pattern="^[1-9][0-9]*(Ki|Mi|Gi)$")]
Shards = Annotated[str, Field(pattern="^(all|[1-9][0-9]*)$")] | Positive
Cron = Annotated[str, Field(pattern=r"^(@(hourly|daily|weekly|monthly)|[^\s@]+( [^\s@]+){4})$")]
Duration = Annotated[str, Field(pattern="^[1-9][0-9]*(ms|s|m)$")]
RequiredName = Annotated[str, Field(pattern=f"^{NAME}$")]
Cidr = Annotated[str, Field(pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:]*:[0-9a-f:]*)/[0-9]{1,3}$")]
Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
SecretVariable = Annotated[str, Field(pattern=f"^({'|'.join(sorted(SECRETS))})$")]
SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")]
Texts = dict[str, str]


class Section(BaseModel):
    """A section of the values: these keys and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Image(Section):
    """The one image that every pod runs; the digest wins over the tag."""

    repository: Repository
    tag: Tag
    digest: Digest
    pull_policy: Literal["Always", "IfNotPresent", "Never"]
    pull_secrets: dict[RequiredName, bool]


class Aws(Section):
    """Where AWS is; an endpoint only for a stand-in."""

    region: Annotated[str, Field(pattern="^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    endpoint_url: Url


class OpenSearch(Section):
    """The store."""

    url: Url
    auth: Literal["none", "basic", "sigv4"]
    user: str
    replicas: Count
    wait_for_active_shards: Shards


class Topics(Section):
    """ARNs of the topics."""

    job_events: TopicArn
    job_approvals: TopicArn
    alerts_warning: TopicArn
    alerts_critical: TopicArn


class Queues(Section):
    """URLs of the queues."""

    indexer: Url
    alerts: Url
    orchestrator: Url
    approvals: Url
    mwaa_triggers: Url


class Console(Section):
    """The console as people reach it."""

    url: Url


class Oidc(Section):
    """Who says who somebody is."""

    issuer: Url
    audience: str
    groups_claim: str
    token_header: Literal["", "authorization", "x-amzn-oidc-accesstoken"]


class Auth(Section):
    """How people are known."""

    mode: Literal["oidc", "local"]
    oidc: Oidc


class Secrets(Section):
    """The Secret that people made."""

    existing_secret: Name


class Identity(Section):
    """How pods get their IAM roles."""

    mode: Literal["podIdentity", "irsa", "none"]


class TextVariable(Section):
    """A variable with its text; numbers are quoted, because Helm would round them."""

    value: str


class SecretEntry(Section):
    """One key of one Secret."""

    name: RequiredName
    key: SecretKey


class SecretVariableSource(Section):
    """A variable whose text stands in a Secret."""

    secret: SecretEntry


class Keda(Section):
    """How KEDA looks at the queues."""

    polling_interval: Seconds
    aws_endpoint: Url
    credentials_secret: Name


class Autoscaling(Section):
    """The one owner of the replica counts."""

    engine: Literal["keda", "hpa", "none"]
    keda: Keda


class Scaling(Section):
    """Bounds and measure of an autoscaler."""

    min: Count
    max: Positive
    queue_length: Positive
    stabilization_seconds: Annotated[int, Field(ge=0, le=HPA_WINDOW_MOST)]


class Timeouts(Section):
    """Seconds; validate.yaml holds them to each other."""

    handler: Seconds
    drain: Seconds
    grace: Seconds
    visibility: Annotated[int, Field(ge=1, le=SQS_VISIBILITY_MOST)]


class Resources(Section):
    """Requests; the limit of memory is its request, and processor time has none."""

    cpu: Cpu
    memory: Bytes


class ServiceAccount(Section):
    """The role of a pod, for identity.mode=irsa."""

    role_arn: RoleArn


class Consumer(Section):
    """One consumer; a section of `consumers` holds differences from `defaults` only."""

    enabled: bool
    replicas: Count
    scaling: Scaling
    timeouts: Timeouts
    resources: Resources
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    tmp_size: Bytes
    service_account: ServiceAccount
    secret_keys: dict[SecretVariable, SecretKey]
    pod_annotations: Texts


class Consumers(Section):
    """The four consumers."""

    indexer: Consumer
    alerts: Consumer
    orchestrator: Consumer
    approvals: Consumer


class Bootstrap(Section):
    """The hook before an install or upgrade, and the daily run of the same command."""

    enabled: bool
    schedule: Cron
    ttl_seconds: Count
    deadline_seconds: Seconds
    service_account: ServiceAccount


class SelfTest(Section):
    """The pod of `helm test`."""

    enabled: bool
    seconds: Seconds
    service_account: ServiceAccount


class NetworkPolicy(Section):
    """Who may reach the pods, and what they may reach."""

    enabled: bool
    monitoring_namespace: RequiredName
    ingress_namespace: RequiredName
    egress_cidrs: dict[Cidr, bool]


class PodMonitor(Section):
    """Scraping by the Prometheus operator."""

    enabled: bool
    interval: Duration
    labels: Texts


class PrometheusRule(Section):
    """The alerts of files/rules, for the Prometheus operator."""

    enabled: bool
    runbook_base_url: Address
    labels: Texts
    annotations: Texts


class Ingress(Section):
    """The way to the console from outside."""

    enabled: bool
    class_name: Name
    host: Name
    tls_secret: Name
    annotations: Texts


class Values(Section):
    """Everything the chart knows."""

    environment: Environment
    image: Image
    aws: Aws
    opensearch: OpenSearch
    topics: Topics
    queues: Queues
    workflow_config_uri: Uri
    alert_routes_uri: Uri
    audit_uri: Uri
    otlp_endpoint: Collector
    console: Console
    auth: Auth
    secrets: Secrets
    identity: Identity
    extra_env: dict[Variable, TextVariable | SecretVariableSource]
    autoscaling: Autoscaling
    defaults: Consumer
    consumers: Consumers
    bootstrap: Bootstrap
    selftest: SelfTest
    network_policy: NetworkPolicy
    pod_monitor: PodMonitor
    prometheus_rule: PrometheusRule
    ingress: Ingress
    of_parents: Annotated[Any, Field(alias="global")] = None


class _Plain(GenerateJsonSchema):
    """Constraints only: defaults stand in values.yaml, titles would repeat the keys."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as inherited
        return False


def schema() -> dict[str, Any]:
    """The schema as data."""
    made: dict[str, Any] = _tidy(Values.model_json_schema(schema_generator=_Plain))
    definitions = made["$defs"]
    section = _differences(Consumer.__name__, definitions)
    definitions[Consumers.__name__]["properties"] = dict.fromkeys(Consumers.model_fields, section)
    return {"$schema": JSON_SCHEMA, **made}


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


def _differences(name: str, definitions: dict[str, Any]) -> dict[str, str]:
    """Define the section in which every key may be left out, at every depth; the reference to it."""
    inner = {f"{DEFINITIONS}{other}": other for other in definitions if definitions[other].get("properties")}
    properties = {
        key: _differences(inner[value["$ref"]], definitions) if value.get("$ref") in inner else value
        for key, value in definitions[name]["properties"].items()
    }
    loose = {key: value for key, value in definitions[name].items() if key != "required"}
    definitions[f"{name}Differences"] = {**loose, "properties": properties}
    return {"$ref": f"{DEFINITIONS}{name}Differences"}


def _tidy(node: Any) -> Any:
    """No names of classes as titles; a map whose names have a pattern takes no other name."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _tidy(value) for key, value in node.items() if key != "title"}
    return {**made, "additionalProperties": False} if "patternProperties" in made else made


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
