"""What people mistype: each is refused before anything is installed, and the text names the path.

A mistake is written as for `--set`, on top of the values of prod; several parts are one mistake that only
shows together.
"""

import pytest
from rendering import Refused, merged, objects, of_environment, set_

ROLES = "defaults.serviceAccount.roleArn=arn:aws:iam::111122223333:role/dwh"
IRSA = f"identity.mode=irsa,{ROLES}"

UNKNOWN_KEYS = [
    "enviroment=prod",
    "replicas=3",
    "image.tags=1.2.3",
    "image.pullSecrets.Not_A_Name=true",
    "opensearch.password=secret",
    "topics.jobsEvents=x",
    "queues.mwaa-triggers=x",
    "auth.oidc.clientId=x",
    "secrets.name=dwh",
    "autoscaling.keda.cooldown=5",
    "consumers.indexr.enabled=true",
    "consumers.Alerts.enabled=true",
    "consumers.bootstrap.enabled=true",
    "consumers.alerts.replica=2",
    "consumers.alerts.timeouts.gracePeriod=60",
    "consumers.alerts.resources.limits=1",
    "consumers.alerts.scaling.minReplicas=1",
    "consumers.alerts.secretKeys.DWH_LINK_KEY=link-keys",
    "defaults.resource.cpu=1",
    "bootstrap.ttlSecondsAfterFinished=5",
    "networkPolicy.egressCidrs.everywhere=true",
    "podMonitor.labelz.release=x",
    "prometheusRule.rules=x",
    "ingress.hosts=x",
    "extraEnv.not-a-name.value=x",
]

WRONG_VALUES = [
    "environment=Prod",
    "image.tag=1",
    "image.digest=sha256:abc",
    "image.pullPolicy=Sometimes",
    "image.repository=https://registry.example.com/dwh",
    "image.repository=registry.example.com/dwh:1.0",
    "aws.region=us-east",
    "opensearch.url=dwh-prod.example.com:443",
    "opensearch.auth=token",
    "opensearch.replicas=-1",
    "opensearch.waitForActiveShards=most",
    "topics.jobEvents=dwh-prod-job-events",
    "queues.alerts=arn:aws:sqs:us-east-1:111122223333:dwh-prod-alerts",
    "workflowConfigUri=dwh-prod-code/workflow_config.json",
    "auth.mode=none",
    "identity.mode=podidentity",
    "autoscaling.engine=vpa",
    "autoscaling.keda.pollingInterval=0",
    "consumers.alerts.enabled=maybe",
    "consumers.alerts.scaling.max=0",
    "consumers.alerts.scaling.max=many",
    "consumers.alerts.scaling.queueLength=0",
    "consumers.alerts.scaling.stabilizationSeconds=7200",
    "consumers.alerts.timeouts.handler=0",
    "consumers.alerts.timeouts.drain=-5",
    "consumers.alerts.timeouts.grace=45s",
    "consumers.alerts.timeouts.visibility=50000",
    "consumers.alerts.resources.memory=256m",
    "consumers.alerts.resources.memory=512",
    "consumers.alerts.resources.cpu=half",
    "consumers.alerts.logLevel=debug",
    "consumers.alerts.serviceAccount.roleArn=alerts",
    "consumers.alerts.podAnnotations.scrape=true",
    "consumers.alerts=off",
    "defaults.timeouts.grace=1.5",
    "extraEnv.PORT.value=8080",
    "bootstrap.schedule=at night",
    "selftest.seconds=0",
    "networkPolicy.egressCidrs=10.0.0.0/8",
    "podMonitor.interval=15",
    "prometheusRule.runbookBaseUrl=wiki/runbooks",
    "ingress.host=https://approvals.example.com",
]

