"""Does a report say what its run folder holds? Everything is computed again and compared, number by number."""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from whatchanged.errors import StoreError

__all__ = ["Mismatch", "Verification", "verify_run"]

_SHOWN = 20
_REPORT = ("diff.csv", "findings.json", "report.md", "report.html")
_CELLS = ("diff.json", "labels.json", "hypotheses.json", "trend.json")
_KEPT = (
    *_CELLS,
    *("diff.parquet", "slices.parquet", "conditions.parquet", "checkpoints.parquet"),
    *("trend.csv", "trend_levels.csv"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One statement that is not what the artefacts say.

    Attributes:
        file: Name of the file.
        where: Line, or of JSON the path of the cell (``hypotheses[2].delta``).
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
        unverifiable: What could not be made again, file by file with the reason; it was taken as it stands.
    """

    numbers: int
    mismatches: tuple[Mismatch, ...]
    left_out: int
    unverifiable: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything could be made again and says the same."""
        return not self.mismatches and not self.unverifiable


def verify_run(folder: Path) -> Verification:
    """Contrast, interpret and report again from the run's answers and features, and compare every file.

    The contrast is made again from the features with the settings of the manifest, and so is a trend; a number in
    the report is followed back to the activations, not only to the table. Hypotheses that were counted are made
    again from the answers, those of models and the scores of labels from the replies that the run keeps. Labels from
    elsewhere are taken as they stand. Nothing in the folder is changed, and nobody is asked.

    Args:
        folder: A finished run folder.

    Raises:
        StoreError: A file of the run is missing or damaged.
    """
    from whatchanged.diff import compare
    from whatchanged.diff.folder import save_diff
    from whatchanged.encode import open_features
    from whatchanged.pipeline import interpret, labels_of, said_of
    from whatchanged.pipeline.remade import remake
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
    with tempfile.TemporaryDirectory(prefix="whatchanged-") as name:
        scratch = Path(name)
        unverifiable = remake(folder, diff, scratch)
        save_diff(diff, scratch)
        seed = manifest.get("interpret_seed", manifest["seed"])
        findings = interpret(diff, seed=seed, **labels_of(scratch, diff))
        report(findings, **said_of(scratch, diff)).save(scratch, draw=False)
        kept = [f for f in _KEPT if (scratch / f).exists()]
        compared = [_file(folder, scratch, f) for f in (*_REPORT, *kept)]
    return Verification(
        numbers=sum(n for n, _ in compared),
        mismatches=tuple(m for _, differing in compared for m in differing[:_SHOWN]),
        left_out=sum(len(differing[_SHOWN:]) for _, differing in compared),
        unverifiable=unverifiable,
    )


def _file(folder: Path, scratch: Path, name: str) -> tuple[int, list[Mismatch]]:
    """How many numbers a file should have, and where it differs."""
    if name in _CELLS:
        stands, fresh = (cells(_json(f / name)) for f in (folder, scratch))
        return sum(is_number(v) for v in fresh.values()), _cells_compared(name, stands, fresh)
    lines = [_table(f / name) if name.endswith(".parquet") else _lines(f / name) for f in (folder, scratch)]
    return sum(len(re.findall(r"\d[\d.,]*", line)) for line in lines[1]), _compared(name, *lines)


def _json(path: Path) -> object:
    from whatchanged.store import read_json

    return read_json(path) if path.exists() else None


def cells(value: object, at: str = "") -> dict[str, object]:
    """Every value of a JSON document by its path: ``hypotheses[2].delta``; of a container without any, itself."""
    if isinstance(value, dict) and value:
        inside = [(f"{at}.{key}" if at else str(key), v) for key, v in value.items()]
    elif isinstance(value, list) and value:
        inside = [(f"{at}[{i}]", v) for i, v in enumerate(value)]
    else:
        return {at: value}
    return {path: v for where, one in inside for path, v in cells(one, where).items()}


def is_number(value: object) -> bool:
    """Whether a value of a JSON document is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cells_compared(name: str, stands: Mapping[str, object], fresh: Mapping[str, object]) -> list[Mismatch]:
    """Cells that differ, in the order of the file; a number is the same only with every digit and its type."""

    def said(values: Mapping[str, object], path: str) -> str:
        return json.dumps(values[path], ensure_ascii=False)[:300] if path in values else ""

    paths = dict.fromkeys([*stands, *fresh])
    return [
        Mismatch(file=name, where=path or "all of it", says=said(stands, path), should=said(fresh, path))
        for path in paths
        if said(stands, path) != said(fresh, path)
    ]


def _table(path: Path) -> list[str]:
    """A table of the diff as lines of text; none where there is no such file."""
    import pandas as pd

    if not path.exists():
        return []
    try:
        table: pd.DataFrame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); compare again") from error
    return table.to_csv(index=False, lineterminator="\n").splitlines()


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
        matcher = difflib.SequenceMatcher(None, stands, fresh)
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
