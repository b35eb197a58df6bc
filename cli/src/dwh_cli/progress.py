"""A progress bar on standard error, where a person looks; silent elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Waiting(ProgressColumn):
    """Says of a step that is not done why it stands still."""

    def __init__(self, waits: Callable[[], bool]) -> None:
        super().__init__()
        self._waits = waits

    def render(self, task: Task) -> Text:
        over = task.total is not None and task.completed >= task.total
        return Text("waits for a busy store" if self._waits() and not over else "")


@contextmanager
def progress_bar(waits: Callable[[], bool] = lambda: False) -> Iterator[Callable[[str, int, int], None]]:
    """A function of step, done and total; each step gets a line. `waits`: whether the store is too busy."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        _Waiting(waits),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        lines: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step in lines:
                bars.update(lines[step], completed=done, total=total)
            else:
                lines[step] = bars.add_task(step, completed=done, total=total)

        yield show
