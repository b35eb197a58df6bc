"""Generate input of `transform_images`, without Spark.

`python -m dwh_jobs.sample_data --rows N --seed S --corrupt R --null-time R --undecryptable R
--output URI --start_date T --end_date T`: the same arguments give the same bytes. Rates are real rows
(`round(rows * rate)` of them, spread over the window), so statuses come out of real counts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from dwh_contracts.times import format_time, parse_time

from dwh_jobs.artifacts import open_store
from dwh_jobs.cipher import KEY_VERSIONS, LARGEST_MSPID, NONCE_BYTES, seal
from dwh_jobs.uris import as_uri, join
from dwh_jobs.window import Window, interval_path

PROCESSORS = (
    "NautilusBookParser",
    "NautilusCollageParser",
    "NautilusPhotoTileParser",
    "Photobook30Parser",
    "MatisseCalendarParser",
    "BundledCollageParser",
    "SimpleCollageParser",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to generate; rates are shares of `rows`."""

    rows: int
    seed: int = 0
    corrupt: float = 0.0
    null_time: float = 0.0
    undecryptable: float = 0.0

    def faults(self) -> dict[int, str]:
        """Which rows are broken, and how; no row is broken twice."""
        kinds = [
            kind
            for kind, rate in (
                ("corrupt", self.corrupt),
                ("null_time", self.null_time),
                ("undecryptable", self.undecryptable),
            )
            for _ in range(round(self.rows * rate))
        ]
        chosen = random.Random(f"{self.seed}/faults").sample(range(self.rows), len(kinds))  # noqa: S311
        return dict(zip(chosen, kinds, strict=True))


def rows_of(recipe: Recipe, window: Window) -> Iterator[tuple[datetime, str]]:
    """Each row's event time and its line, in time order, evenly spread over the window."""
    faults, step = recipe.faults(), (window.end - window.start) / max(recipe.rows, 1)
    for number in range(recipe.rows):
        moment = window.start + step * number
        yield moment, _line(recipe, number, moment, faults.get(number))


def write(recipe: Recipe, window: Window, output: str, interval_minutes: int = 5) -> list[str]:
    """Write one file per interval in the layout the job reads; the addresses written."""
    store = open_store(output)
    lines: dict[datetime, list[str]] = {start: [] for start in window.intervals(interval_minutes)}
    length = timedelta(minutes=interval_minutes)
    first = next(iter(lines))
    for moment, line in rows_of(recipe, window):
        lines[first + (moment - first) // length * length].append(line)
    written = []
    for start, part in lines.items():
        uri = join(output, interval_path(start), f"images-{recipe.seed}.jsonl")
        store.write(uri, "".join(f"{line}\n" for line in part).encode())
        written.append(uri)
    return written


def _line(recipe: Recipe, number: int, moment: datetime, fault: str | None) -> str:
    rng = random.Random(f"{recipe.seed}/{number}")  # noqa: S311 - reproducible, not secret
    row = _row(rng, moment, broken_token=fault == "undecryptable")
    if fault == "null_time":
        row["eventTime"] = None
    text = json.dumps(row, separators=(",", ":"))
    return _corrupted(text, number) if fault == "corrupt" else text


def _corrupted(text: str, number: int) -> str:
    """The kinds of corrupt line the job knows, in turn."""
    wrong_type = '{"data":"text",' + text[1:]
    kinds = (
        text[: len(text) // 2],
        f"[{text}]",
        wrong_type,
        f"{text} {text}",
        text.replace("image", "im\ufffdge"),
    )
    return kinds[number % len(kinds)]


def _row(rng: random.Random, moment: datetime, *, broken_token: bool) -> dict[str, object]:
    project, product = _guid(rng), _guid(rng)
    updated = format_time(moment)
    return {
        "eventTime": updated,
        "event_time": updated,
        "data": {
            "projectguid": project,
            "project_type": rng.choice(("book", "calendar", "collage", "tile")),
            "project_subtype": rng.choice(("square", "landscape", None)),
            "userid": str(rng.randrange(1, 10**6)),
            "inserted": format_time(moment - timedelta(minutes=rng.randrange(1, 10_000))),
            "updated": updated,
            "state": rng.choice(("saved", "ordered")),
            "product_index": rng.randrange(40),
            "product_type": rng.choice(("page", "cover")),
            "productguid": product,
            "productimageid": _guid(rng),
            **_reference(rng, broken=broken_token),
        },
        "__meta__": {
            "framework": {"version": "3.2.0"},
            "savedproject": {"version": "7", "processor": rng.choice(PROCESSORS)},
        },
    }


def _reference(rng: random.Random, *, broken: bool) -> dict[str, str | None]:
    """Encrypted fields in one of the layouts the job reads; ids repeat, so that the filter has work."""
    number = rng.randrange(1, 200_000) + (LARGEST_MSPID if rng.random() < 0.5 else 0)  # noqa: PLR2004 - half
    texts = (str(number), f"msp=msp{number % 97}&locationspec=/vault/{number % 89}/{number}.jpg")
    image_id, image_data = (_token(rng, text, broken=broken) for text in texts)
    if rng.random() < 0.5:  # noqa: PLR2004 - half of the rows carry both inside image_view
        return {
            "image_view": f"rotation=0&image_id={image_id}&image_data={image_data}",
            "image_id": None,
            "image_data": None,
        }
    return {"image_view": "front", "image_id": image_id, "image_data": image_data}


def _token(rng: random.Random, text: str, *, broken: bool) -> str:
    token = seal(text, rng.randbytes(NONCE_BYTES), rng.choice(KEY_VERSIONS))
    if not broken:
        return token
    changed = "A" if token[-6] != "A" else "B"
    return rng.choice((token[:-3], token[:-6] + changed + token[-5:], "Yw" + token[2:]))


def _guid(rng: random.Random) -> str:
    return sha256(rng.randbytes(16)).hexdigest()[:32]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m dwh_jobs.sample_data`."""
    parser = argparse.ArgumentParser(prog="dwh_jobs.sample_data", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    for rate in ("--corrupt", "--null-time", "--undecryptable"):
        parser.add_argument(rate, type=float, default=0.0, metavar="R", help="share of the rows, 0 to 1")
    parser.add_argument("--output", required=True, metavar="URI")
    parser.add_argument("--start_date", type=parse_time, required=True, metavar="T")
    parser.add_argument("--end_date", type=parse_time, required=True, metavar="T")
    parser.add_argument("--interval-minutes", type=int, default=5)
    given = parser.parse_args(argv)
    rates = (given.corrupt, given.null_time, given.undecryptable)
    if given.rows < 0 or min(rates) < 0 or sum(rates) > 1:
        parser.error("rows must not be negative; rates must lie between 0 and 1 and add up to at most 1")
    window = Window(given.start_date, given.end_date).floored(given.interval_minutes)
    recipe = Recipe(given.rows, given.seed, *rates)
    written = write(recipe, window, as_uri(given.output), given.interval_minutes)
    sys.stdout.write(f"{recipe.rows} rows, {len(recipe.faults())} of them broken, in {len(written)} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
