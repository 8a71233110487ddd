"""Stretches by hand."""

from __future__ import annotations

from interpret_world import answers, diff_of, encode, on

from whatchanged.artifacts import Evidence
from whatchanged.interpret import interpret

LONG = " ".join(["pad"] * 20)


def test_a_feature_is_shown_around_its_peak() -> None:
    responses = answers([f"{LONG} x {LONG}"] * 12, [f"{LONG} stone river {i} {LONG}" for i in range(12)])

    def fires(tokens: list[str], i: int) -> float:
        return {"stone": 5.0, "river": 2.0}.get(tokens[i].strip(), 0.0)

    occurrences, tokens = encode(responses, [fires])
    diff = diff_of(responses, occurrences, [{"kind": "feature", "feature": "0", "delta": 1.0}])
    (finding,) = interpret(diff, tokens=tokens, examples=3)
    assert len(finding.evidence) == 3  # the other side has nothing to show and leaves its places
    assert finding.evidence[0] == Evidence(
        model="new",
        prompt_id="p000",
        sample=0,
        tokens=(*[" pad"] * 12, " stone", " river", " 0", *[" pad"] * 10),
        activations=(*[0.0] * 12, 5.0, 2.0, *[0.0] * 11),
        cut_left=True,
        cut_right=True,
    )


def test_half_from_either_side_and_no_text_twice() -> None:
    before = [f"The stone number {i} lies still." for i in range(10)]
    after = ["One stone and one more stone."] * 4 + [f"A stone called {i} rolls." for i in range(6)]
    responses = answers(before, after)
    occurrences, tokens = encode(responses, [on("stone")])
    row = {"kind": "feature", "feature": "0", "delta": 0.4, "statistic": "log_count"}
    (finding,) = interpret(diff_of(responses, occurrences, [row]), tokens=tokens, examples=6)
    assert [e.model for e in finding.evidence] == ["new"] * 3 + ["old"] * 3
    assert len({e.prompt_id for e in finding.evidence}) == 6
    texts = ["".join(e.tokens) for e in finding.evidence]
    assert len(set(texts)) == 6
    # the prompts that moved come first: there the new answer has two stones
    assert texts[0] == "One stone and one more stone."


def test_the_losing_side_gains_the_evidence_of_a_loss() -> None:
    responses = answers([f"Stone {i} here." for i in range(8)], [f"Sand {i} here." for i in range(8)])
    occurrences, tokens = encode(responses, [on("Stone")])
    row = {"kind": "feature", "feature": "0", "delta": -1.0}
    (finding,) = interpret(diff_of(responses, occurrences, [row]), tokens=tokens)
    assert {e.model for e in finding.evidence} == {"old"}


def test_words_and_marks_are_shown_from_the_text() -> None:
    responses = answers(["Go there now."] * 6, [f"Go  there, you see {i}." for i in range(6)])
    occurrences, tokens = encode(responses, [on("nothing")])
    rows = [
        {"kind": "lexical", "feature": "you see", "delta": 1.0, "q": 1e-9},
        {"kind": "observable", "feature": "double_spaces", "delta": 1.0, "q": 1e-8},
        {"kind": "observable", "feature": "sentence_length", "delta": 1.0, "q": 1e-7},
    ]
    diff = diff_of(responses, occurrences, rows)
    first = {f.id: f for f in interpret(diff, tokens=tokens)}["lexical:you see"]
    e = first.evidence[0]
    assert "".join(e.tokens) == "Go  there, you see 0."
    assert [t for t, a in zip(e.tokens, e.activations, strict=True) if a] == ["you ", "see"]
    diff = diff_of(responses, occurrences, rows[1:])
    spaces, length = interpret(diff, tokens=tokens).items
    e = spaces.evidence[0]
    assert [t for t, a in zip(e.tokens, e.activations, strict=True) if a] == ["  "]
    assert length.evidence == ()
    assert "It is measured over the whole answer, so there is no single place to show." in length.notes