DISAGREEING = {
    "consumers.alerts.replicas": "consumers.alerts.replicas=3",
    "consumers.indexer.replicas": "autoscaling.engine=hpa,consumers.indexer.replicas=1",
    "defaults.replicas": "defaults.replicas=3",
    "consumers.alerts.timeouts.grace": "consumers.alerts.timeouts.grace=34",
    "consumers.approvals.timeouts.grace": "consumers.approvals.timeouts.drain=60",
    "consumers.alerts.timeouts.visibility": "consumers.alerts.timeouts.visibility=29",
    "consumers.orchestrator.timeouts.visibility": "consumers.orchestrator.timeouts.handler=61",
    "consumers.alerts.scaling.min": "consumers.alerts.scaling.min=9",
    "consumers.indexer.scaling.min": "consumers.indexer.scaling.min=0",
    "consumers.approvals.scaling.min": "autoscaling.engine=hpa,consumers.approvals.scaling.min=0",
    "consumers.orchestrator.serviceAccount.roleArn": (
        f"{IRSA},consumers.orchestrator.serviceAccount.roleArn="
    ),
    "selftest.serviceAccount.roleArn": IRSA,
    "bootstrap.serviceAccount.roleArn": f"{IRSA},selftest.enabled=false,opensearch.auth=sigv4",
    "queues.alerts": "queues.alerts=",
    "queues.mwaaTriggers": "queues.mwaaTriggers=",
    "topics.jobEvents": "topics.jobEvents=",
    "environment": "environment=",
    "opensearch.url": "opensearch.url=",
    "workflowConfigUri": "workflowConfigUri=",
    "opensearch.user": "opensearch.user=",
    "secrets.existingSecret": "secrets.existingSecret=",
    "auth.oidc.issuer": "auth.oidc.issuer=",
    "auth.oidc.audience": "auth.oidc.audience=",
    "auth.mode": "auth.mode=local",
    "extraEnv.DWH_ENVIRONMENT": "extraEnv.DWH_ENVIRONMENT.value=staging",
    "extraEnv.DWH_QUEUE_URL": "extraEnv.DWH_QUEUE_URL.value=https://sqs.example.com/other",
    "extraEnv.DWH_CSRF_KEYS": "extraEnv.DWH_CSRF_KEYS.value=key",
    "ingress.enabled": "consumers.approvals.enabled=false",
    "ingress.host": "ingress.host=",
    "networkPolicy.egressCidrs": "networkPolicy.egressCidrs.10\\.0\\.0\\.0/8=false",
}


def refusal(text):
    with pytest.raises(Refused) as refused:
        objects(merged(of_environment("prod"), set_(text)))
    return str(refused.value)


def test_what_the_mistakes_are_made_in_is_right():
    assert objects(of_environment("prod"))


@pytest.mark.parametrize("mistake", UNKNOWN_KEYS)
def test_an_unknown_key_is_named_with_its_place(mistake):
    said, (path, _) = refusal(mistake), mistake.split("=", 1)
    assert any(
        f"at '{parent and '/'}{parent.replace('.', '/')}': additional properties '{key.split('.')[0]}'"
        in said
        for parent, key in splits(path)
    ), said


@pytest.mark.parametrize("mistake", WRONG_VALUES)
def test_a_wrong_value_is_named_by_its_path(mistake):
    said, (path, _) = refusal(mistake), mistake.split("=", 1)
    assert f"at '/{path.replace('.', '/')}'" in said


@pytest.mark.parametrize("path", DISAGREEING)
def test_values_that_disagree_are_named_by_the_path_to_change(path):
    said = refusal(DISAGREEING[path]).partition("): ")[2]
    assert said.startswith((f"{path}: ", f"{path} is empty"))


@pytest.mark.parametrize(
    "text",
    [
        "autoscaling.engine=none,consumers.alerts.replicas=3,defaults.replicas=2",
        "environment=dev,consumers.indexer.scaling.min=0",
        "consumers.alerts.timeouts.grace=35,consumers.alerts.timeouts.visibility=30",
        "consumers.alerts.resources.cpu=0.5,consumers.alerts.resources.memory=1Gi",
        "opensearch.waitForActiveShards=2,opensearch.auth=sigv4",
        "consumers.alerts.enabled=false,queues.alerts=",
        "consumers.approvals.enabled=false,ingress.enabled=false,auth.oidc.issuer=",
        "consumers.alerts.enabled=false,consumers.alerts.replicas=3",
        "networkPolicy.egressCidrs.10\\.0\\.0\\.0/8=false,networkPolicy.enabled=false",
        f"{IRSA},selftest.enabled=false",
    ],
)
def test_what_is_near_to_a_mistake_and_none_is_accepted(text):
    assert objects(merged(of_environment("prod"), set_(text)))


def splits(path):
    keys = path.split(".")
    return [(".".join(keys[:at]), ".".join(keys[at:])) for at in range(len(keys))]
