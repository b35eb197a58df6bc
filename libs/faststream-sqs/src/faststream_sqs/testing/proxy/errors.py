"""Refusals in the form that the client reads."""

from faststream_sqs.testing.canned.faults import SERVER_FAULT
from faststream_sqs.testing.canned.http import Request, Response
from faststream_sqs.testing.canned.server import refusal

NOT_OF_AWS = b"<html><body>the service is not available</body></html>"


def answer_of(request: Request, code: str, status: int) -> Response:
    """An error of AWS in the protocol of the call; without a code, a page as load balancers send it."""
    if not code:
        return Response(NOT_OF_AWS, status)
    if request.operation:
        return refusal(code, status)
    party = "Receiver" if status >= SERVER_FAULT else "Sender"
    error = f"<Type>{party}</Type><Code>{code}</Code><Message>proxy: {code}</Message>"
    return Response(f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode(), status)
