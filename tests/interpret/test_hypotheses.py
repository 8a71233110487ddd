"""Hypotheses: verified on prompts they were not made from, by blind judges or by counting, and calibrated."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from asked_world import found, texts, world
from interpret_world import WORDS, answers, diff_of, encode, features_of, on
from test_planted import FEATURES, planted

from whatchanged.artifacts import Findings, LabelScore, Responses
from whatchanged.diff import compare
from whatchanged.errors import StoreError
from whatchanged.interpret import (
    hypotheses_json,
    hypothesise,
    interpret,
    read_hypotheses,
    remarks,
    split_prompts,
)
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.judge import ask_judge, count_pairs
from whatchanged.interpret.matcher import label_matcher
from whatchanged.interpret.templates import template_hypotheses
from whatchanged.interpret.verdicts import Draft, judged
from whatchanged.llm import ChatRequest, ScriptedModel
from whatchanged.stats import clopper_pearson


def draft(direction: int = 1) -> Draft:
    return Draft(behaviour="opens with Certainly", direction=direction, findings=("feature:0",))


def of_half(half: Responses) -> Findings:
    """Findings as discovery on one half would give them."""
    occurrences, tokens = encode(half, (on("Certa", "inly"), on("river", "stone")))
    rows = [{"kind": "feature", "feature": "0", "delta": 0.4}]
    return interpret(diff_of(half, occurrences, rows), tokens=tokens, scored=False)


def pairs_of(request: ChatRequest) -> tuple[str, str]:
    said = request.messages[1].content
    first, second = said.split("\nAnswer 1:\n")[1].split("\nAnswer 2:\n")
    return first, second.split("\nWhich answer")[0]


def sees(request: ChatRequest) -> str:
    """A perfect judge of the planted opening."""
    has = [a.lstrip().startswith("Certainly") for a in pairs_of(request)]
    return '{"choice": "tie"}' if has[0] == has[1] else f'{{"choice": {1 if has[0] else 2}}}'


def test_verdicts_by_hand() -> None:
    decisions = np.array([1] * 12 + [-1] * 2 + [0] * 5 + [np.nan] * 3, dtype=float)
    units = np.arange(22)
    made = judged(
        [draft(), draft(-1), draft(), draft()],
        [decisions, decisions, np.full(22, np.nan), np.zeros(22)],
        ["m"] * 4,
        units,
        fresh=True,
        alpha=0.05,
    )
    first = made[0]
    assert (first.n, first.n_after, first.n_before, first.missing) == (19, 12, 2, 3)
    assert first.delta == pytest.approx(10 / 19)
    # two-sided: 2 (1 + 14 + 91) / 2^14; three hypotheses are tested, two of them tie
    assert first.p == pytest.approx(212 / 16384)
    assert first.q == pytest.approx(212 / 16384 * 3 / 2)
    assert first.lo < 10 / 19 < first.hi
    assert [h.verdict for h in made] == ["verified", "contradicted", "not_judged", "unconfirmed"]
    assert np.isnan(made[2].p)
    assert made[3].p == 1.0
    [seen] = judged([draft()], [decisions], ["m"], units, fresh=False, alpha=0.05)
    assert seen.verdict == "consistent"


def test_near_duplicate_prompts_count_once() -> None:
    [made] = judged(
        [draft()],
        [np.array([1.0, 1, -1, 1, np.nan])],
        ["m"],
        np.array([0, 0, 0, 1, 2]),
        fresh=True,
        alpha=0.05,
    )
    assert (made.n, made.n_after, made.missing) == (2, 2, 1)


def test_a_planted_change_is_verified_on_held_out_prompts_and_only_there() -> None:
    discovery, held_out = split_prompts(texts(n=60))
    made = hypothesise(of_half(discovery), held_out=held_out)
    [one] = made.items
    assert (one.verdict, one.direction, one.findings) == ("verified", 1, ("feature:0",))
    assert "Certainly" in one.behaviour
    assert one.method.startswith("counted: ")
    assert one.n == len(held_out.prompts)
    assert made.summary["fresh"] is True
    again = hypothesise(of_half(discovery))
    assert [h.verdict for h in again] == ["consistent"]
    assert hypothesise(of_half(discovery), held_out=texts(n=60)).summary["fresh"] is False


def test_a_held_out_near_duplicate_of_a_seen_prompt_takes_freshness_away() -> None:
    discovery, held_out = split_prompts(texts(n=60))
    seen = discovery.prompts.prompts[0].text
    first, *rest = held_out.prompts.prompts
    copied = replace(held_out.prompts, prompts=(replace(first, text=seen.upper()), *rest))
    made = hypothesise(of_half(discovery), held_out=replace(held_out, prompts=copied))
    assert made.summary["fresh"] is False
    assert [h.verdict for h in made] == ["consistent"]


def test_a_blind_judge_verifies_what_is_planted() -> None:
    discovery, held_out = split_prompts(texts(n=60))
    model = ScriptedModel(sees)
    made = hypothesise(of_half(discovery), held_out=held_out, judge=Asker(model=model))
    assert [h.verdict for h in made] == ["verified"]
    counted = hypothesise(of_half(discovery), held_out=held_out).items[0]
    assert (made.items[0].n_after, made.items[0].n_before) == (counted.n_after, counted.n_before)
    for request in model.requests:
        said = request.messages[1].content
        assert not re.search(r"\b(old|new|before|after|more in)\b", said.split("Prompt:")[0])
    first_is_after = [
        any(a.text == pairs_of(r)[0].strip() for a in held_out.answers if a.model == "new")
        for r in model.requests
    ]
    assert 6 <= sum(first_is_after) <= len(first_is_after) - 6, "the order is drawn anew for every pair"
    assert made.summary["judge"]["calls"] == len(model.requests) == made.summary["prompts"]


def test_a_judge_that_always_says_the_first_or_nothing_verifies_nothing() -> None:
    discovery, held_out = split_prompts(texts(n=60))
    biased = hypothesise(
        of_half(discovery), held_out=held_out, judge=Asker(model=ScriptedModel(lambda r: '{"choice": "1"}'))
    )
    assert [h.verdict for h in biased] == ["unconfirmed"]
    silent = Asker(model=ScriptedModel(lambda r: "I would rather not."), attempts=2)
    mute = hypothesise(of_half(discovery), held_out=held_out, judge=silent, pairs=10)
    assert [(h.verdict, h.n, h.missing) for h in mute] == [("not_judged", 0, 10)]
    assert mute.summary["judge"]["malformed"] == 20


def test_swapping_the_checkpoints_negates_every_decision() -> None:
    responses = texts()
    prompts = [p.id for p in responses.prompts]
    found_ = label_matcher('"certainly" · opening')
    assert found_ is not None
    np.testing.assert_array_equal(
        count_pairs(found_, responses.swapped(), prompts), -count_pairs(found_, responses, prompts)
    )
    [one] = ask_judge(["b"], responses, prompts, Asker(model=ScriptedModel(sees)))
    [other] = ask_judge(["b"], responses.swapped(), prompts, Asker(model=ScriptedModel(sees)))
    np.testing.assert_array_equal(other, -one)
    np.testing.assert_array_equal(one, count_pairs(found_, responses, prompts))


def test_under_label_swaps_hardly_anything_is_ever_verified() -> None:
    """Ten forced hypotheses on pairs whose labels are swapped at random, prompt by prompt."""
    responses = texts(n=60)
    prompts = [p.id for p in responses.prompts]
    words = (
        "certainly",
        "river",
        "stone",
        "garden",
        "window",
        "letter",
        "market",
        "winter",
        "bread",
        "engine",
    )
    matchers = [label_matcher(f'"{w}"') for w in words]
    decisions = np.array([count_pairs(m, responses, prompts) for m in matchers if m is not None])
    assert decisions.shape == (10, 60)
    drafts = [draft(1 if d.sum() >= 0 else -1) for d in decisions]
    assert (
        judged(drafts, list(decisions), ["m"] * 10, np.arange(60), fresh=True, alpha=0.05)[0].verdict
        == "verified"
    )
    rng = np.random.default_rng(0)
    draws = 400
    hits = 0
    for _ in range(draws):
        flipped = decisions * rng.choice([-1.0, 1.0], 60)
        made = judged(drafts, list(flipped), ["m"] * 10, np.arange(60), fresh=True, alpha=0.05)
        hits += any(h.verdict == "verified" for h in made)
    lower = clopper_pearson(hits, draws, side="lower")[0]
    assert lower <= 0.05


def test_a_writer_is_held_to_the_findings_there_are() -> None:
    items = [
        {"behaviour": "opens with Certainly", "more_in": "after", "findings": ["feature:0", "feature:99"]},
        {"behaviour": "mentions rivers", "more_in": "before", "findings": [2, "[1]"]},
        {"behaviour": "invented", "more_in": "after", "findings": ["feature:77"]},
        {"behaviour": "pointless", "more_in": "sideways", "findings": [1]},
        *({"behaviour": f"again {i}", "more_in": "after", "findings": [1]} for i in range(9)),
    ]
    writer = Asker(model=ScriptedModel(["so", json.dumps({"hypotheses": items})]))
    made = hypothesise(found(), writer=writer)
    assert len(made) == 10
    assert made.items[0].findings == ("feature:0",)
    assert made.items[1].findings == ("feature:0", "feature:1")
    assert made.items[1].direction == -1
    assert made.summary["dropped"] == {"invented_id": 2, "malformed": 1, "too_many": 1, "without_finding": 1}
    assert made.summary["writer"]["malformed"] == 1
    # it says before where its findings say after, so what they count says nothing about it
    assert (made.items[1].verdict, made.items[1].method) == ("not_judged", "")
    assert made.items[0].verdict == "consistent"


def test_no_findings_and_mute_writers_give_no_hypotheses() -> None:
    nothing = replace(found(), items=())
    assert len(hypothesise(nothing)) == 0
    assert len(hypothesise(nothing, judge=Asker(model=ScriptedModel([])))) == 0
    mute = Asker(model=ScriptedModel(lambda r: "no"), attempts=1)
    assert len(hypothesise(found(), writer=mute)) == 0


def test_other_checkpoints_and_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="the held-out answers compare"):
        hypothesise(found(), held_out=texts().swapped())
    with pytest.raises(ValueError, match="pairs must be at least 1; got 0"):
        hypothesise(found(), pairs=0)
    with pytest.raises(ValueError, match="alpha must lie"):
        hypothesise(found(), alpha=1)


def test_templates_say_what_is_counted() -> None:
    before = ["plain words here " * 3] * 12
    after = ["- one\n- two\n- three " + b for b in before]
    responses = answers(before, after, [f"Tell me of a {w}" for w in WORDS[:12]])
    occurrences, tokens = encode(responses, (on("-"),))
    rows = [
        {"kind": "observable", "feature": "bullets", "delta": 1.0},
        {"kind": "observable", "feature": "words", "delta": 1.0, "statistic": "log_count"},
    ]
    made = hypothesise(interpret(diff_of(responses, occurrences, rows), tokens=tokens, scored=False))
    assert [h.behaviour for h in made] == [
        "lines that begin with a bullet",
        "number of words",
    ]
    assert made.items[1].method == "counted: words"
    assert all(h.verdict == "consistent" and h.n_after == 12 for h in made)


def test_findings_that_count_the_same_share_a_hypothesis_and_the_list_ends_at_its_limit() -> None:
    diff, _ = world()
    first, second = found().items
    twin = replace(first, id="feature:9")
    blank = replace(first, id="feature:8", label="many words", agrees=())
    bad = replace(second, label_score=LabelScore(value=0.5, lo=0.4, hi=0.6, n=90, method="m"))
    assert template_hypotheses(diff, [bad], most=10) == ([], 1)
    drafts, uncounted = template_hypotheses(diff, [first, blank, second, twin], most=10)
    assert [d.findings for d in drafts] == [("feature:0", "feature:9"), ("feature:1",)]
    assert uncounted == 1
    drafts, _ = template_hypotheses(diff, [first, second, twin], most=1)
    assert [d.findings for d in drafts] == [("feature:0",)]


def test_hypotheses_survive_their_file_and_stand_under_their_findings() -> None:
    discovery, held_out = split_prompts(texts(n=60))
    made = hypothesise(of_half(discovery), held_out=held_out)
    mute = judged([draft(-1)], [np.full(3, np.nan)], [""], np.arange(3), fresh=True, alpha=0.05)
    made = replace(made, items=(*made.items, *mute))
    content = json.loads(json.dumps(hypotheses_json(made, before="old", after="new"), allow_nan=False))
    again = read_hypotheses(content, where="hypotheses.json")
    assert hypotheses_json(again, before="old", after="new")["hypotheses"] == content["hypotheses"]
    said = remarks(again, before="old", after="new")
    diff, tokens = world()
    [shown, other] = interpret(diff, tokens=tokens, scored=False, remarks=said).items
    one = made.items[0]
    assert shown.notes[-2].startswith(
        f"Hypothesis h1: “{one.behaviour}”, more in new: verified on {one.n} held-out prompts"
    )
    assert shown.notes[-1] == "Hypothesis h1: “opens with Certainly”, more in old: not judged on any pair."
    assert not any("Hypothesis" in note for note in other.notes)
    content["hypotheses"][0]["verdict"] = "certain"
    with pytest.raises(StoreError, match=r"h\.json is damaged \(at hypotheses\.0\.verdict"):
        read_hypotheses(content, where="h.json")


def test_from_answers_to_verified_hypotheses_without_a_model() -> None:
    whole = planted()[0].responses
    discovery, held_out = split_prompts(whole, seed=2)
    dictionary = [fires for features in FEATURES.values() for fires in features]
    half, tokens = encode(discovery, dictionary)
    diff = compare(features_of(discovery, half), draws=20, splits=0)
    made = hypothesise(interpret(diff, tokens=tokens, scored=False), held_out=held_out)
    assert made.summary["fresh"] is True
    verified = " | ".join(h.behaviour for h in made if h.verdict == "verified")
    # bold stands in the last sentence, past the shorter answer's end: 25 prompts cannot tell it from length
    assert re.search(r"consult", verified)
    assert re.search(r"question", verified)
    assert re.search(r"opening|certainly", verified, re.IGNORECASE)
    assert not [h.behaviour for h in made if h.verdict == "contradicted"]
    # under swapped labels on the held-out half the same sentences find nothing
    rng = np.random.default_rng(5)
    swapped = {p.id for p in held_out.prompts if rng.random() < 0.5}
    other = {"old": "new", "new": "old"}
    mixed = replace(
        held_out,
        answers=tuple(
            replace(a, model=other[a.model]) if a.prompt_id in swapped else a for a in held_out.answers
        ),
    )
    again = hypothesise(interpret(diff, tokens=tokens, scored=False), held_out=mixed)
    assert not [h.behaviour for h in again if h.verdict == "verified"]


def test_several_samples_are_averaged_where_they_are_counted_and_the_first_is_judged() -> None:
    one = answers(["no", "certainly"], ["certainly", "no"], ["Name a river", "Sort these letters"])
    second = tuple(
        replace(a, sample=1, text="certainly" if a.prompt_id == "p000" else "no") for a in one.answers
    )
    both = replace(one, answers=(*one.answers, *second))
    found_ = label_matcher('"certainly"')
    assert found_ is not None
    # p000: 1/2 before, 2/2 after; p001: 1/2 before, 0/2 after
    assert count_pairs(found_, both, ["p000", "p001"]).tolist() == [1.0, -1.0]
    first = ScriptedModel(lambda r: '{"choice": "neither"}')
    assert [d.tolist() for d in ask_judge(["b"], both, ["p000"], Asker(model=first))] == [[0.0]]
    assert {a.strip() for a in pairs_of(first.requests[0])} == {"no", "certainly"}
