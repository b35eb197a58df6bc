"""The schema is generated, allows what the chart ships, and knows exactly what values.yaml shows."""

import helm_schema
import helm_values
import jsonschema
import pytest
import yaml
from rendering import CHART, CONSUMERS, ENVIRONMENTS, Refused, merged, objects, of_environment


def test_the_committed_schema_is_the_generated_one():
    committed = (CHART / "values.schema.json").read_text(encoding="utf-8")
    assert committed == helm_schema.text(), "run `make generate`"


def test_the_schema_is_one_that_validators_understand(schema):
    jsonschema.Draft7Validator.check_schema(schema)


def test_the_defaults_keep_their_own_schema(schema, defaults):
    jsonschema.validate(defaults, schema)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_states_known_values_only(schema, defaults, environment):
    jsonschema.validate(merged(defaults, of_environment(environment)), schema)


def test_values_yaml_shows_every_value_of_the_schema(schema, defaults):
    known = set(paths_of(schema, schema)) - {"global"}
    shown = set(paths(defaults, known))
    beside = {path for path in known | shown if path.startswith("consumers.")}
    assert known - beside == shown - beside


def test_a_consumer_may_differ_from_the_defaults_in_each_value_and_in_no_other(schema):
    known = set(paths_of(schema, schema))
    default = {path.removeprefix("defaults.") for path in known if path.startswith("defaults.")}
    for name in CONSUMERS:
        prefix = f"consumers.{name}."
        assert {path.removeprefix(prefix) for path in known if path.startswith(prefix)} == default


def test_there_are_the_consumers_of_the_one_list_and_no_other(schema, root):
    listed = yaml.safe_load((root / "deploy" / "consumers.json").read_text(encoding="utf-8"))["consumers"]
    assert set(schema["$defs"]["Consumers"]["properties"]) == set(listed) == set(CONSUMERS)


def test_what_terraform_gives_is_known_and_goes_on_top_of_an_environment():
    arn, queue = (
        "arn:aws:sns:us-east-1:111122223333:dwh-prod-",
        "https://sqs.us-east-1.amazonaws.com/111122223333/",
    )
    outputs = {
        "environment": "prod",
        "region": "us-east-1",
        "opensearch_url": "https://vpc-dwh-prod.example.com",
        "opensearch_replicas": 2,
        "topic_arns": {name: arn + name for name in helm_values.TOPICS.values()},
        "queue_urls": {name: f"{queue}dwh-prod-{name}" for name in CONSUMERS},
        "trigger_queue_url": f"{queue}dwh-prod-mwaa-triggers",
        "workflow_config_uri": "s3://dwh-prod-code/orchestration/workflow_config.json",
        "alert_routes_uri": "s3://dwh-prod-code/orchestration/alert_routes.json",
        "audit_uri": "s3://dwh-prod-journal/digests",
        "console_url": "https://approvals.example.com",
        "oidc": {
            "issuer": "https://login.example.com",
            "audience": "dwh",
            "groups_claim": "groups",
            "token_header": "authorization",
        },
        "identity_mode": "podIdentity",
        "role_arns": {
            name: f"arn:aws:iam::111122223333:role/dwh-prod-{name}"
            for name in (*CONSUMERS, "bootstrap", "selftest")
        },
    }
    given = helm_values.values(
        {"helm": {"value": outputs}}, image=f"registry.example.com/dwh@sha256:{'0' * 64}"
    )
    assert objects(merged(of_environment("prod"), given))


def test_a_parent_chart_may_set_anything_in_global():
    assert objects(of_environment("dev", **{"global": {"whatever": [1, {"two": None}]}}))


@pytest.mark.parametrize(
    "section", ["", "image", "consumers", "consumers.alerts", "consumers.alerts.timeouts"]
)
def test_an_unknown_key_is_refused_at_every_depth(section):
    wrong = {"notAKey": 1}
    for key in reversed(section.split(".") if section else []):
        wrong = {key: wrong}
    with pytest.raises(Refused) as refused:
        objects(merged(of_environment("dev"), wrong))
    assert f"at '{section and '/'}{section.replace('.', '/')}'" in str(refused.value)
    assert "'notAKey' not allowed" in str(refused.value)


def paths(values, known, before=""):
    """Dotted paths of the leaves; a map that the schema knows as one value is one leaf."""
    for key, value in values.items():
        path = f"{before}{key}"
        if isinstance(value, dict) and path not in known:
            yield from paths(value, known, f"{path}.")
        else:
            yield path


def paths_of(node, schema, before=""):
    for key, value in node["properties"].items():
        found = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if "properties" in found:
            yield from paths_of(found, schema, f"{before}{key}.")
        else:
            yield f"{before}{key}"
