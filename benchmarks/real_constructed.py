"""The constructed case of E6: a feature of double blanks that somebody has labelled "enumerated lists".

Double blanks are planted in the before-answers of a null pair and numbered items in its after-answers, so
the feature falls while what its label names rises: the mistake of a published example, made on purpose.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edits import EDITS
from program import Reading
from whatchanged.artifacts import Diff, Features, Finding, Occurrences, Responses
from whatchanged.diff import compare
from whatchanged.encode import ShardTokens
from whatchanged.interpret import ImportedLabels, interpret, read_labels
from whatchanged.text import families

__all__ = ["LABEL", "construct", "constructed"]

LABEL = "enumerated lists"
RIGHT = "double spaces"  # what the features do fire on; no warning may stand under it
NAMED = "numbered_items"
WITHHELD = "double_spaces"
SHARE = 0.5  # of a feature's activation that stands on double blanks
ANSWERS = 120  # read to see what features fire on
BLANKS = re.compile(r"(?<=\S) {2,}(?=\S)")


def construct(responses: Responses) -> tuple[Responses, dict[str, int]]:
    """Double blanks in every before-answer and numbered items in every after-answer that allows it."""
    answers = []
    made = {"double_spaces": 0, "numbered": 0}
    for a in responses.answers:
        before = a.model == responses.before
        text = EDITS["double_spaces"](a.text) if before else _numbered(a.text)
        made["double_spaces" if before else "numbered"] += text is not None
        answers.append(a if text is None else replace(a, text=text))
    return replace(responses, answers=tuple(answers)), made


def _numbered(text: str) -> str | None:
    """Bullets as numbers; else the paragraphs of an answer without numbers, numbered."""
    bullets = EDITS["bullets_to_numbers"](text)
    if bullets is not None:
        return bullets
    paragraphs = re.split(r"\n\s*\n", text.strip())
    if len(paragraphs) < 2 or re.search(r"^\s*\d+[.)] ", text, re.MULTILINE):
        return None
    return "\n\n".join(f"{i}. {p}" for i, p in enumerate(paragraphs, start=1))


def constructed(responses: Responses, encoded: Reading, *, alpha: float, seed: int) -> dict[str, Any]:
    """Plant, encode, compare, import the label and read the report, with every observable and without one."""
    planted, made = construct(responses)
    features = encoded(planted)
    whole = families(planted)
    withheld = tuple(_without(t, WITHHELD) if t.kind == "observable" else t for t in whole)
    readings: dict[str, Any] = {}
    control: dict[str, Any] = {"labelled": []}
    chosen: list[int] = []
    for name, extra in (("every observable", whole), ("double blanks withheld", withheld)):
        diff = compare(features, extra=extra, alpha=alpha, draws=1, splits=0, seed=seed)
        chosen = chosen or _on_blanks(diff, features)
        readings[name] = _read(diff, features, chosen, LABEL, seed) if chosen else _empty(diff)
        if extra is whole and chosen:
            control = _read(diff, features, chosen, RIGHT, seed)
    return {
        "prompts": len(planted.prompts),
        **made,
        "label": LABEL,
        "features": [int(c) for c in chosen],
        "readings": readings,
        "control": {"label": RIGHT, "labelled": control["labelled"]},
    }


def _without(table: Occurrences, name: str) -> Occurrences:
    """A table without one of its columns."""
    assert table.names is not None, "observables have names"
    gone = table.names.index(name)
    kept = np.flatnonzero(table.column != gone)
    column = table.column[kept]
    size = np.bincount(table.row[kept], minlength=len(table.n_units))
    return replace(
        table,
        names=tuple(n for n in table.names if n != name),
        n_columns=table.n_columns - 1,
        indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        column=(column - (column > gone)).astype(np.int32),
        **{k: getattr(table, k)[kept] for k in ("maximum", "count", "total", "first", "last")},
    )


def _on_blanks(diff: Diff, features: Features) -> list[int]:
    """Significant falling features most of whose activation stands on double blanks, smallest q first."""
    table = diff.table
    falling = table[
        (table["kind"] == "feature") & (table["q"] <= diff.summary["alpha"]) & (table["delta"] < 0)
    ]
    share = _share_on_blanks(features)
    return [int(c) for c in falling.sort_values("q", kind="stable")["column"] if share[int(c)] >= SHARE]


def _share_on_blanks(features: Features) -> NDArray[np.float64]:
    """Share of each feature's activation in before-answers that stands on tokens touching a double blank."""
    tokens, width = ShardTokens(features), features.occurrences.n_columns
    there, everywhere = np.zeros(width), np.zeros(width)
    answers = features.responses.answers
    mine = [i for i, a in enumerate(answers) if a.model == features.responses.before][:ANSWERS]
    for i in mine:
        document = tokens.document(i)
        ends = np.cumsum([len(t) for t in document.tokens])
        starts = np.concatenate([[0], ends[:-1]])
        on = np.zeros(len(ends), dtype=np.bool_)
        for match in BLANKS.finditer("".join(document.tokens)):
            on |= (starts < match.end()) & (ends > match.start())
        per_entry = np.repeat(on, np.diff(document.indptr))
        np.add.at(everywhere, document.column, document.value)
        np.add.at(there, document.column[per_entry], document.value[per_entry])
    return np.where(everywhere > 0, there / np.where(everywhere > 0, everywhere, 1.0), 0.0)


def _read(diff: Diff, features: Features, chosen: list[int], label: str, seed: int) -> dict[str, Any]:
    """The report with the label imported: entries that show it, and entries the features were merged into."""
    labels = _imported(chosen, label, width=features.occurrences.n_columns)
    found = interpret(
        diff, tokens=ShardTokens(features), seed=seed, labels=labels.texts, label_source=labels.source
    )
    entries = [(f, "finding") for f in found.items] + [(f, "set aside") for f in found.aside]
    shown = [(f, w) for f, w in entries if f.label_source == labels.source]
    column, kind = diff.table["column"].to_numpy(), diff.table["kind"].to_numpy(object)
    merged = [
        (f, w)
        for f, w in entries
        if f.label_source != labels.source
        and any(kind[r] == "feature" and column[r] in chosen for r in f.rows)
    ]
    return {
        **_empty(diff),
        "labelled": [_entry(f, w) for f, w in shown],
        "merged": [_entry(f, w) for f, w in merged],
    }


def _empty(diff: Diff) -> dict[str, Any]:
    """A reading in which no feature was there to be labelled."""
    t = diff.table[diff.table["kind"] == "observable"].set_index("feature")
    return {
        "numbered_delta": float(t.loc[NAMED, "delta"]),
        "numbered_q": float(t.loc[NAMED, "q"]),
        "labelled": [],
        "merged": [],
    }


def _entry(finding: Finding, where: str) -> Mapping[str, Any]:
    return {
        "id": finding.id,
        "where": where,
        "tags": list(finding.tags),
        "delta": finding.delta,
        "warned": NAMED in finding.contradicts,
        "contradicts": list(finding.contradicts),
    }


def _imported(chosen: list[int], label: str, *, width: int) -> ImportedLabels:
    """The label as a user imports it: from a table of features and labels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["feature", "label"])
            writer.writerows((c, label) for c in chosen)
        return read_labels(path, width=width)
