"""Findings of a baseline against two checkpoints: each under the checkpoint it was found for."""

from __future__ import annotations

import numpy as np
from interpret_world import ToyTokens, encode, features_of, filler, on, within

from whatchanged.artifacts import Answer, Prompt, PromptSet, Responses
from whatchanged.diff import compare
from whatchanged.interpret import interpret

OPENING = "Certainly!"
CLOSING = "Would you like more detail?"


def world() -> Responses:
    """*polite* opens with a stock phrase; *eager* does too and asks a question at the end."""
    rng = np.random.default_rng(0)
    prompts, answers = [], []
    for i in range(40):
        prompts.append(Prompt(id=f"p{i:02}", text=f"Question number {i}"))
        for model in ("plain", "polite", "eager"):
            body = " ".join(filler(rng, int(rng.integers(5, 9))))
            text = body if model == "plain" else f"{OPENING} {body}"
            text += f" {CLOSING}" if model == "eager" else ""
            answers.append(Answer(prompt_id=f"p{i:02}", model=model, text=text))
    return Responses(
        prompts=PromptSet(prompts=tuple(prompts)), models=("plain", "polite", "eager"), answers=tuple(answers)
    )


def test_findings_name_their_checkpoint_and_are_not_merged_across() -> None:
    responses = world()
    occurrences, tokens = encode(responses, (within(OPENING), on("!"), within(CLOSING)))
    diff = compare(features_of(responses, occurrences), draws=50, splits=2)
    found = interpret(diff, tokens=tokens)
    table = diff.table
    assert isinstance(tokens, ToyTokens)
    by_after: dict[str, list[str]] = {"polite": [], "eager": []}
    for finding in (*found.items, *found.aside):
        afters = {str(table["after"].iloc[i]) for i in finding.rows}
        assert len(afters) == 1
        after = afters.pop()
        assert finding.id.endswith(f"@{after}")
        assert after in finding.statement
        assert {e.model for e in finding.evidence} <= {"plain", after}
        by_after[after].append(finding.label)
    rows = [i for finding in found.items for i in finding.rows]
    named = {after: set(table.loc[rows][table.loc[rows, "after"] == after]["feature"]) for after in by_after}
    assert "opening_phrase" in named["polite"]
    assert "opening_phrase" in named["eager"]
    assert "closing_question" in named["eager"]
    assert "closing_question" not in named["polite"]
    assert len({f.id for f in found.items}) == len(found.items)
