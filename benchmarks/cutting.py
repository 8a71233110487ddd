"""Answers against copies that were cut: pure changes of length, with nothing encoded again between draws.

A draw is nothing but a `Pairing`, as in `planting`. Of two samplings of one model each prompt decides by a
coin which of the two is cut, so that run-to-run noise is present and every draw is another data set; of one
sampling, cut against itself, a draw is a random half of the prompts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edits import EDITS, Edit, cut_sentences, cut_words
from planting import contrast_of, first_prompts, gather
from whatchanged.artifacts import Features, Occurrences, PromptSet, Responses
from whatchanged.diff import compare
from whatchanged.diff.contrast import Contrast, row_tests
from whatchanged.diff.family import STATISTICS, Family
from whatchanged.diff.length import DRIVEN, OK, UNKNOWN, length_rule
from whatchanged.diff.units import Pairing, pair
from whatchanged.responses import load
from whatchanged.stats import SignTestTable, benjamini_hochberg, sign_test
from whatchanged.store import fingerprint
from whatchanged.text import lexical, observables

__all__ = [
    "CUTS",
    "CutPair",
    "answers_of",
    "cell_of",
    "fill",
    "held",
    "read_draw",
    "with_cuts",
]

CUTS: Mapping[str, Edit] = {
    "words 90 %": cut_words(0.9),
    "words 80 %": cut_words(0.8),
    "words 60 %": EDITS["truncation"],
    "words 40 %": cut_words(0.4),
    "sentences 60 %": cut_sentences(0.6),
}
"""Name of each cut and the function that makes it."""

_RATE_STEPS = 2.0**32


def with_cuts(data: Path, models: Sequence[str], cuts: Sequence[str], *, prompts: int | None) -> Responses:
    """Answers of one model, or of two, and as further models all of them cut.

    Answers too short to be cut (under 20 words, or a single sentence) stay as they are.

    Args:
        data: Results folder of alpaca_eval.
        models: Names of one or two models.
        cuts: Names of cuts.
        prompts: The first so many prompts; all if ``None``.
    """
    files = [data / name / "model_outputs.json" for name in (models[0], models[-1])]
    names = [models[0], models[-1] if len(models) > 1 else f"{models[0]} again"]
    responses = load(files[0], files[1], names=names)
    if prompts is not None:
        responses = first_prompts(responses, prompts)
    answers = [a for a in responses.answers if a.model in models]
    copies = [
        replace(a, model=_cut_name(a.model, cut), text=CUTS[cut](a.text) or a.text)
        for cut in cuts
        for a in answers
    ]
    every = [*models, *(_cut_name(m, cut) for cut in cuts for m in models)]
    return replace(responses, models=tuple(every), answers=(*answers, *copies))


def _cut_name(model: str, cut: str) -> str:
    return f"{model}, {cut}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPair:
    """Answers of a model against cut ones.

    Attributes:
        features: The answers that take part, encoded.
        families: Features, observables and lexical terms of them.
        pairings: Every way to pair them: one, or two where either of two samplings can be the cut one.
        signs: Look-up of the sign test.
        alpha: False discovery rate.
        changed: Share of the answers that the cut changes.
        kept: Median share of an answer's tokens that is left, of those changed.
    """

    features: Features
    families: tuple[Occurrences, ...]
    pairings: tuple[Pairing, ...]
    signs: SignTestTable
    alpha: float
    changed: float
    kept: float

    @classmethod
    def of(
        cls, features: Features, models: Sequence[str], cut: str, *, longer: bool, alpha: float
    ) -> CutPair:
        """Pair one model with its own cut answers, or two samplings with each other's.

        Args:
            features: Answers of the models and of their cut copies, encoded.
            models: One model, or two samplings of one.
            cut: Name of the cut.
            longer: Whether the cut side is *before*, so that answers become longer.
            alpha: False discovery rate.
        """
        names = [m for model in models for m in (model, _cut_name(model, cut))]
        part = _only(features, names)
        responses = part.responses
        pairings = []
        for whole, other in zip(models, reversed(models), strict=True):
            sides = whole, _cut_name(other, cut)
            pairings.append(pair(responses, *(reversed(sides) if longer else sides)))
        units = part.occurrences.n_units.astype(np.float64)
        left = []
        for model in models:
            own = pair(responses, model, _cut_name(model, cut))
            left.append(units[own.answers[own.side > 0]] / units[own.answers[own.side < 0]])
        share = np.concatenate(left)
        return cls(
            features=part,
            # Terms under 5 prompts, so that a half keeps what it would keep on its own.
            families=(part.occurrences, observables(responses), lexical(responses, min_prompts=5)),
            pairings=tuple(pairings),
            signs=SignTestTable.up_to(pairings[0].n_units),
            alpha=alpha,
            changed=float((share != 1).mean()),
            kept=float(np.median(share[share != 1])) if (share != 1).any() else 1.0,
        )

    @property
    def by(self) -> str:
        """What a draw is."""
        return "coin flips" if len(self.pairings) > 1 else "random halves"

    def drawn(self, name: str, *, seed: int, draw: int) -> Pairing:
        """The pairing of one draw."""
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), draw])
        first = self.pairings[0]
        if len(self.pairings) == 1:
            return _subset(first, np.sort(rng.permutation(first.n_units)[: first.n_units // 2]))
        which = rng.integers(0, len(self.pairings), size=first.n_units)
        assert all(np.array_equal(p.unit, first.unit) for p in self.pairings), "one prompt, one row a side"
        answers = np.choose(which[first.unit], [p.answers for p in self.pairings])
        return replace(first, answers=answers)

    def contrast(self, pairing: Pairing) -> Contrast:
        """What `compare` computes of it before the length rule."""
        return contrast_of(self.families, pairing, self.signs, self.alpha)


def _only(features: Features, models: Sequence[str]) -> Features:
    """Only the answers of some models."""
    responses, rank = features.responses, {m: i for i, m in enumerate(models)}
    place, answers = responses.prompts.position, responses.answers
    rows = sorted(
        (i for i, a in enumerate(answers) if a.model in rank),
        key=lambda i: (place[answers[i].prompt_id], rank[answers[i].model], answers[i].sample),
    )
    chosen = replace(responses, models=tuple(models), answers=tuple(answers[i] for i in rows))
    return _taken(features, np.array(rows, dtype=np.int64), chosen)


def _taken(features: Features, rows: NDArray[np.int64], responses: Responses) -> Features:
    """Some rows of encoded answers, as the answers of other responses."""
    return replace(
        features,
        responses=responses,
        occurrences=gather(features.occurrences, rows),
        **{k: getattr(features, k)[rows] for k in ("cut", "masked", "shard", "shard_row")},
    )


def _subset(pairing: Pairing, units: NDArray[np.int64]) -> Pairing:
    """Some units of a pairing, ascending, as a pairing of its own."""
    number = np.full(pairing.n_units, -1)
    number[units] = np.arange(len(units))
    prompts = number[pairing.prompt_unit] >= 0
    rows = number[pairing.unit] >= 0
    kept = np.cumsum(prompts) - 1
    return replace(
        pairing,
        n_units=len(units),
        prompts=tuple(p for p, mine in zip(pairing.prompts, prompts, strict=True) if mine),
        prompt_unit=number[pairing.prompt_unit[prompts]],
        unit=number[pairing.unit[rows]],
        prompt=kept[pairing.prompt[rows]],
        category=tuple(pairing.category[u] for u in units),
        scale=pairing.scale[units],
        **{
            k: getattr(pairing, k)[rows]
            for k in ("answers", "checkpoint", "side", "share", "weight", "truncated")
        },
    )


def read_draw(found: Contrast) -> dict[str, Any]:
    """Significant rows before the length rule and after it.

    ``presence``, ``rate`` and ``features`` count SAE features: by presence alone, by active tokens per
    1,000 (both Benjamini-Hochberg over the features), and by the default p within the report. ``rows`` are
    those of the whole report, of which ``ok`` are behaviour findings; these are named.
    """
    features = slice(0, int(found.start[1]))
    presence = row_tests(found.n_after[:1, features], found.n_before[:1, features], found.table, found.alpha)
    discoveries = found.discoveries
    rows, verdict = discoveries.rows, length_rule(found, discoveries).verdict
    ok = rows[verdict == OK]
    return {
        "presence": int((presence.q <= found.alpha).sum()),
        "rate": _by_rate(found.families[0], found.alpha),
        "features": int((rows < found.start[1]).sum()),
        "rows": len(rows),
        "ok": len(ok),
        "driven": int((verdict == DRIVEN).sum()),
        "unknown": int((verdict == UNKNOWN).sum()),
        "named": [_named(found, int(r)) for r in ok[:20]],
    }


def _by_rate(family: Family, alpha: float) -> int:
    """Columns with another number of active units per unit of answer: sign tests, Benjamini-Hochberg."""
    pairing, table = family.pairing, family.occurrences
    length = np.maximum(family.n_units[family.row], 1)
    steps = np.rint(table.count[family.entry] / length * _RATE_STEPS) * pairing.weight[family.row]
    cell = family.column_of(0, table.n_columns) * pairing.n_units + pairing.unit[family.row]
    net = np.bincount(cell, weights=steps, minlength=table.n_columns * pairing.n_units)
    sign = np.sign(net).reshape(table.n_columns, pairing.n_units)
    up, down = (sign > 0).sum(axis=1), (sign < 0).sum(axis=1)
    p = np.where(up + down > 0, sign_test(up, down), np.nan)
    return int((benjamini_hochberg(p) <= alpha).sum())


def _key(found: Contrast, row: int) -> tuple[str, str]:
    f = int(np.searchsorted(found.start, row, side="right")) - 1
    table = found.families[f].occurrences
    return table.kind, table.name(row - int(found.start[f]))


def _named(found: Contrast, row: int) -> str:
    return f"{':'.join(_key(found, row))} ({STATISTICS[int(found.tests.statistic[row])]})"


def answers_of(responses: Responses) -> str:
    """Fingerprint of the answers, so that results of others are not added to."""
    return fingerprint([[a.prompt_id, a.model, a.text] for a in responses.answers])


def cell_of(name: str, models: Sequence[str], responses: Responses) -> dict[str, Any]:
    """A cell without draws."""
    return {"name": name, "answers": " / ".join(models), "of": answers_of(responses), "draws": []}


def fill(cell: dict[str, Any], pair: CutPair, *, draws: int, seed: int, step: Callable[[], None]) -> None:
    """Add draws to a cell until it has as many as are wanted; call `step` after each.

    A cell without draws first holds one reading against `compare`, as ``check``: a draw of coin flips, or
    all prompts where draws are halves (of openings that always go on alike `lexical` keeps the longest, and
    in a half more of them do; there the draw tests a few terms more).
    """
    name = cell["name"]
    if "check" not in cell:
        whole = pair.pairings[0]
        cell["check"] = held(pair, pair.drawn(name, seed=seed, draw=0) if len(pair.pairings) > 1 else whole)
        cell["all"] = read_draw(pair.contrast(whole))
        cell |= {
            "by": pair.by,
            "units": whole.n_units,
            "changed": round(pair.changed, 4),
            "kept": round(pair.kept, 4),
        }
    while len(cell["draws"]) < draws:
        drawn = pair.drawn(name, seed=seed, draw=len(cell["draws"]))
        cell["draws"].append(read_draw(pair.contrast(drawn)))
        step()


def held(pair: CutPair, pairing: Pairing) -> dict[str, Any]:
    """Hold one draw against `compare` on answers that really are paired so, bit for bit."""
    found = pair.contrast(pairing)
    features, responses = pair.features, pair.features.responses
    names = ("before", "after")
    rows = sorted(
        range(len(pairing.answers)), key=lambda r: (pairing.prompts[pairing.prompt[r]], pairing.side[r])
    )
    prompts = responses.prompts.by_id
    real = Responses(
        prompts=PromptSet(prompts=tuple(prompts[i] for i in sorted(pairing.prompts))),
        models=names,
        answers=tuple(
            replace(responses.answers[pairing.answers[r]], model=names[int(pairing.side[r] > 0)])
            for r in rows
        ),
    )
    table = compare(_taken(features, pairing.answers[rows], real), draws=1, splits=0, alpha=pair.alpha).table
    mine = {_key(found, r): float(q) for r, q in enumerate(found.tests.q) if not np.isnan(q)}
    keys = list(zip(table["kind"], table["feature"], strict=True))
    truth = {k: float(q) for k, q in zip(keys, table["q"], strict=True) if not np.isnan(q)}
    if mine != truth:
        raise SystemExit("a draw does not agree with compare(); the benchmark is wrong")
    rows_ok = [
        k for k, v, q in zip(keys, table["length"], table["q"], strict=True) if v == OK and q <= pair.alpha
    ]
    read = read_draw(found)
    if len(rows_ok) != read["ok"] or int((table["q"] <= pair.alpha).sum()) != read["rows"]:
        raise SystemExit("behaviour findings of a draw do not agree with compare(); the benchmark is wrong")
    return {"rows": len(mine), "significant": read["rows"], "behaviour_findings": read["ok"]}
