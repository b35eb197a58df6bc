"""What the courier delivers, how often, and in which order."""

from dwh_local.courier import LONGEST_HOLD_WINDOWS, Courier, Shuffle
from dwh_local.system import Faults


class Queues:
    """Stands for SQS: one held queue to take from, one real queue that keeps what it gets."""

    def __init__(self, bodies: list[str]) -> None:
        self.held = [
            {"Body": body, "ReceiptHandle": body, "MessageAttributes": {"event_type": body}}
            for body in bodies
        ]
        self.deleted: list[str] = []
        self.sent: list[tuple[str, object]] = []

    def receive_message(self, **_: object) -> dict[str, object]:
        taken, self.held = self.held[:10], self.held[10:]
        return {"Messages": taken} if taken else {}

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: object) -> None:  # noqa: N803
        self.sent.append((MessageBody, MessageAttributes))

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        assert [body for body, _ in self.sent].count(ReceiptHandle) == 3, "deleted before all copies left"
        self.deleted.append(ReceiptHandle)


def courier(queues: Queues, faults: Faults) -> Courier:
    ticks = iter(range(10_000))
    return Courier(queues, "held", "real", Shuffle(faults), monotonic=lambda: float(next(ticks)))


def delivered(shuffle: Shuffle, bodies: list[str]) -> list[str]:
    for body in bodies:
        shuffle.add({"Body": body})
    left = []
    while shuffle.waiting:
        left += [copy.parcel.message["Body"] for copy in shuffle.leaving()]
    return left


def test_each_message_arrives_three_times_in_order_with_its_attributes() -> None:
    queues = Queues(["a", "b"])
    courier(queues, Faults(copies=3)).step()
    assert queues.sent == [("a", {"event_type": "a"})] * 3 + [("b", {"event_type": "b"})] * 3
    assert queues.deleted == ["a", "b"]


def test_a_held_message_is_deleted_only_after_its_last_copy() -> None:
    queues = Queues(["a", "b", "c"])
    carried = courier(queues, Faults(copies=3, seed=7))
    while len(queues.deleted) < 3:
        carried.step()
    assert sorted(body for body, _ in queues.sent) == sorted("abc" * 3)


def test_a_seed_shuffles_but_loses_and_doubles_nothing() -> None:
    bodies = [f"m{number:02d}" for number in range(30)]
    first = delivered(Shuffle(Faults(seed=1)), bodies)
    assert first == delivered(Shuffle(Faults(seed=1)), bodies)
    assert first != delivered(Shuffle(Faults(seed=2)), bodies) != bodies
    assert sorted(first) == bodies


def test_nothing_is_held_longer_than_its_windows() -> None:
    shuffle = Shuffle(Faults(seed=3))
    for number in range(100):
        shuffle.add({"Body": str(number)})
    for _ in range(LONGEST_HOLD_WINDOWS + 1):
        shuffle.leaving()
    assert shuffle.waiting == []
