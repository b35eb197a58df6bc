from faststream_sqs.consume.spell import Spell


async def test_an_hour_of_failures_now_and_again_is_a_line_at_each_doubling(clock):
    spell, lines = Spell(clock), []
    for _ in range(3600):
        lines.append(spell.note())
        await clock.advance(1)
    assert [line for line in lines if line] == [2**n for n in range(12)]


async def test_quiet_minute_ends_a_spell(clock):
    spell = Spell(clock)
    assert [spell.note() for _ in range(3)] == [1, 2, None]
    await clock.advance(60.5)
    assert [spell.note() for _ in range(3)] == [1, 2, None]
