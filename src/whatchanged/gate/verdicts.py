"""Each rule judged on the paired prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.stats import norm

from whatchanged.artifacts import Features, Responses
from whatchanged.diff.contrast import contrast
from whatchanged.diff.family import STATISTICS, turn
from whatchanged.diff.units import Pairing, pair
from whatchanged.gate.claims import Claim, claims_of
from whatchanged.gate.decided import decided
from whatchanged.gate.rules import Rule, Rules
from whatchanged.gate.targets import column, word_counts
from whatchanged.stats import median_interval, tango

if TYPE_CHECKING:
    from whatchanged.interpret import Asker

__all__ = ["Verdict", "check"]

_POWER = 0.95
_ANY = 0.05  # counts do not depend on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the data say about one rule.

    Attributes:
        name: The rule.
        failed: Whether the gate must stay shut because of it.
        shown: ``beyond`` (a change beyond the tolerance is shown), ``within`` (the change is shown to lie
            within it) or ``unknown`` (the data cannot tell).
        delta: Net change, positive for more in the candidate; for length, the relative change of the
            median prompt.
        lo: Lower end of the interval the decision rests on; -inf where only the upper end counts.
        hi: Upper end; inf where only the lower end counts.
        n: Paired units; of a hypothesis the decided ones.
        n_after: Units with more in the candidate.
        n_before: Units with more in the baseline.
        needed: Prompts with which a change of zero would be shown to lie within the tolerance with 95 %
            power; ``None`` where that cannot be said.
        message: The verdict in one sentence.
        method: How a hypothesis was verified: what was counted, or the judge's name; empty for other rules.
        missing: Units for which a judge gave no decision; they count neither way.
    """

    name: str
    failed: bool
    shown: Literal["beyond", "within", "unknown"]
    delta: float
    lo: float
    hi: float
    n: int
    n_after: int
    n_before: int
    needed: int | None
    message: str
    method: str = ""
    missing: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ends that do not count are ``None``."""
        return {k: None if v in (math.inf, -math.inf) else v for k, v in asdict(self).items()}


def check(
    responses: Responses,
    rules: Rules,
    *,
    features: Features | None = None,
    before: str | None = None,
    after: str | None = None,
    claims: Mapping[str, Claim] | None = None,
    judges: Mapping[str, Asker] | None = None,
    seed: int = 0,
) -> tuple[Verdict, ...]:
    """Judge every rule.

    A change beyond the tolerance is shown by a score interval (Tango) at level alpha divided by the number
    of rules, so that the chance of any false alarm in the file is at most alpha. A change within the
    tolerance is shown by the same interval at level alpha on either side (two one-sided tests); all such
    rules must pass together, so they need no correction. Length uses the exact interval of the median
    log ratio of word counts. A hypothesis is decided on every prompt, by counting or by a blind judge (the
    code that verifies hypotheses of a run); then its counts are judged like any other. The unit is the
    prompt, near-duplicates as one, all samples together.

    Args:
        responses: Answers of both.
        rules: What to guard.
        features: The answers encoded, where a rule names SAE features.
        before: Baseline; the first checkpoint by default.
        after: Candidate; the second by default.
        claims: What each hypothesis rests on (see `claims_of`); made from the rules alone by default.
        judges: The chat models that claims name, by name (see `judges_of`); their ``summary`` tells calls and cost.
        seed: Of the order in which a judge sees two answers, and of the prompts it is asked about.

    Raises:
        ValueError: No such checkpoint, no common prompt, or features or judges that are not there.
        InputError: Nothing verifies a hypothesis.
        LLMError: A judge cannot be asked, or decided nothing at all.

    Source: Tango (1998); two one-sided tests: Schuirmann (1987), J. Pharmacokinet. Biopharm. 15:657;
    intersection-union: Berger (1982), Technometrics 24:295. Error rates are checked by simulation in
    ``tests/gate/test_verdicts.py``.
    """
    pairing = pair(responses, before or responses.before, after or responses.after)
    alarm = rules.alpha / len(rules.rule)
    known = claims_of(rules) if claims is None else claims
    data = _Data(
        responses=responses, features=features, pairing=pairing, claims=known, judges=judges or {}, seed=seed
    )
    _all_there(rules, data)
    return tuple(_judge(rule, data, alarm, rules.alpha) for rule in rules.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """What rules are held against."""

    responses: Responses
    features: Features | None
    pairing: Pairing
    claims: Mapping[str, Claim]
    judges: Mapping[str, Asker]
    seed: int


def _all_there(rules: Rules, data: _Data) -> None:
    """Refuse what is missing before anybody is asked."""
    for rule in rules.rule:
        if rule.hypothesis is None:
            continue
        if rule.name not in data.claims:
            raise ValueError(
                f"rule {rule.name!r} is about a hypothesis and has no claim; use claims_of(rules)"
            )
        judge = data.claims[rule.name].judge
        if judge is not None and judge not in data.judges:
            raise ValueError(
                f"rule {rule.name!r} is judged by {judge!r}, which is not among the judges {list(data.judges)}; "
                "use judges_of(claims)"
            )


def _judge(rule: Rule, data: _Data, alarm: float, alpha: float) -> Verdict:
    claim = None if rule.hypothesis is None else data.claims[rule.name]
    missing = 0
    sides = 2 if rule.direction == "any" else 1
    if rule.length:
        ratio = _log_ratios(data.responses, data.pairing)
        up, down, n = int((ratio > 0).sum()), int((ratio < 0).sum()), len(ratio)
        delta = math.expm1(float(np.median(ratio)))
        wide = [math.expm1(v) for v in median_interval(ratio, alpha=2 * alarm / sides)]
        narrow = [math.expm1(v) for v in median_interval(ratio, alpha=2 * alpha)]
    else:
        n, up, down, missing = _tally(rule, data)
        delta = (up - down) / n
        wide = [float(v) for v in tango(up, down, n, alpha=2 * alarm / sides)]
        narrow = [float(v) for v in tango(up, down, n, alpha=2 * alpha)]
    upper = rule.direction in ("up", "any")
    lower = rule.direction in ("down", "any")
    least = -rule.tolerance if not rule.length else -rule.tolerance / (1 + rule.tolerance)
    beyond = (upper and wide[0] > rule.tolerance) or (lower and wide[1] < least)
    within = (not upper or narrow[1] < rule.tolerance) and (not lower or narrow[0] > least)
    shown: Literal["beyond", "within", "unknown"] = "unknown"
    if n >= rule.minimum_prompts:
        shown = "beyond" if beyond else "within" if within else "unknown"
    failed = shown == "beyond" if rule.proof == "of-change" else shown != "within"
    ends = narrow if shown == "within" or (shown == "unknown" and rule.proof == "of-no-change") else wide
    verdict = Verdict(
        name=rule.name,
        failed=failed,
        shown=shown,
        delta=delta,
        lo=ends[0] if lower or shown == "beyond" else -math.inf,
        hi=ends[1] if upper or shown == "beyond" else math.inf,
        n=n,
        n_after=up,
        n_before=down,
        needed=None if rule.length else _needed(up + down, n, rule.tolerance, alpha),
        message="",
        method="" if claim is None else claim.method,
        missing=missing,
    )
    return _said(verdict, rule)


def _tally(rule: Rule, data: _Data) -> tuple[int, int, int, int]:
    """Units looked at, those with more in the candidate, those with less, and those left undecided."""
    if rule.hypothesis is not None:
        claim = data.claims[rule.name]
        return decided(claim, data.responses, data.pairing, judges=data.judges, seed=data.seed)
    table = contrast([turn(column(rule, data.responses, data.features), data.pairing)], _ANY)
    s = STATISTICS.index(rule.statistic)
    return data.pairing.n_units, int(table.n_after[s, 0]), int(table.n_before[s, 0]), 0


def _log_ratios(responses: Responses, pairing: Pairing) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Log ratio of mean word counts, candidate to baseline, of each unit; an empty answer counts one word."""
    words = np.maximum(word_counts(responses)[pairing.answers], 1)
    means = []
    for side in (-1, 1):
        mine = pairing.side == side
        total = np.bincount(pairing.unit[mine], weights=words[mine], minlength=pairing.n_units)
        means.append(total / np.bincount(pairing.unit[mine], minlength=pairing.n_units))
    ratio: np.ndarray[Any, np.dtype[np.float64]] = np.log(means[1] / means[0])
    return ratio


