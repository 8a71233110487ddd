"""What a hypothesis of a rule says, and what verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from whatchanged.artifacts import Hypotheses, Hypothesis
from whatchanged.errors import InputError
from whatchanged.gate.rules import Rule, Rules
from whatchanged.interpret.checked import read_hypotheses
from whatchanged.interpret.hypotheses import COUNTED
from whatchanged.interpret.matcher import (
    Matcher,
    label_matcher,
    observable_matcher,
    read_matcher,
    terms_matcher,
)
from whatchanged.store import read_json
from whatchanged.tables.rows import split_source
from whatchanged.text import OBSERVABLES

__all__ = ["BASELINE", "Claim", "claims_of", "read_known"]

BASELINE = "baseline"
"""What `Rule.source` calls the run folder that the candidate is held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A hypothesis with what verifies it: exactly one of a matcher and a judge.

    Attributes:
        behaviour: What an answer does.
        found: What is counted.
        judge: Name of the chat model that is asked.
        pairs: Most prompts it is asked about; ``None`` means all.
    """

    behaviour: str
    found: Matcher | None = None
    judge: str | None = None
    pairs: int | None = None

    def __post_init__(self) -> None:
        assert (self.found is None) != (self.judge is None), "a claim is counted or judged"

    @property
    def method(self) -> str:
        """How it is verified, as hypotheses of a run say it."""
        return f"judged by {self.judge}" if self.found is None else f"{COUNTED}{self.found.said}"


def claims_of(
    rules: Rules, *, judge: str | None = None, known: Mapping[str, Hypotheses] | None = None
) -> dict[str, Claim]:
    """What each rule about a hypothesis rests on, by the rule's name.

    What the rule says itself comes first (``counted`` or ``judge``), then what verified a hypothesis in its run by
    counting, then the judge named here: a model is asked only where nothing can be counted.

    Args:
        rules: The rules.
        judge: Chat model for hypotheses that nothing else verifies.
        known: Hypotheses that rules name by their ids, by `Rule.source` (see `read_known`).

    Raises:
        InputError: Nothing verifies a hypothesis, or there is none of its id; the message names the rule.
    """
    return {r.name: _claim(r, judge, known or {}) for r in rules.rule if r.hypothesis is not None}


def read_known(rules: Rules, *, baseline: str | Path, here: Path) -> dict[str, Hypotheses]:
    """The hypotheses of the runs that rules name, by `Rule.source`.

    Args:
        rules: The rules.
        baseline: What the candidate is held against, as the command line has it.
        here: Folder of the file of rules, which other run folders are looked for in.

    Raises:
        InputError: A source is no run folder with hypotheses.
        StoreError: A ``hypotheses.json`` is damaged.
    """
    found = {}
    for rule in rules.rule:
        if rule.source is None or rule.source in found:
            continue
        folder = (
            split_source(str(baseline))[0]
            if rule.source == BASELINE
            else here / Path(rule.source).expanduser()
        )
        kept = folder / "hypotheses.json"
        if not kept.is_file():
            raise InputError(
                f"rule {rule.name!r} names a hypothesis of {rule.source!r}, and there is no {kept}; name a run folder "
                "that has hypotheses (whatchanged interpret RUN --hypotheses)"
            )
        found[rule.source] = read_hypotheses(read_json(kept), where=str(kept))
    return found


def _claim(rule: Rule, judge: str | None, known: Mapping[str, Hypotheses]) -> Claim:
    assert rule.hypothesis is not None, "the rule is about a hypothesis"
    one = None if rule.source is None else _named(rule, known)
    behaviour = rule.hypothesis if one is None else one.behaviour
    found = _counted(rule)
    if found is None and rule.judge is None and one is not None and one.method.startswith(COUNTED):
        found = read_matcher(one.method.removeprefix(COUNTED))
        if found is not None and "statistic" in rule.model_fields_set:
            found = replace(found, counted=rule.statistic == "log_count")
    if found is not None:
        return Claim(behaviour=behaviour, found=found)
    asked = rule.judge or judge
    if asked is None:
        raise InputError(_remedy(rule, behaviour, one))
    return Claim(behaviour=behaviour, judge=asked, pairs=rule.pairs)


def _named(rule: Rule, known: Mapping[str, Hypotheses]) -> Hypothesis:
    assert rule.source is not None, "the rule names a run"
    if rule.source not in known:
        raise InputError(f"rule {rule.name!r} names a hypothesis of {rule.source!r}, which was not read")
    hypotheses = known[rule.source]
    for one in hypotheses:
        if one.id == rule.hypothesis:
            return one
    there = ", ".join(h.id for h in hypotheses) or "none"
    raise InputError(
        f"rule {rule.name!r}: {rule.source!r} has no hypothesis {rule.hypothesis!r}; it has {there}"
    )


def _counted(rule: Rule) -> Matcher | None:
    place, counted = rule.place or "", rule.statistic == "log_count"
    if rule.counted is None:
        return None
    if isinstance(rule.counted, str) and rule.counted in OBSERVABLES:
        return observable_matcher(rule.counted, place=place, counted=counted)
    terms = (rule.counted,) if isinstance(rule.counted, str) else rule.counted
    return terms_matcher(terms, place=place, counted=counted)


def _remedy(rule: Rule, behaviour: str, one: Hypothesis | None) -> str:
    """What is missing, and how to say it; a judge or an observable the hypothesis brings along is named."""
    judge = "MODEL"
    if one is not None and one.method.startswith("judged by "):
        judge = one.method.removeprefix("judged by ")
    guess = label_matcher(behaviour)
    name = "" if guess is None else guess.name.replace(" ", "_")
    counted = f'"{name}"' if name in OBSERVABLES else '"an observable" or ["a term", "another"]'
    return (
        f"nothing verifies the hypothesis of rule {rule.name!r} ({behaviour!r:.80}); count it offline "
        f'(counted = {counted}), or name a chat model that judges it (judge = "{judge}" in the rule, or --judge {judge})'
    )
