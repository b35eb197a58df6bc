import pytest
from dwh_cli.progress import progress_bar


@pytest.fixture
def terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return capsys


@pytest.mark.parametrize(("busy", "done", "said"), [(True, 1, True), (True, 2, False), (False, 1, False)])
def test_a_step_that_stands_still_for_a_busy_store_says_so(terminal, busy, done, said):
    with progress_bar(lambda: busy) as show:
        show("fold", done, 2)
    shown = terminal.readouterr().err
    assert "fold" in shown
    assert ("waits for a busy store" in shown) is said


def test_nothing_is_drawn_where_nobody_looks(capsys):
    with progress_bar() as show:
        show("fold", 1, 2)
    assert capsys.readouterr().err.strip() == ""
