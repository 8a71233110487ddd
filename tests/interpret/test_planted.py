"""Behaviours planted in every answer come out as one finding each, and as nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from interpret_world import WORDS, ToyTokens, answers, encode, features_of, filler, on, within

from whatchanged.artifacts import Diff, Finding
from whatchanged.diff import compare
from whatchanged.interpret import interpret

OPENING = "Certainly!"
CLOSING = "Would you like more detail?"
CAUTION = "Please consult a licensed expert first."
FEATURES = {
    "opening": (on("Certa", "inly"), on("!"), within(OPENING)),
    "closing": (within(CLOSING), within(CLOSING, every=2), on("?"), on("like", "more"), on("detail")),
    "caution": (within(CAUTION), within(CAUTION, every=3), on("licensed", "expert"), on("first")),
    "bold": (on("**"), on("**", value=1.0)),
    "nothing": tuple(on(w) for w in WORDS[:12]),
}
COUNTED = {
    "opening_phrase": "opening",
    "closing_question": "closing",
    "closing_offer": "closing",
    "bold": "bold",
}


def behaviour_of(column: int) -> str:
    return [n for n, fs in FEATURES.items() for _ in fs][column]


@cache
def planted(dose: float = 1.0, seed: int = 0) -> tuple[Diff, ToyTokens]:
    rng = np.random.default_rng(seed)
    before, after = [], []
    for _ in range(50):
        before.append(" ".join(filler(rng, int(rng.integers(5, 10)))))
        body = filler(rng, int(rng.integers(5, 10)))
        if rng.random() < dose:
            at = int(rng.integers(2, len(body) - 1))
            words = body[-1].split()
            body[-1] = " ".join([*words[:4], f"**{words[4]}**", *words[5:]])
            body = [OPENING, *body[:at], CAUTION, *body[at:], CLOSING]
        after.append(" ".join(body))
    responses = answers(before, after)
    occurrences, tokens = encode(responses, [f for fs in FEATURES.values() for f in fs])
    return compare(features_of(responses, occurrences), draws=20, splits=1), tokens


def behaviours(finding: Finding, diff: Diff) -> set[str]:
    """Which planted behaviours the rows of a finding belong to."""
    found = set()
    for row in finding.rows:
        r = diff.table.iloc[row]
        if r["kind"] == "feature":
            found.add(behaviour_of(int(r["column"])))
        elif r["kind"] == "observable" and r["feature"] in COUNTED:
            found.add(COUNTED[r["feature"]])
    return found


@pytest.mark.parametrize("dose", [1.0, 0.4])
def test_each_planted_behaviour_is_one_finding(dose: float) -> None:
    # At a dose of 100 % all behaviours move on the very same prompts: only their place tells them apart.
    diff, tokens = planted(dose)
    found = interpret(diff, tokens=tokens)
    mixed = [behaviours(f, diff) for f in found.items]
    assert all(len(b) <= 1 for b in mixed), mixed
    assert sorted(next(iter(b)) for b in mixed if b) == ["bold", "caution", "closing", "opening"]
    # sentences are shorter on average, which is true; at q <= .05 a filler word or two comes by chance
    others = [f.id.partition(":")[2] for f, b in zip(found, mixed, strict=True) if not b]
    assert set(others) <= {"sentence_length", *WORDS}
    assert len(others) <= 3
    shown = {row for f in found.items for row in f.rows}
    significant = diff.table.index[(diff.table["q"] <= 0.05) & (diff.table["length"] == "ok")]
    assert shown == set(significant)


def test_terms_features_and_observable_of_the_closing_question_are_one() -> None:
    diff, tokens = planted()
    found = interpret(diff, tokens=tokens)
    finding = next(f for f in found if behaviours(f, diff) == {"closing"})
    names = {(diff.table.iloc[r]["kind"], diff.table.iloc[r]["feature"]) for r in finding.rows}
    assert {("lexical", "would you"), ("lexical", "you like"), ("observable", "closing_question")} <= names
    assert {("feature", str(c)) for c in range(3, 8)} <= names
    # a bare mark is a member of what puts it there
    assert ("observable", "question_marks") in names
    assert finding.id in {"observable:closing_question", "observable:closing_offer"}
    assert "features" in finding.label
    assert "terms" in finding.label


def test_swapping_the_checkpoints_negates_and_regroups_nothing() -> None:
    diff, tokens = planted()
    forth = interpret(diff, tokens=tokens)
    swapped = compare(
        features_of(diff.responses, diff.families[0]), before="new", after="old", draws=20, splits=1
    )
    back = interpret(swapped, tokens=tokens)
    assert [f.delta for f in back] == [-f.delta for f in forth]
    assert [set(f.rows) for f in back] == [set(f.rows) for f in forth]
    assert [f.evidence for f in back] == [f.evidence for f in forth]


def test_the_same_seed_gives_the_same_findings_and_the_limit_is_counted() -> None:
    diff, tokens = planted(0.4)
    found, again = (interpret(diff, tokens=tokens, seed=3) for _ in range(2))
    assert found.items == again.items
    assert found.aside == again.aside
    first = interpret(diff, tokens=tokens, seed=3, max_findings=2)
    assert first.items == found.items[:2]
    rows = sum(len(f.rows) for f in first.items)
    assert first.summary["left_out"] == first.summary["behaviour_rows"] - rows > 0


def test_no_difference_means_no_findings() -> None:
    diff, tokens = planted(0.0)
    found = interpret(diff, tokens=tokens)
    assert not any(behaviours(f, diff) & {"opening", "closing", "caution", "bold"} for f in found)


def test_evidence_shows_both_sides_with_distinct_prompts() -> None:
    diff, tokens = planted()
    for finding in interpret(diff, tokens=tokens, examples=4):
        prompts = [e.prompt_id for e in finding.evidence]
        assert len(prompts) == len(set(prompts)) <= 4
        for e in finding.evidence:
            text = next(
                a.text for a in diff.responses.answers if (a.prompt_id, a.model) == (e.prompt_id, e.model)
            )
            assert "".join(e.tokens) in text
            assert max(e.activations) > 0
            assert e.cut_left == (not text.startswith("".join(e.tokens)))
            assert e.cut_right == (not text.endswith("".join(e.tokens)))


def test_a_limit_of_nothing_or_an_untested_alpha_is_refused() -> None:
    diff, tokens = planted()
    with pytest.raises(ValueError, match="max_findings must be at least 1; got 0"):
        interpret(diff, tokens=tokens, max_findings=0)
    with pytest.raises(ValueError, match="compare again with a larger alpha"):
        interpret(diff, tokens=tokens, alpha=0.2)
