"""Does a report say what its run folder holds? Everything is computed again and compared, number by number."""

from __future__ import annotations

import difflib
import re
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from whatchanged.errors import StoreError

__all__ = ["Mismatch", "Verification", "verify_run"]

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One statement that is not what the artefacts say.

    Attributes:
        file: Name of the file.
        where: Line, or row and column.
        says: What stands there.
        should: What the artefacts give; empty where it should not be there at all.
    """

    file: str
    where: str
    says: str
    should: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The outcome.

    Attributes:
        numbers: Numbers compared, over all files.
        mismatches: What differs, at most some 20 per file.
        left_out: Further differences that are not listed.
    """

    numbers: int
    mismatches: tuple[Mismatch, ...]
    left_out: int


def verify_run(folder: Path) -> Verification:
    """Contrast, interpret and report again from the run's answers and features, and compare every file.

    The contrast is made again from the features with the settings of the manifest, so a number in the report
    is followed back to the activations, not only to the table. Nothing in the folder is changed.

    Args:
        folder: A finished run folder.

    Raises:
        StoreError: A file of the run is missing or damaged.
    """
    from whatchanged.diff import compare
    from whatchanged.encode import open_features
    from whatchanged.pipeline import interpret, labels_of
    from whatchanged.report import report
    from whatchanged.responses import open_folder
    from whatchanged.store import read_json

    manifest = read_json(folder / "manifest.json")
    missing = [k for k in ("alpha", "draws", "seed") if k not in manifest]
    if missing:
        raise StoreError(f"{folder} has not been compared ({', '.join(missing)} not recorded); run it first")
    diff = compare(
        open_features(folder, open_folder(folder)),
        alpha=manifest["alpha"],
        draws=manifest["draws"],
        seed=manifest["seed"],
    )
    found: list[Mismatch] = []
    numbers = left = 0
    with tempfile.TemporaryDirectory(prefix="whatchanged-") as scratch:
        seed = manifest.get("interpret_seed", manifest["seed"])
        report(interpret(diff, seed=seed, **labels_of(folder, diff))).save(scratch)
        for name in ("diff.csv", "findings.json", "report.md", "report.html"):
            stands, fresh = (_lines(Path(f) / name) for f in (folder, scratch))
            numbers += sum(len(re.findall(r"\d[\d.,]*", line)) for line in fresh)
            differing = _compared(name, stands, fresh)
            found += differing[:_SHOWN]
            left += len(differing[_SHOWN:])
    return Verification(numbers=numbers, mismatches=tuple(found), left_out=left)


def _lines(path: Path) -> list[str]:
    """What a person reads in a file, line by line; of a page, the text between its tags."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); write the report first") from error
    if path.suffix != ".html":
        return text.splitlines()
    reader = _Text()
    reader.feed(text)
    return reader.pieces


class _Text(HTMLParser):
    """Texts of a page and the values its attributes hold."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces += [f"{name}={value}" for name, value in attrs if value]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.pieces.append(data.strip())


def _compared(name: str, stands: list[str], fresh: list[str]) -> list[Mismatch]:
    """Lines that differ: one by one where both have as many, else by what was put in and taken out."""
    if len(stands) == len(fresh):
        blocks = [
            (i, i + 1, i, i + 1)
            for i, pair in enumerate(zip(stands, fresh, strict=True))
            if len(set(pair)) > 1
        ]
    else:
        matcher = difflib.SequenceMatcher(None, stands, fresh, autojunk=False)
        blocks = [(a, b, c, d) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]
    return [
        Mismatch(
            file=name,
            where=f"line {a + i + 1}",
            says=stands[a + i][:300] if a + i < b else "",
            should=fresh[c + i][:300] if c + i < d else "",
        )
        for a, b, c, d in blocks
        for i in range(max(b - a, d - c))
    ]
