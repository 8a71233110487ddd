"""E6, measured: do named properties move as the raw counts do, and are changed counts reported?

Everything here is counted anew from the table of observables: raw means over prompts, McNemar and sign tests.
Of the product only the findings are taken, with the warnings and cautions they carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from real_reading import PairReport
from whatchanged.artifacts import Finding
from whatchanged.interpret.concordance import named_observables
from whatchanged.stats import benjamini_hochberg, sign_test
from whatchanged.text import OBSERVABLES
from whatchanged.text.document import Document
from whatchanged.text.observables import measure as properties_of

__all__ = ["Counts", "count", "is_flagged", "measure"]

SUFFIX = re.compile(r" \(\+ [^()]*\)$")
QUOTED = re.compile(r"\"([^\"]*)\"")
Z95 = 1.959964
# What no single word can be an instance of.
NOT_IN_A_WORD = frozenset({"non_english", "paragraphs", "template_leak", "repeated_sentences", "headings"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Raw counts of every observable on both sides.

    Attributes:
        names: The observables.
        before, after: Mean per prompt (of counts; of the quantity where one is measured), ``[observables]``.
        error: Standard error of their difference over prompts, ``[observables]``.
        p: Smaller p of McNemar's test of presence and the sign test of counts, times 2; NaN where no prompt
            differs, ``[observables]``.
        q: Benjamini-Hochberg over the observables alone.
        net: Net number of prompts with more in after, by the test that gave p, ``[observables]``.
    """

    names: tuple[str, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    error: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    net: NDArray[np.int64]

    @property
    def delta(self) -> NDArray[np.float64]:
        """Change of the raw mean."""
        return self.after - self.before


def count(report: PairReport) -> Counts:
    """Count every observable anew, prompt by prompt."""
    table = report.diff.family("observable")
    responses = report.responses
    values = np.zeros((len(responses.answers), table.n_columns))
    values[table.row, table.column] = table.total
    sides = []
    prompts = [p.id for p in responses.prompts]
    rows = [responses.rows(m) for m in (responses.before, responses.after)]
    both = [p for p in prompts if all(p in r for r in rows)]
    for r in rows:
        sides.append(np.array([values[r[p]].mean(axis=0) for p in both]))
    before, after = sides
    more, less = (after > before).sum(axis=0), (after < before).sum(axis=0)
    gained, lost = ((after > 0) & (before == 0)).sum(axis=0), ((after == 0) & (before > 0)).sum(axis=0)
    by_count, by_presence = sign_test(more, less), sign_test(gained, lost)
    p = np.where(more + less > 0, np.minimum(1.0, 2 * np.minimum(by_count, by_presence)), np.nan)
    return Counts(
        names=tuple(table.name(i) for i in range(table.n_columns)),
        before=before.mean(axis=0),
        after=after.mean(axis=0),
        error=(after - before).std(axis=0, ddof=1) / np.sqrt(len(both)),
        p=p,
        q=benjamini_hochberg(p),
        net=np.where(by_count <= by_presence, more - less, gained - lost),
    )


def measure(report: PairReport) -> dict[str, Any]:
    """Sign errors and coverage of one pair."""
    counts = count(report)
    entries = [(f, "finding") for f in report.findings.items] + [(f, "aside") for f in report.findings.aside]
    return {
        "findings": len(report.findings.items),
        "aside": len(report.findings.aside),
        "named": [c for f, where in entries for c in _checks(f, where, _named(f), counts)],
        "quoted": [c for f, where in entries for c in _checks(f, where, _quoted(f), counts)],
        "warnings": sum(len(f.contradicts) for f, _ in entries),
        "coverage": list(_coverage(report, counts)),
    }


def _label(finding: Finding) -> str:
    """The label without what it says of redundant rows."""
    return SUFFIX.sub("", finding.label)


def _named(finding: Finding) -> Mapping[str, int]:
    """Counted properties a finding names, and in which sense; a term is what it says and names none."""
    if finding.kind == "observable":
        return {finding.id.partition(":")[2]: 1}
    if finding.kind == "lexical":
        return {}
    return named_observables(_label(finding))


def _quoted(finding: Finding) -> Mapping[str, int]:
    """Counted properties of which a word that a feature's label quotes is itself an instance."""
    if finding.kind != "feature":
        return {}
    label = _label(finding)
    found: dict[str, int] = {}
    for word in QUOTED.findall(label):
        for entry in properties_of(Document(word, None)):
            observable = list(OBSERVABLES.values())[entry.column]
            inside = observable.anchor == "anywhere" or (
                observable.anchor == "opening" and label.endswith("opening")
            )
            if inside and observable.name not in NOT_IN_A_WORD:
                found[observable.name] = 1
    return {name: 1 for name in found if name not in named_observables(label)}


def is_flagged(finding: Finding, name: str) -> bool:
    """Whether the finding carries the product's warning or caution about a counted property it names."""
    said = f"names {name.replace('_', ' ')},"
    return name in finding.contradicts or any(
        note.startswith(("Warning:", "Caution:")) and (said in note or "counted over whole answers" in note)
        for note in finding.notes
    )


def _checks(
    finding: Finding, where: str, named: Mapping[str, int], counts: Counts
) -> Iterator[dict[str, Any]]:
    """One entry per property that a finding names."""
    for name, sense in named.items():
        i = counts.names.index(name)
        expected = int(np.sign(finding.delta)) * sense
        against = counts.delta[i] * expected < 0
        yield {
            "id": finding.id,
            "label": _label(finding),
            "where": where,
            "kind": finding.kind,
            "observable": name,
            "expected": expected,
            "raw_before": round(float(counts.before[i]), 4),
            "raw_after": round(float(counts.after[i]), 4),
            "against": bool(against),
            "beyond_chance": bool(abs(counts.delta[i]) > Z95 * counts.error[i]),
            "flagged": is_flagged(finding, name),
        }


def _coverage(report: PairReport, counts: Counts) -> Iterator[dict[str, Any]]:
    """Where the report has each observable that changed by its own test."""
    table, findings = report.diff.table, report.findings
    place = {
        str(name): int(i)
        for i, name in zip(
            np.flatnonzero(table["kind"] == "observable"),
            table["feature"][table["kind"] == "observable"],
            strict=True,
        )
    }
    for i in np.flatnonzero(counts.q <= report.alpha):
        name, row = counts.names[i], place[counts.names[i]]
        yield {
            "observable": name,
            "q_alone": float(counts.q[i]),
            "net": int(counts.net[i]),
            "q_report": float(table["q"].iloc[row]) if table["q"].iloc[row] == table["q"].iloc[row] else None,
            "where": _where(findings.items, row, "finding", "merged into a finding")
            or _where(findings.aside, row, "set aside", "merged into one set aside")
            or ("agrees with a finding" if any(name in f.agrees for f in findings.items) else "")
            or (
                "no room in the table"
                if table["q"].iloc[row] <= report.alpha
                else "q above .05 in the whole report"
            ),
        }


def _where(entries: tuple[Finding, ...], row: int, leading: str, member: str) -> str:
    for f in entries:
        if row in f.rows:
            return leading if f.rows[0] == row else member
    return ""
