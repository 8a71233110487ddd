"""The split of prompts: fixed by ids alone, disjoint, near-duplicates together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asked_world import N, texts, world
from interpret_world import answers, encode, features_of, on

from whatchanged.artifacts import Prompt, PromptSet
from whatchanged.interpret.split import features_of as part_of
from whatchanged.interpret.split import prompt_units, split_prompts


def test_halves_are_disjoint_whole_and_the_same_again_whatever_was_answered() -> None:
    responses = texts()
    first, second = split_prompts(responses, seed=3)
    ids = [{p.id for p in half.prompts} for half in (first, second)]
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == {p.id for p in responses.prompts}
    assert [len(i) for i in ids] == [N // 2, N // 2]
    assert len(first.answers) + len(second.answers) == len(responses.answers)
    other = replace(
        responses,
        answers=tuple(replace(a, text="another answer") for a in responses.answers),
        prompts=replace(responses.prompts, prompts=responses.prompts.prompts[::-1]),
    )
    again = split_prompts(other, seed=3)
    assert [{p.id for p in half.prompts} for half in again] == ids
    assert {p.id for p in split_prompts(responses, seed=4)[0].prompts} != ids[0]


def test_near_duplicates_and_named_clusters_are_never_torn_apart() -> None:
    asked = [f"Explain how a {thing} works" for thing in ("pump", "lock", "sail", "kiln", "loom", "plough")]
    asked += [a.upper() + " please" for a in asked]
    responses = answers(["a"] * 12, ["b"] * 12, asked)
    named = [replace(p, cluster="tied" if p.id in {"p000", "p001"} else None) for p in responses.prompts]
    responses = replace(responses, prompts=PromptSet(prompts=tuple(named)))
    unit = prompt_units(named)
    assert unit[0] == unit[1] == unit[6] == unit[7]
    assert len(set(unit)) == 5
    for seed in range(5):
        first, _ = split_prompts(responses, seed)
        kept = {p.id for p in first.prompts}
        assert all((f"p{i:03d}" in kept) == (f"p{i + 6:03d}" in kept) for i in range(6))
        assert ("p000" in kept) == ("p001" in kept)


def test_one_unit_cannot_be_split_and_shares_must_be_shares() -> None:
    same = answers(["a", "b"], ["c", "d"], ["one question here", "One question here!"])
    with pytest.raises(ValueError, match="2 prompts make 1 independent unit"):
        split_prompts(same)
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1\.0"):
        split_prompts(texts(), held_out=1.0)


def test_features_of_a_part_are_those_its_own_encoding_would_give() -> None:
    diff, _ = world()
    part, _ = split_prompts(diff.responses, seed=1)
    taken = part_of(diff.features, part)
    fresh, _ = encode(part, (on("Certa", "inly"), on("river", "stone")))
    for name in ("n_units", "indptr", "column", "maximum", "count", "total", "first", "last"):
        np.testing.assert_array_equal(getattr(taken.occurrences, name), getattr(fresh, name), err_msg=name)
    assert [diff.responses.answers[i] for i in taken.shard_row] == list(part.answers)
    whole = features_of(part, fresh)
    with pytest.raises(ValueError, match=r"\d+ answers were not encoded, such as \('p\d+', 'old', 0\)"):
        part_of(whole, diff.responses)


def test_units_of_prompts_alone() -> None:
    assert (
        len(set(prompt_units([Prompt(id="a", text="Name a river"), Prompt(id="b", text="Sort these")]))) == 2
    )
