"""Scores of labels: hand-worked numbers, known judges, texts without marks, nothing seen before."""

from __future__ import annotations

import re

import numpy as np
import pytest
from asked_world import found, world
from interpret_world import WORDS, answers, diff_of, encode, on

from whatchanged.artifacts import LabelScore
from whatchanged.errors import StoreError
from whatchanged.interpret import interpret
from whatchanged.interpret.activating import activating, balanced, leaders
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.candidates import candidates
from whatchanged.interpret.labelled import LabelSheet, label_findings, read_sheet
from whatchanged.interpret.scores import detection, fuzzing, score, score_notes
from whatchanged.llm import ChatRequest, ScriptedModel


def text_of(request: ChatRequest) -> str:
    return request.messages[1].content.split("Text:\n")[1].split("\n\n")[0]


def knows(request: ChatRequest) -> str:
    """A perfect judge of the planted opening; in marked texts it looks inside the marks."""
    text = text_of(request)
    inside = re.findall("<<(.*?)>>", text)
    has = any("Certa" in part for part in inside) if inside else "Certainly" in text
    return '{"answer": "yes"}' if has else '{"answer": "no"}'


def test_a_score_is_a_share_with_its_interval_and_missing_decisions_count_neither_way() -> None:
    made = score([True] * 58 + [False] * 42 + [None] * 3, "counted")
    assert made is not None
    assert (made.value, made.n, made.missing) == (0.58, 100, 3)
    # Wilson: (58 + 1.9208 ± 1.96 sqrt(24.36 + .9604)) / 103.8416
    assert (made.lo, made.hi) == (pytest.approx(0.4821, abs=1e-4), pytest.approx(0.6720, abs=1e-4))
    assert score([None, None], "counted") is None


def test_a_bad_score_is_said_to_be_bad() -> None:
    bad = LabelScore(value=0.58, lo=0.48, hi=0.67, n=100, method="counted")
    weak = LabelScore(value=0.65, lo=0.58, hi=0.71, n=200, method="m", missing=4)
    good = LabelScore(value=0.9, lo=0.85, hi=0.94, n=200, method="m")
    assert score_notes(bad, None) == (
        "The label tells 58 % of held-out texts apart (48 to 67 %, 100 decisions; counted): do not trust it.",
    )
    [first, second] = score_notes(weak, good)
    assert first.endswith("(58 to 71 %, 200 decisions, 4 undecided; m): a weak label, read the evidence.")
    assert second.startswith("The label picks the right tokens in 90 %")
    assert second.endswith("; m).")
    few = LabelScore(value=0.75, lo=0.3, hi=0.95, n=4, method="m")
    assert score_notes(few, None)[0].endswith(": too few to tell whether to trust it.")
    assert score_notes(None, None) == ()


@pytest.mark.parametrize(
    ("judge", "value"),
    [
        (knows, 1.0),
        (lambda r: knows(r).translate({ord("y"): "n", ord("e"): "o", ord("s"): None}), None),
        (lambda r: '{"answer": "yes"}', 0.5),
        (lambda r: '{"answer": false}', 0.5),
    ],
)
def test_known_judges_get_their_due(judge: object, value: float | None) -> None:
    diff, tokens = world()
    rows = leaders(diff, found().items[:1])
    everything = np.ones(len(diff.responses.answers), dtype=bool)
    asker = Asker(model=ScriptedModel(judge), attempts=1)  # type: ignore[arg-type]
    [made] = detection(diff, rows, ["opens with Certainly"], asker, tokens=tokens, allowed=everything)
    if value is None:  # "nooo" and the like is no decision
        assert made is None or made.missing > 0
    else:
        assert made is not None
        assert (made.value, made.missing) == (value, 0)


def test_detection_sees_no_marks_and_fuzzing_tells_right_ones_from_wrong_ones() -> None:
    diff, tokens = world()
    rows = leaders(diff, found().items[:1])
    everything = np.ones(len(diff.responses.answers), dtype=bool)
    model = ScriptedModel(knows)
    detection(diff, rows, ["opens with Certainly"], Asker(model=model), tokens=tokens, allowed=everything)
    assert not any("<<" in r.messages[1].content for r in model.requests)
    model = ScriptedModel(knows)
    [made] = fuzzing(diff, rows, ["Certainly"], Asker(model=model), tokens=tokens, allowed=everything)
    assert made is not None
    assert made.value == 1.0
    assert made.n == len(model.requests)
    marked = [r.messages[1].content.count("<<Certa") for r in model.requests]
    assert sum(marked) == len(marked) / 2, "half of the texts are marked wrongly"


