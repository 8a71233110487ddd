"""A label that says one thing while the measured property moved the other way is called out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from interpret_world import answers, diff_of, encode, features_of, filler, on

from whatchanged.diff import compare
from whatchanged.interpret import interpret
from whatchanged.interpret.concordance import named_observables


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("enumerated lists", {"numbered_items"}),
        ("Double-space formatting", {"double_spaces"}),
        ('"1.", "2."', {"numbered_items"}),
        ('"**"', {"bold"}),
        ('"?" · closing', {"closing_question"}),
        ('"?"', set()),
        ('"sorry"', set()),  # what it fires on, not what it is called
        ('"river" · opening', set()),
        ("volcanoes", set()),
        ("question marks", {"question_marks"}),  # the longest phrase, so not the closing question
        ("inline code and em-dashes", {"inline_code", "em_dashes"}),
        ('"—"', {"em_dashes"}),
        ("outer space, tables of the law, ordered food", {"tables"}),
    ],
)
def test_observables_a_label_names(label: str, names: set[str]) -> None:
    assert set(named_observables(label)) == names


@pytest.mark.parametrize(
    ("label", "senses"),
    [
        ("bullet points", {"bullets": 1}),
        ("no bullet points", {"bullets": -1}),
        ("lack of numbered lists", {"numbered_items": -1}),
        ("answers without any headings, bold text", {"bold": 1, "headings": -1}),
        ("concise answers", {"words": -1}),
        ("less concise answers", {"words": 1}),
        ("verbose, confident tone", {"hedges": -1, "words": 1}),
        ("American spelling", {"british_spelling": -1}),
        ("non-English text", {"non_english": 1}),
    ],
)
def test_a_label_may_speak_of_having_or_of_lacking(label: str, senses: dict[str, int]) -> None:
    assert dict(named_observables(label)) == senses


@pytest.mark.parametrize(
    ("label", "feature", "observable", "warned"),
    [
        ("concise answers", 1.0, 0.9, True),  # fires more, and the answers grew
        ("concise answers", 1.0, -0.9, False),
        ("verbose answers", 1.0, 0.9, False),
        ("verbose answers", -1.0, 0.9, True),
    ],
)
def test_the_sense_of_a_label_decides_what_contradicts_it(
    label: str, feature: float, observable: float, warned: bool
) -> None:
    responses = answers(["One two three."] * 20, ["One two three four."] * 20)
    occurrences, tokens = encode(responses, [on("two")])
    rows = [
        {"kind": "feature", "feature": "0", "delta": feature},
        {"kind": "observable", "feature": "words", "delta": observable, "length": "length-driven"},
    ]
    found = interpret(diff_of(responses, occurrences, rows), tokens=tokens, labels={0: label})
    finding = next(f for f in found.items if f.id == "feature:0")
    assert finding.contradicts == (("words",) if warned else ())
    assert finding.notes[0].startswith("Warning: the label names words") == warned


def test_a_count_that_leans_the_other_way_within_chance_is_a_caution() -> None:
    bold, plain = ["One **two** three."] * 20, ["One two three."] * 20
    unsure = {"q": 0.4, "p": 0.3, "lo": -0.1, "hi": 0.1}
    denser, thinner = ({"per_1000_before": a, "per_1000_after": b} for a, b in ((1.0, 3.0), (3.0, 1.0)))
    for row, more, leaning in (
        ({"delta": -0.05}, True, True),
        ({"delta": 0.0} | thinner, True, True),  # fewer, on as many prompts
        ({"delta": 0.05} | denser, False, True),  # fewer in all
        ({"delta": 0.2, "q": 0.01} | denser, False, True),  # on more prompts for sure, and yet fewer in all
        ({"delta": 0.05} | denser, True, False),
    ):
        responses = answers(*((plain, bold) if more else (bold, plain)))
        occurrences, tokens = encode(responses, [on("two")])
        rows = [
            {"kind": "feature", "feature": "0", "delta": 0.5},
            {"kind": "observable", "feature": "bold"} | unsure | row,
        ]
        found = interpret(diff_of(responses, occurrences, rows), tokens=tokens, labels={0: "bold type"})
        finding = next(f for f in found if f.id == "feature:0")
        assert finding.contradicts == ()
        cautions = [n for n in finding.notes if n.startswith("Caution: the label names bold")]
        assert len(cautions) == leaning


def test_the_double_space_feature_in_a_whole_report() -> None:
    # What was published of such a feature: "fewer numbered lists". It fires on double spaces, which fell
    # from 12 prompts in 40 to none, while the numbered items rose.
    rng = np.random.default_rng(0)
    before, after = [], []
    for i in range(40):
        a, b = (" ".join(filler(rng, 5)) for _ in range(2))
        before.append((a.replace(". ", ".  ") if i < 12 else a) + "\n1. river\n2. stone")
        after.append(b + "\n1. river\n2. stone\n3. bread\n4. copper")
    responses = answers(before, after)
    occurrences, tokens = encode(
        responses, [lambda t, i: float(bool(re.fullmatch(" {2,}", t[i]))), on("river", "stone")]
    )
    diff = compare(features_of(responses, occurrences), draws=20, splits=1)
    counts = diff.table.set_index(["kind", "feature"])["delta"]
    assert counts["observable", "numbered_items"] == 1.0
    assert counts["observable", "double_spaces"] == counts["feature", "0"] == -0.3
    found = interpret(diff, tokens=tokens, labels={0: "numbered lists"}, label_source="catalogue")
    feature = next(f for f in (*found.items, *found.aside) if f.id == "feature:0")
    assert feature.contradicts == ("numbered_items",)
    assert feature.notes[0].startswith(
        "Warning: the label names numbered items, and this row says less of it"
    )
    assert "whitespace" in feature.tags
    assert feature.id not in {f.id for f in found.items}


def test_the_list_feature_that_fires_on_double_spaces() -> None:
    # Double spaces fall while numbered items rise; somebody has labelled the feature "enumerated lists".
    before = ["Steps are  simple:  1. wash\n2. dry"] * 20
    after = ["Steps are simple:\n1. wash\n2. dry\n3. fold"] * 20
    responses = answers(before, after)
    occurrences, tokens = encode(
        responses, [lambda t, i: float(bool(re.fullmatch(" {2,}", t[i]))), on("are")]
    )
    rows = [
        {"kind": "feature", "feature": "0", "delta": -1.0},
        {"kind": "feature", "feature": "1", "delta": -0.5},
        {"kind": "observable", "feature": "numbered_items", "delta": 1.0, "statistic": "log_count"},
    ]
    diff = diff_of(responses, occurrences, rows)
    labels = {0: "Enumerated lists", 1: "enumerated lists"}
    found = interpret(diff, tokens=tokens, labels=labels, label_source="catalogue")
    # first defence: blanks are no behaviour
    (aside,) = found.aside
    assert (aside.id, aside.tags) == ("feature:0", ("whitespace",))
    # second defence: the label and the measurement disagree, also where no artefact tag helps
    feature = next(f for f in found.items if f.id == "feature:1")
    for finding in (aside, feature):
        assert finding.label_source == "catalogue"
        assert finding.contradicts == ("numbered_items",)
        assert finding.notes[0].startswith("Warning: the label names numbered items")
        assert "measured directly there is more (Δ +100.0 points" in finding.notes[0]
    # what it does fire on is still said
    assert any(note.startswith("Fires on 2 blanks") for note in aside.notes)


def test_agreement_in_sign_is_no_contradiction_and_becomes_one_finding() -> None:
    responses = answers(
        ["Plain words stand here."] * 20, ["Plain words stand **here**. And more of them."] * 20
    )
    occurrences, tokens = encode(responses, [on("**")])
    rows = [
        {"kind": "feature", "feature": "0", "delta": 1.0, "q": 1e-9},
        {"kind": "observable", "feature": "bold", "delta": 1.0},
    ]
    (finding,) = interpret(diff_of(responses, occurrences, rows), tokens=tokens)
    assert finding.id == "observable:bold"  # what can be counted leads, the feature is its member
    assert finding.contradicts == ()
    assert finding.rows == (1, 0)


def test_an_observable_that_may_be_zero_contradicts_nothing() -> None:
    responses = answers(["One **two** three."] * 20, ["One two three."] * 20)
    occurrences, tokens = encode(responses, [on("two")])
    rows = [
        {"kind": "feature", "feature": "0", "delta": 0.5},
        {"kind": "observable", "feature": "bold", "delta": -0.05, "q": 0.4, "p": 0.3, "lo": -0.1, "hi": 0.01},
    ]
    (finding,) = interpret(diff_of(responses, occurrences, rows), tokens=tokens, labels={0: "bold type"})
    assert finding.contradicts == ()


def test_a_list_that_moved_out_of_the_opening_is_not_told_as_fewer_lists() -> None:
    early = "1. one two three"
    late = " ".join(["word"] * 20) + "\n1. one two three\n2. four five six"
    responses = answers([early] * 20, [late] * 20)
    occurrences, tokens = encode(responses, [on("two")])
    rows = [
        {"kind": "observable", "feature": "numbered_items", "delta": -1.0, "statistic": "opening"},
        {"kind": "observable", "feature": "words", "delta": 1.0, "length": "length-driven"},
    ]
    found = interpret(diff_of(responses, occurrences, rows), tokens=tokens)
    finding = next(f for f in found.items if f.id == "observable:numbered_items")
    assert finding.label.endswith("bracket · opening")
    caution = next(n for n in finding.notes if n.startswith("Caution"))
    assert "less of it in the openings of new" in caution
    assert "there is more of it: 1.00 → 2.00 per answer" in caution


def test_what_moved_one_way_throughout_needs_no_caution() -> None:
    responses = answers(["word " * 20] * 20, ["1. one\n2. two " + "word " * 20] * 20)
    occurrences, tokens = encode(responses, [on("two")])
    rows = [{"kind": "observable", "feature": "numbered_items", "delta": 1.0, "statistic": "opening"}]
    finding = interpret(diff_of(responses, occurrences, rows), tokens=tokens).items[0]
    assert finding.label.endswith("bracket · opening")
    assert not any(n.startswith("Caution") for n in finding.notes)