def _needed(discordant: int, n: int, tolerance: float, alpha: float) -> int | None:
    """Prompts for an equivalence test of a change of zero: (z_alpha + z_power)^2 psi / delta^2."""
    if tolerance == 0 or n == 0:
        return None
    share = max(discordant, 1) / n
    z = float(norm.isf(alpha) + norm.isf(1 - _POWER))
    return math.ceil(z**2 * share / tolerance**2)


def _said(v: Verdict, rule: Rule) -> Verdict:
    unit = " %" if rule.length else " points"

    def hundredths(value: float) -> str:
        return f"{value * 100:+.1f}" if math.isfinite(value) else "…"

    change, ends = hundredths(v.delta) + unit, f"[{hundredths(v.lo)}, {hundredths(v.hi)}]"
    bound = f"{rule.tolerance * 100:.1f}{unit}"
    way = {"up": "more", "down": "less", "any": "more or less"}[rule.direction]
    counts = f"{v.n_after} prompts more, {v.n_before} less, of {v.n}"
    if v.method:
        counts += f"; {v.method}" + (f", {v.missing} undecided" if v.missing else "")
    ending = {
        "beyond": f"beyond the tolerance of {bound} {way}",
        "within": f"shown to lie within {bound} {way}",
        "unknown": f"the data cannot tell whether it is within {bound} {way}",
    }[v.shown]
    if v.shown == "unknown" and v.n < rule.minimum_prompts:
        ending += f": the rule asks for {rule.minimum_prompts} prompts, there are {v.n}"
    elif v.shown == "unknown" and v.needed is not None and v.needed > v.n:
        ending += f"; about {v.needed:,} prompts would tell"
    return replace(v, message=f"{change} {ends} ({counts}): {ending}")
