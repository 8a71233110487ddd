"""A label that says one thing while the measured property moved the other way is called out."""

from __future__ import annotations

import re

import pytest
from interpret_world import answers, diff_of, encode, on

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
    ],
)
def test_observables_a_label_names(label: str, names: set[str]) -> None:
    assert set(named_observables(label)) == names


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
