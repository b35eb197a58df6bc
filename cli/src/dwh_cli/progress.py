"""A progress bar on standard error, where a person looks; silent elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A function of step, done and total; each step gets a line."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        lines = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in lines:
                lines[step] = bars.add_task(step)
            bars.update(lines[step], completed=done, total=total)

        yield show
