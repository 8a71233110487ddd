"""Redundancy by hand: place in the answer, prompts, words in common, decoder directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from interpret_world import Fires, ToyTokens, answers, diff_of, encode, on

from whatchanged.artifacts import Diff
from whatchanged.interpret import interpret
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import candidates, moves, thresholds
from whatchanged.interpret.grouping import group
from whatchanged.interpret.redundancy import Redundancy

BODY = (
    "Rivers shape the land over time. Lakes are quiet places. Hills rise slowly from the plain. "
    "Forests cover most slopes. Villages lie near water. Roads follow the valleys closely."
)
ASKED = "Shall I go on with that?"
START = "Gladly friend, here goes."


def world(
    after: list[str], features: list[Fires], deltas: list[float], statistic: str = "presence"
) -> tuple[Diff, ToyTokens, Redundancy]:
    responses = answers([BODY] * len(after), after)
    occurrences, tokens = encode(responses, features)
    rows = [
        {"kind": "feature", "feature": str(i), "delta": d, "q": 1e-6 * (i + 1), "statistic": statistic}
        for i, d in enumerate(deltas)
    ]
    diff = diff_of(responses, occurrences, rows)
    return diff, tokens, redundancy(diff, tokens)


def redundancy(diff: Diff, tokens: ToyTokens) -> Redundancy:
    chosen = candidates(diff, 0.05)
    high = thresholds(diff, chosen)
    return Redundancy(ActivityReader(diff.responses, chosen, high, tokens), moves(diff, chosen, high), tokens)


def test_one_sentence_is_one_group_and_two_sentences_are_two() -> None:
    _, _, g = world(
        [f"{START} {BODY} {ASKED}"] * 20,
        [on("Shall"), on("?"), on("that"), on("Gladly"), on("goes")],
        [1.0] * 5,
    )
    groups, left = group(g, range(5), most=10)
    # every feature moved on the same twenty prompts, so the prompts say nothing
    assert (g.signs == 1).all()
    assert [(x.leader, x.members) for x in groups] == [(0, (1, 2)), (3, (4,))]
    assert left == ()


def test_the_explained_share_by_hand() -> None:
    # Feature 1 appears in the new sentence of all 20 prompts; in the first 8 it is also new elsewhere.
    texts = [f"{BODY.replace('quiet', 'quiet and blue')} {ASKED} Or blue?" for _ in range(8)]
    texts += [f"{BODY} {ASKED} Or blue?" for _ in range(12)]
    _, _, g = world(texts, [on("Or"), on("blue")], [1.0, 1.0])
    (first, *_), _ = group(g, range(2), most=10)
    share = 12 / 20  # blanking "Or blue?" and three words around leaves it in 8 of 20 answers
    chance = np.mean([5 / 37] * 8 + [5 / 35] * 12)
    n = [len(t.split()) for t in texts]
    chance = np.mean([5 / k for k in n])
    assert first.explained == {1: pytest.approx((share - chance) / (1 - chance))}
    assert first.members == (1,)


def test_a_row_that_moved_mostly_on_other_prompts_is_not_explained() -> None:
    # Both stand in the same sentence, but the second on 30 prompts and the leader on 10 of them.
    texts = [f"{BODY} {ASKED}"] * 10 + [f"{BODY} Who would go on with that now?"] * 20
    _, _, g = world(texts, [on("Shall"), on("?")], [10 / 30, 1.0])
    groups, _ = group(g, range(2), most=10)
    assert [x.members for x in groups] == [(), ()]


def test_opposite_directions_never_merge() -> None:
    after = [BODY.replace("closely.", "loosely!")] * 20
    _, _, g = world(after, [on("closely", "clo"), on("loosely", "loo")], [-1.0, 1.0])
    groups, _ = group(g, range(2), most=10)
    assert len(groups) == 2


def test_a_leader_that_is_everywhere_explains_nothing() -> None:
    texts = [f"{START} {BODY} {ASKED}"] * 20
    _, _, g = world(texts, [lambda t, i: 1.0, on("?")], [1.0, 1.0], "log_count")
    assert (g.signs == 1).all()
    groups, _ = group(g, range(2), most=10)
    assert [x.members for x in groups] == [(), ()]


def test_decoder_rows_that_point_alike_merge_wherever_they_fire() -> None:
    diff, tokens, apart = world([f"{START} {BODY} {ASKED}"] * 20, [on("Gladly"), on("?")], [1.0, 1.0])
    assert len(group(apart, range(2), most=10)[0]) == 2
    for cosine, groups in ((0.8, 1), (0.6, 2)):
        rows = np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]], dtype=np.float32)
        alike = redundancy(diff, replace(tokens, directions=rows))
        assert len(group(alike, range(2), most=10)[0]) == groups


def test_a_broad_leader_must_be_explained_in_turn() -> None:
    # "the" is added in most sentences; the question also holds one, but is not why there are more
    more = (
        BODY.replace("over", "over the")
        .replace("are", "are the")
        .replace("most", "the")
        .replace("near", "near the")
    )
    fires = [on("the", "The"), on("Shall")]
    texts = [f"{more} Shall the rest wait?"] * 20
    groups, _ = group(world(texts, fires, [1.0] * 2, "log_count")[2], range(2), most=10)
    assert [x.members for x in groups] == [(), ()]
    # without the others the question is the reason, broad or not
    texts = [f"{BODY} Shall the rest wait?"] * 20
    groups, _ = group(world(texts, fires, [1.0] * 2, "log_count")[2], range(2), most=10)
    assert [x.members for x in groups] == [(1,)]


def test_rows_that_fire_on_the_same_words_merge_wherever_those_are() -> None:
    more = BODY.replace("over", "over the").replace("are", "are the").replace("near", "near the")
    fires = [on("the", "The"), on("the", "The", "of", value=1.0)]
    groups, _ = group(world([more] * 20, fires, [1.0] * 2, "log_count")[2], range(2), most=10)
    assert [x.members for x in groups] == [(1,)]


def test_a_feature_of_whatever_is_new_goes_where_it_fires_most() -> None:
    # either leader's text blanked, it still fires in the other's: none explains it alone, both do wholly
    responses = answers([BODY] * 20, [f"Certainly! Here it is. {BODY} {ASKED}"] * 20)
    occurrences, tokens = encode(responses, [on("Here", "go", "with")])
    rows = [
        {"kind": "observable", "feature": "opening_phrase", "delta": 1.0, "q": 1e-8},
        {"kind": "observable", "feature": "closing_question", "delta": 1.0, "q": 1e-7},
        {"kind": "feature", "feature": "0", "delta": 1.0, "q": 1e-6},
    ]
    g = redundancy(diff_of(responses, occurrences, rows), tokens)
    assert g.of(0, [2])[0][2] == g.of(1, [2])[0][2] == 0.0
    groups, _ = group(g, range(3), most=10)
    assert [(x.leader, x.members) for x in groups] == [(0, ()), (1, (2,))]


def test_the_numbers_of_a_list_are_one_thing() -> None:
    items = [s + "." for s in BODY.rstrip(".").split(". ")]
    listed = "\n".join(f"{i}. {item}" for i, item in enumerate(items, start=1))
    responses = answers([BODY] * 20, [f"{listed}\nWell then, friend."] * 20)
    occurrences, tokens = encode(responses, [on("nothing")])
    rows = [
        {"kind": kind, "feature": name, "delta": 1.0, "q": 1e-6 * (i + 1)}
        for i, (kind, name) in enumerate(
            [("lexical", "2."), ("lexical", "5."), ("observable", "numbered_items"), ("lexical", "friend")]
        )
    ]
    groups, _ = group(redundancy(diff_of(responses, occurrences, rows), tokens), range(4), most=10)
    assert [(x.leader, set(x.members)) for x in groups] == [(2, {0, 1}), (3, set())]


def test_what_the_limit_leaves_out_is_returned() -> None:
    _, _, g = world([f"{START} {BODY} {ASKED}"] * 20, [on("Shall"), on("?"), on("Gladly")], [1.0] * 3)
    groups, left = group(g, range(3), most=1)
    assert [(x.leader, x.members) for x in groups] == [(0, (1,))]
    assert left == (2,)


def test_length_rows_stand_aside_and_do_not_absorb_behaviours() -> None:
    responses = answers([BODY] * 20, [f"{BODY} {ASKED}"] * 20)
    occurrences, tokens = encode(responses, [on("Shall"), on("?")])
    rows = [
        {"kind": "feature", "feature": "0", "delta": 1.0, "q": 1e-9, "length": "length-driven"},
        {"kind": "feature", "feature": "1", "delta": 1.0, "q": 1e-8},
    ]
    found = interpret(diff_of(responses, occurrences, rows), tokens=tokens)
    assert [f.id for f in found.items] == ["feature:1"]
    assert [f.id for f in found.aside] == ["feature:0"]
    assert "length-driven" in found.aside[0].tags
    assert found.summary == {
        "alpha": 0.05,
        "seed": 0,
        "significant": 2,
        "behaviour_rows": 1,
        "aside_rows": 1,
        "merged": 0,
        "left_out": 0,
        "aside_left_out": 0,
    }
