from dwh_runtime.valve import Valve


class Switch:
    def __init__(self):
        self.calls = []
        self.valve = Valve(self.pause, self.resume)

    async def pause(self):
        self.calls.append("pause")

    async def resume(self):
        self.calls.append("resume")


async def test_receiving_resumes_only_when_the_last_reason_is_gone():
    switch = Switch()
    await switch.valve.close("poison")
    await switch.valve.close("dependency")
    await switch.valve.open("poison")
    assert switch.calls[-1] == "pause"
    await switch.valve.open("dependency")
    assert switch.calls[-1] == "resume"
    assert switch.valve.closed_by == frozenset()


async def test_closing_again_pauses_again_for_a_broker_that_had_not_started_at_first():
    switch = Switch()
    await switch.valve.close("poison")
    await switch.valve.close("poison")
    assert switch.calls == ["pause", "pause"]


async def test_opening_what_is_open_changes_nothing():
    switch = Switch()
    await switch.valve.open("poison")
    assert switch.calls == []
