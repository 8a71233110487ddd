"""One real pair as the product reads it: encoded, contrasted and interpreted once, for all that is asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from program import Reading
from whatchanged.artifacts import Diff, Features, Findings, Responses
from whatchanged.diff import compare
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.units import pair
from whatchanged.encode import ShardTokens
from whatchanged.interpret import interpret

__all__ = ["CLASSES", "DEFAULT_PAIRS", "REAL", "PairReport", "class_of", "key_of", "read"]

CLASSES = {
    ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai"): "null",
    ("vicuna-7b-v1.3", "vicuna-7b-v1.5"): "near-null",
    ("phi-2-sft", "phi-2-dpo"): "small",
    ("zephyr-7b-alpha", "zephyr-7b-beta"): "small",
    ("claude-2.1_concise", "claude-2.1_verbose"): "large",
    ("gpt4_0613", "gpt4_1106_preview"): "large",
}
"""How large the change between two models is, said before anything was measured."""

DEFAULT_PAIRS = (
    ("gpt4_0613", "gpt4_1106_preview"),
    ("gpt4_1106_preview", "gpt-4-0125-preview"),
    ("gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106"),
    ("phi-2-sft", "phi-2-dpo"),
    ("zephyr-7b-alpha", "zephyr-7b-beta"),
    ("claude-2.1_concise", "claude-2.1_verbose"),
    ("claude-2.1", "claude-2.1_verbose"),
    ("vicuna-7b-v1.3", "vicuna-7b-v1.5"),
    ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai"),
)

REAL = frozenset({"small", "large", "other"})
"""Classes of pairs between which something changed for certain; the null and the near-null are shown beside."""


def class_of(before: str, after: str) -> str:
    """Class of a pair; ``other`` where none was said beforehand."""
    return CLASSES.get((before, after), "other")


def key_of(before: str, after: str) -> str:
    """Name of a pair in the results."""
    return f"{before} → {after}"


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """One pair.

    Attributes:
        features: Its answers, encoded.
        diff: The whole report's contrast.
        findings: The report.
        seconds: What each stage took, by name.
    """

    features: Features
    diff: Diff
    findings: Findings
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def responses(self) -> Responses:
        """The answers."""
        return self.features.responses

    @property
    def alpha(self) -> float:
        """False discovery rate."""
        return float(self.diff.summary["alpha"])

    @cached_property
    def contrast(self) -> Contrast:
        """The contrast behind the diff, for whatever asks more than its table holds."""
        pairing = pair(self.responses, self.responses.before, self.responses.after)
        found = contrast_on(self.features, self.diff.families, pairing, self.alpha)
        q = self.diff.table["q"].to_numpy(float)
        assert np.array_equal(found.tests.q, q, equal_nan=True), "the contrast is the one of the diff"
        return found

    def row_numbers(self, kind: NDArray[np.object_], column: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers of the contrast by kind and column."""
        start = {t.kind: int(s) for t, s in zip(self.diff.families, self.contrast.start, strict=False)}
        return np.array([start[k] + int(c) for k, c in zip(kind, column, strict=True)], dtype=np.int64)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note what a stage takes."""
        with _timed(self.seconds, name):
            yield


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - began, 1)


def read(responses: Responses, encoded: Reading, *, alpha: float, seed: int) -> PairReport:
    """Encode, compare and interpret one pair, as `whatchanged run` does."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "encode"):
        features = encoded(responses)
    with _timed(seconds, "compare"):
        # The noise floor and the shares by row are not needed here; neither changes p, q or a finding.
        diff = compare(features, alpha=alpha, draws=1, splits=0, seed=seed)
    with _timed(seconds, "interpret"):
        findings = interpret(diff, tokens=ShardTokens(features), seed=seed)
    return PairReport(features=features, diff=diff, findings=findings, seconds=seconds)
