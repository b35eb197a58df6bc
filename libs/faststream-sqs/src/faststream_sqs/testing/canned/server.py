"""The server: operations of the JSON protocol over canned queues."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

from faststream_sqs.clock import Clock, SystemClock
from faststream_sqs.testing.canned.faults import QUERY_CODES, SERVER_FAULT, Fault, Faults
from faststream_sqs.testing.canned.http import Connection, Request, Response
from faststream_sqs.testing.canned.queues import CannedQueue, message_id

ACCOUNT = "000000000000"


class CannedSQS:
    """An asynchronous context manager; `url` is the endpoint for clients.

    `calls` counts calls by operation, refused ones included. `latency` holds back every answer.
    """

    def __init__(self, *, host: str = "127.0.0.1", latency: float = 0.0, clock: Clock | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.queues: dict[str, CannedQueue] = {}
        self.url = ""
        self._host = host
        self._latency = latency
        self._clock = clock or SystemClock()
        self._faults = Faults()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "CreateQueue": self._create_queue,
            "GetQueueUrl": self._get_queue_url,
            "GetQueueAttributes": self._get_queue_attributes,
            "SetQueueAttributes": lambda _: {},
            "ListQueues": lambda _: {"QueueUrls": [queue.url for queue in self.queues.values()]},
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change,
            "ChangeMessageVisibilityBatch": self._change_batch,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
        }

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._respond, self._tasks), self._host, 0, backlog=1024
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{self._host}:{port}"
        for name, queue in self.queues.items():
            queue.url = f"{self.url}/{ACCOUNT}/{name}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def queue(self, name: str) -> CannedQueue:
        """The queue of this name, made when there is none."""
        if name not in self.queues:
            self.queues[name] = CannedQueue(f"{self.url}/{ACCOUNT}/{name}", self._clock)
        return self.queues[name]

    def fail(self, operation: str, fault: Fault) -> None:
        """Let the next calls of an operation fail; faults of one operation happen one after another."""
        self._faults.add(operation, fault)

    def accept_only(self, *access_keys: str) -> None:
        """Refuse every call signed with another key as `ExpiredToken` from now on."""
        self._faults.access_keys = frozenset(access_keys)

    def _respond(self, request: Request) -> Response | Awaitable[Response]:
        operation = request.operation
        self.calls[operation] += 1
        if self._faults.refuses(request.access_key):
            return refusal("ExpiredToken", 403)
        fault = self._faults.next(operation)
        delay = self._latency + (fault.delay_seconds if fault else 0.0)
        if fault is not None and not fault.entries and not fault.takes_effect:
            return self._in_time(_failed(fault), delay)
        answer = self._answer(operation, json.loads(request.body or b"{}"), fault)
        if isinstance(answer, Response):
            return self._in_time(_failed(fault) if fault and not fault.entries else answer, delay)
        return self._after(answer, delay, fault)

    def _answer(
        self, operation: str, asked: dict[str, Any], fault: Fault | None
    ) -> Response | Awaitable[Response]:
        try:
            if operation == "ReceiveMessage":
                return self._receive(asked)
            if fault is not None and fault.entries:
                return _encoded(self._partly(operation, asked, fault))
            perform = self._operations.get(operation)
            if perform is None:
                return refusal("InvalidAction", 400)
            return _encoded(perform(asked))
        except LookupError:
            return refusal("QueueDoesNotExist", 400)

    def _in_time(self, response: Response, delay: float) -> Response | Awaitable[Response]:
        return response if delay <= 0 else self._after(_now(response), delay, None)

    async def _after(self, answer: Awaitable[Response], delay: float, fault: Fault | None) -> Response:
        response = await answer
        if delay > 0:
            await self._clock.sleep(delay)
        return _failed(fault) if fault else response

    def _named(self, asked: dict[str, Any]) -> CannedQueue:
        return self.queues[asked["QueueUrl"].rstrip("/").rpartition("/")[2]]

    def _receive(self, asked: dict[str, Any]) -> Response | Awaitable[Response]:
        queue = self._named(asked)
        if queue.has_visible or not asked.get("WaitTimeSeconds"):
            return _messages(queue, asked)
        return self._receive_later(queue, asked)

    async def _receive_later(self, queue: CannedQueue, asked: dict[str, Any]) -> Response:
        await queue.wait(float(asked["WaitTimeSeconds"]))
        return _messages(queue, asked)

    def _create_queue(self, asked: dict[str, Any]) -> Any:
        return {"QueueUrl": self.queue(asked["QueueName"]).url}

    def _get_queue_url(self, asked: dict[str, Any]) -> Any:
        return {"QueueUrl": self.queues[asked["QueueName"]].url}

    def _get_queue_attributes(self, asked: dict[str, Any]) -> Any:
        queue = self._named(asked)
        known = {
            "ApproximateNumberOfMessages": str(queue.left - queue.in_flight),
            "ApproximateNumberOfMessagesNotVisible": str(queue.in_flight),
            "QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue.url.rpartition('/')[2]}",
            "VisibilityTimeout": str(int(queue.visibility)),
        }
        names = asked.get("AttributeNames", [])
        return {"Attributes": {n: v for n, v in known.items() if n in names or "All" in names}}

    def _delete(self, asked: dict[str, Any]) -> Any:
        self._named(asked).delete(asked["ReceiptHandle"])
        return {}

    def _delete_batch(self, asked: dict[str, Any]) -> Any:
        queue = self._named(asked)
        for entry in asked["Entries"]:
            queue.delete(entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _change(self, asked: dict[str, Any]) -> Any:
        self._named(asked).change(asked["ReceiptHandle"], asked["VisibilityTimeout"])
        return {}

    def _change_batch(self, asked: dict[str, Any]) -> Any:
        queue = self._named(asked)
        good, bad = [], []
        for entry in asked["Entries"]:
            if queue.change(entry["ReceiptHandle"], entry["VisibilityTimeout"]):
                good.append({"Id": entry["Id"]})
            else:
                bad.append({"Id": entry["Id"], "Code": "MessageNotInflight", "SenderFault": True})
        return {"Successful": good, "Failed": bad}

    def _send(self, asked: dict[str, Any]) -> Any:
        number = self._named(asked).add(asked["MessageBody"], asked.get("MessageAttributes"))
        return {"MessageId": message_id(number), "MD5OfMessageBody": ""}

    def _send_batch(self, asked: dict[str, Any]) -> Any:
        queue = self._named(asked)
        good = []
        for entry in asked["Entries"]:
            number = queue.add(entry["MessageBody"], entry.get("MessageAttributes"))
            good.append({"Id": entry["Id"], "MessageId": message_id(number), "MD5OfMessageBody": ""})
        return {"Successful": good, "Failed": []}

    def _partly(self, operation: str, asked: dict[str, Any], fault: Fault) -> Any:
        entries = asked["Entries"]
        refused = [entry for index, entry in enumerate(entries) if index in fault.entries]
        kept = entries if fault.takes_effect else [entry for entry in entries if entry not in refused]
        answer = self._operations[operation](asked | {"Entries": kept})
        ids = {entry["Id"] for entry in refused}
        good = [entry for entry in answer["Successful"] if entry["Id"] not in ids]
        bad = [{"Id": i, "Code": fault.code, "SenderFault": fault.sender_fault} for i in sorted(ids)]
        return {"Successful": good, "Failed": answer["Failed"] + bad}


def refusal(code: str, status: int) -> Response:
    """The answer to a call that is refused as a whole."""
    query_code = QUERY_CODES.get(code, code)
    party = "Receiver" if status >= SERVER_FAULT else "Sender"
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": f"canned: {code}"}).encode()
    return Response(body, status, (("x-amzn-query-error", f"{query_code};{party}"),))


def _failed(fault: Fault) -> Response:
    if fault.cut:
        return Response(cut=True)
    if fault.body is not None:
        return Response(fault.body, fault.status)
    return refusal(fault.code, fault.status)


def _messages(queue: CannedQueue, asked: dict[str, Any]) -> Response:
    shown = queue.receive(int(asked.get("MaxNumberOfMessages", 1)), asked.get("VisibilityTimeout"))
    return Response(f'{{"Messages":[{",".join(shown)}]}}'.encode()) if shown else Response()


def _encoded(answer: Any) -> Response:
    return Response(json.dumps(answer, separators=(",", ":")).encode())


async def _now(response: Response) -> Response:
    return response