def test_texts_are_balanced_within_each_checkpoint() -> None:
    diff, _ = world()
    [where, _] = activating(diff, leaders(diff, found().items))
    allowed = np.ones(len(diff.responses.answers), dtype=bool)
    yes, no = balanced(where, allowed, most=20, rng=np.random.default_rng(0))
    answers = diff.responses.answers
    assert len(yes) == len(no) == 10
    assert all("Certainly" in answers[i].text for i in yes)
    assert not any("Certainly" in answers[i].text for i in no)
    for model in ("old", "new"):
        assert sum(answers[i].model == model for i in yes) == sum(answers[i].model == model for i in no)
    assert {answers[i].model for i in yes} == {"old", "new"}
    # 20 of 40 and 4 of 40 have it: 4 + 20 even pairs, then nothing with it is left
    yes, no = balanced(where, allowed, most=1000, rng=np.random.default_rng(0))
    assert len(yes) == len(no) == 24
    none = balanced(where, np.zeros_like(allowed), most=20, rng=np.random.default_rng(0))
    assert none == ([], [])


def test_what_one_side_always_has_and_the_other_never_is_told_across() -> None:
    before, after = ["plain words"] * 6, ["Certainly! more words"] * 6
    responses = answers(before, after, [f"Tell me of a {w}" for w in WORDS[:6]])
    occurrences, _ = encode(responses, (on("Certa", "inly"),))
    diff = diff_of(responses, occurrences, [{"kind": "feature", "feature": "0", "delta": 1.0}])
    [where] = activating(diff, candidates(diff, 0.05))
    allowed = np.ones(12, dtype=bool)
    yes, no = balanced(where, allowed, most=8, rng=np.random.default_rng(0))
    assert {responses.answers[i].model for i in yes} == {"new"}
    assert {responses.answers[i].model for i in no} == {"old"}
    assert len(set(yes)) == len(set(no)) == 4


def test_lexical_labels_are_scored_by_their_own_terms_on_the_other_half() -> None:
    diff, tokens = world()
    findings = interpret(diff, tokens=tokens)
    planted = findings.items[0]
    assert planted.label_source == "lexical"
    assert planted.label_score is not None
    assert planted.label_score.value == 1.0
    assert any("tells 100 % of held-out texts apart" in note for note in planted.notes)
    assert found().items[0].label_score is None, "not asked for"


def test_labels_and_scores_survive_the_sheet_and_come_back_without_a_model() -> None:
    diff, tokens = world()

    def says(request: ChatRequest) -> str:
        return (
            '{"label": "the word Certainly"}'
            if "NOT active" in request.messages[1].content
            else knows(request)
        )

    labeller, judge = (Asker(model=ScriptedModel(says)) for _ in range(2))
    sheet = label_findings(found(), tokens=tokens, labeller=labeller, judge=judge)
    again = read_sheet(sheet.to_dict(), where="labels.json")
    assert again.to_dict() == sheet.to_dict()
    assert sheet.asked["judge"]["calls"] == judge.calls > 0
    shown = interpret(diff, tokens=tokens, **again.options).items
    assert (shown[0].label, shown[0].label_source) == ("the word Certainly", "written by scripted")
    assert shown[0].label_score is not None
    assert shown[0].label_score.value == 1.0
    bad = shown[1]  # "Certainly" is no label of the feature on river and stone
    assert bad.fuzzing_score is not None
    assert bad.fuzzing_score.value == 0.5
    assert any(note.endswith("do not trust it.") for note in bad.notes)


def test_an_older_sheet_is_read_and_a_damaged_one_is_refused() -> None:
    old = {"schema": 1, "source": "imported from x", "dropped": {}, "labels": {"7": "politeness"}}
    assert read_sheet(old, where="w").options["labels"] == {7: "politeness"}
    with pytest.raises(StoreError, match=r"labels\.json is damaged \(at scores\.7\.detection\.value"):
        read_sheet(
            old | {"scores": {"7": {"detection": {"value": 2, "lo": 0, "hi": 1, "n": 1, "method": "m"}}}},
            where="labels.json",
        )
    with pytest.raises(ValueError, match="no labels to score"):
        label_findings(found(), tokens=world()[1])


def test_labels_from_elsewhere_are_scored_on_all_answers_and_kept_as_they_are() -> None:
    tokens = world()[1]
    imported = LabelSheet(texts={0: "opens with Certainly", 99: "elsewhere"}, source="imported from x")
    sheet = label_findings(found(), tokens=tokens, judge=Asker(model=ScriptedModel(knows)), known=imported)
    assert (sheet.texts, sheet.source, sheet.split_seed) == (imported.texts, imported.source, None)
    assert set(sheet.scores) == {0}
    detected, _ = sheet.scores[0]
    assert detected is not None
    assert (detected.value, detected.n) == (1.0, 30)
    unscored = label_findings(found(), tokens=tokens, known=imported)
    assert unscored.scores == {}
