"""Whatever comes in whichever order: one decision is accepted and the read models say what the facts say."""

from dataclasses import dataclass, field
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INPUTS = ("job", "job again", "approve", "same approve", "reject", "expiry")
PEOPLE = {"approve": ("ann", "APPROVED"), "same approve": ("ann", "APPROVED"), "reject": ("bob", "REJECTED")}


@dataclass
class Oracle:
    """The state table once more, as plainly as it can be said."""

    known: bool = False
    final: tuple | None = None
    early: list = field(default_factory=list)
    outcomes: dict = field(default_factory=dict)

    def take(self, given):
        if given.startswith("job"):
            self.known = True
            early, self.early = self.early, []
            for decision in early:
                self.decide(decision)
        elif given == "expiry":
            if self.known and self.final is None:
                self.final = ("system:expiry", "EXPIRED")
                self.outcomes[self.final] = "accepted"
        elif self.known:
            self.decide(PEOPLE[given])
        elif PEOPLE[given] not in self.early:
            self.early.append(PEOPLE[given])
            self.early.sort()  # they carry one timestamp each, ann's before bob's
            self.outcomes[PEOPLE[given]] = "early"

    def decide(self, decision):
        if self.final is None:
            self.final, self.outcomes[decision] = decision, "accepted"
        elif decision != self.final:
            superfluous = decision[1] == self.final[1] or (decision[1], self.final[1]) == (
                "REJECTED",
                "EXPIRED",
            )
            self.outcomes[decision] = "superfluous" if superfluous else "conflict"


async def play(line, order):
    oracle = Oracle()
    for given_input in order:
        if given_input.startswith("job"):
            await line.run()
        elif given_input == "expiry":
            line.clock.advance(73 * 3600)
            await line.expiry.tick()
        else:
            by, decision = PEOPLE[given_input]
            minute = "09:15" if by == "ann" else "09:16"
            await line.message(decision, by, timestamp=f"2026-11-23T{minute}:00.000000Z")
        oracle.take(given_input)
    await check(line, oracle, order)


async def check(line, oracle, order):
    found = {(by, decision): outcome for by, decision, outcome in await line.outcomes()}
    assert found == oracle.outcomes, order
    claim = await line.store.decisions.get("decision|local|transform_images|run-1|1")
    accepted = await line.facts("approval_accepted")
    final = [body for body in line.published if body["event_type"] != "approval_reminder"]
    if oracle.final is None:
        assert (claim, accepted, final) == (None, [], []), order
        return
    assert claim.body["state"] == "done"
    assert [(body["decided_by"], body["decision"]) for body in final] == [oracle.final]
    assert [fact.body["accepted_event_id"] for fact in accepted] == [claim.body["event"]["event_id"]]
    run = await line.store.read_models.get("job-events", claim.body["source_event_id"])
    assert (run["approved_by"], run["approval_status"]) == oracle.final
    assert run["approval_conflict"] is ("conflict" in oracle.outcomes.values())
    assert {(item["decided_by"], item["decision"]): item["outcome"] for item in run["approvals"]} == found


@pytest.mark.long
async def test_in_all_720_orders_one_decision_is_accepted_and_the_folds_agree(a_line):
    # Two inputs stand twice in word for word the same form: 180 orders differ.
    same = {"job again": "job", "same approve": "approve"}
    distinct = {tuple(same.get(each, each) for each in order) for order in permutations(INPUTS)}
    assert len(distinct) == 180
    for order in sorted(distinct):
        await play(await a_line(), order)


@pytest.mark.parametrize("copies", [2, 3])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_copies_of_everything_change_nothing(a_line, copies, data):
    await play(await a_line(), data.draw(st.permutations(INPUTS * copies)))
