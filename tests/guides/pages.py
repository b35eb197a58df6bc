"""The guides and their blocks, each with the mark that says how it is proven."""

import re
from dataclasses import dataclass
from pathlib import Path

from shell import Script

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "guide").glob("*.md"))
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARKS = {"bash run", "bash check", "yaml values"}
FROM_OUTSIDE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PWD", "PATH"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a guide."""

    page: Path
    line: int
    info: str
    text: str

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def blocks(page, info=None):
    """Blocks of a page in their order, or those with one mark."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text[: match.start()].count("\n") + 1, match["info"], match["text"])
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if info in (None, block.info)]


def scripts(page):
    """What each bash block of a page does, read in their order: one may use what one before it has set."""
    variables, functions, read = {}, set(), []
    for block in blocks(page):
        if block.info.startswith("bash"):
            script = Script(variables, functions=functions).read(block.text)
            script.unset -= FROM_OUTSIDE
            read.append((block, script))
    return read
