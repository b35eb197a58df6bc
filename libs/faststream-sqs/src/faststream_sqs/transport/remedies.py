"""What a person can do about an error of AWS, by its code.

Codes of SQS and SNS in both protocols, and names of botocore's own errors. Throttling and server errors have
no remedy here: the broker tries again by itself.
"""

from faststream_sqs.transport.credentials import CREDENTIAL_CODES

NO_QUEUE = "create it, or correct its name, the region or the account"
NO_RIGHT = (
    "allow the call: to consume, sqs:ReceiveMessage, DeleteMessage, ChangeMessageVisibility, GetQueueUrl and "
    "GetQueueAttributes; to send, sqs:SendMessage or sns:Publish; and the use of its KMS key"
)
OTHER_REGION = "give SQSBroker or AWS_REGION the region of the queue or topic"
NO_CREDENTIALS = "give the process valid credentials for this account; they are read again by themselves"
STALE = (
    "the message was held longer than its lock and comes again: keep the heartbeat on or give the "
    "subscriber a longer visibility"
)
TOO_LARGE = "make the body smaller, or keep it in S3 with large=LargePayload(bucket)"
NO_PARKING = "give the queue a redrive policy, or name one with Parking(queue=)"
UNREACHABLE = "see whether the endpoint can be reached from here, and the region is one"
NOT_SQS = "something else answers in the place of SQS: see the endpoint, and proxies on the way"

_BY_CODE = {
    **dict.fromkeys(CREDENTIAL_CODES, NO_CREDENTIALS),
    "AWS.SimpleQueueService.NonExistentQueue": NO_QUEUE,
    "QueueDoesNotExist": NO_QUEUE,
    "QueueNotFound": NO_QUEUE,
    "NotFound": NO_QUEUE,
    "NotFoundException": NO_QUEUE,
    "AccessDenied": NO_RIGHT,
    "AccessDeniedException": NO_RIGHT,
    "AuthorizationError": NO_RIGHT,
    "KmsAccessDenied": NO_RIGHT,
    "KMSAccessDenied": NO_RIGHT,
    "InvalidAddress": OTHER_REGION,
    "InvalidRegionError": OTHER_REGION,
    "NoRegionError": OTHER_REGION,
    "InvalidIdFormat": STALE,
    "MessageNotInflight": STALE,
    "AWS.SimpleQueueService.MessageNotInflight": STALE,
    "ReceiptHandleIsInvalid": STALE,
    "BatchRequestTooLong": TOO_LARGE,
    "AWS.SimpleQueueService.BatchRequestTooLong": TOO_LARGE,
    "ConnectTimeoutError": UNREACHABLE,
    "EndpointConnectionError": UNREACHABLE,
    "UnreadableAnswer": NOT_SQS,
}


def remedy_of(code: str, detail: str = "") -> str:
    """What to do; empty when there is nothing to do but wait, or nothing is known.

    The codes for a signature and for a parameter have several causes, which only `detail` tells apart.
    """
    text = detail.lower()
    if "scoped to a valid region" in text or "scoped to correct region" in text:
        return OTHER_REGION
    if code in {"InvalidParameterValue", "InvalidParameter"}:
        if "receipt" in text:
            return STALE
        if "shorter than" in text or "too long" in text:
            return TOO_LARGE
        if "topicarn" in text:
            return OTHER_REGION
    return _BY_CODE.get(code, "")
