"""What a report leaves in a folder besides the page: the table, the findings and the figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whatchanged.artifacts import Diff, Evidence, Finding, Findings, LabelScore
from whatchanged.errors import StoreError
from whatchanged.report.overview import afters, baseline
from whatchanged.store import atomic

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA", "findings_json", "write_bytes", "write_table"]

SCHEMA = 1
"""Version of findings.json."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all.

    Raises:
        StoreError: If it cannot be written; what stood there before is untouched.
    """
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}); choose another place") from error


def write_table(diff: Diff, folder: Path) -> None:
    r"""Write the diff as ``diff.csv`` and ``diff.parquet``.

    Numbers keep every digit. A lone surrogate, which no file format can hold, is written as its
    escape (``\udc80``).
    """
    import io

    table = encodable(diff.table)
    write_bytes(folder / "diff.csv", table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    content = io.BytesIO()
    table.to_parquet(content, index=False, engine="pyarrow")
    write_bytes(folder / "diff.parquet", content.getvalue())


def encodable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every text encodable as UTF-8; nothing else changes."""
    import pandas as pd

    table = table.copy()
    for name in table.columns:
        if pd.api.types.is_object_dtype(table[name]) or pd.api.types.is_string_dtype(table[name]):
            table[name] = table[name].map(_encodable)
    return table


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def findings_json(findings: Findings) -> bytes:
    """``findings.json``: every finding with its rows, evidence, tags and notes; NaN becomes null.

    Each row is named by its index in diff.csv, its kind, its feature and the checkpoint compared.
    """
    diff = findings.diff
    content = {
        "schema": SCHEMA,
        "before": baseline(diff),
        "after": list(afters(diff)),
        "fingerprint": diff.features.fingerprint,
        "summary": _plain(diff.summary),
        "findings": [_finding(diff, f) for f in findings.items],
        "aside": [_finding(diff, f) for f in findings.aside],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode("ascii")


def _finding(diff: Diff, finding: Finding) -> dict[str, Any]:
    names = ("id", "kind", "label", "label_source", "statement", "statistic")
    numbers = ("rate_before", "rate_after", "delta", "lo", "hi", "p", "q")
    lists = ("tags", "notes", "agrees", "contradicts")
    return {
        **{n: getattr(finding, n) for n in names},
        **{n: _plain(getattr(finding, n)) for n in numbers},
        **{n: list(getattr(finding, n)) for n in lists},
        **{n: _score(getattr(finding, n)) for n in ("label_score", "fuzzing_score")},
        "rows": [_row(diff, i) for i in finding.rows],
        "evidence": [_evidence(e) for e in finding.evidence],
    }


def _score(score: LabelScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {n: _plain(getattr(score, n)) for n in ("value", "lo", "hi", "n", "method", "missing")}


def _row(diff: Diff, index: int) -> dict[str, Any]:
    row = diff.table.iloc[index]
    return {"index": int(index), **{n: str(row[n]) for n in ("kind", "feature", "before", "after")}}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "model": evidence.model,
        "prompt_id": evidence.prompt_id,
        "sample": int(evidence.sample),
        "tokens": list(evidence.tokens),
        "activations": [_plain(a) for a in evidence.activations],
        "cut_left": bool(evidence.cut_left),
        "cut_right": bool(evidence.cut_right),
    }


def _plain(value: Any) -> Any:
    """A value JSON can hold: NumPy's numbers as Python's, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)
