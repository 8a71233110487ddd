"""More than two models asked side by side, in one folder and under one limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatchanged import Prompt, PromptSet, collect, estimate
from whatchanged.errors import Unavailable
from whatchanged.llm import ChatRequest, Price, ScriptedModel
from whatchanged.responses.collect import plan_calls, read_summary
from whatchanged.responses.collect.run import make_sides


def prompts(n: int) -> PromptSet:
    return PromptSet(prompts=tuple(Prompt(id=f"q{i}", text=f"question {i}") for i in range(n)))


def said(request: ChatRequest) -> str:
    return f"re: {request.messages[-1].content} ({request.seed})"


def models(*names: str) -> list[ScriptedModel]:
    return [ScriptedModel(said, name=name) for name in names]


def test_three_models_answer_every_prompt_and_the_baseline_is_the_first(tmp_path: Path) -> None:
    base, *others = models("base", "sft", "dpo")
    responses = collect(prompts(4), base, others, samples=2, out=tmp_path)
    assert responses.models == ("base", "sft", "dpo")
    assert len(responses.answers) == 24
    assert responses.source.startswith("base and sft and dpo, collected in")
    assert [m.model for m in read_summary(tmp_path).models] == ["base", "sft", "dpo"]
    asked = [len(m.requests) for m in (base, *others)]
    assert asked == [8, 8, 8]
    assert collect(prompts(4), base, others, samples=2, out=tmp_path) == responses
    assert [len(m.requests) for m in (base, *others)] == asked  # nothing is asked twice


def test_all_take_turns() -> None:
    base, *others = models("a", "b", "c")
    plan = [c.side.name for c in plan_calls(prompts(3), make_sides(base, others), 1)]
    assert "".join(plan) == "abc" + "bca" + "cab"


def test_one_model_three_times_gets_three_seeds() -> None:
    (model,) = models("same")
    with pytest.raises(ValueError, match="two models are called 'same'"):
        collect(prompts(2), model, [model, model])
    responses = collect(prompts(2), model, [model, model], names=("one", "two", "three"))
    assert len({a.text for a in responses.answers if a.prompt_id == "q0"}) == 3


def test_a_prompt_needs_two_answers_and_a_model_one_prompt_in_common_with_the_baseline(
    tmp_path: Path,
) -> None:
    def once(request: ChatRequest) -> str:
        return said(request) if request.messages[-1].content == "question 0" else ""

    base, good = models("base", "good")
    responses = collect(prompts(3), base, [good, ScriptedModel(once, name="terse")])
    assert [a.model for a in responses.answers] == ["base", "good", "terse", "base", "good", "base", "good"]
    assert responses.counts == {"empty": 2}
    with pytest.raises(Unavailable, match=r"base: 3 answered; good: 3 answered; mute: 3 empty"):
        collect(prompts(3), base, [good, ScriptedModel(lambda r: "", name="mute")])


def test_the_estimate_counts_every_model(tmp_path: Path) -> None:
    base, *others = models("base", "sft", "dpo")
    prices = {name: Price(prompt=1e-6, completion=2e-6) for name in ("base", "sft", "dpo")}
    found = estimate(prompts(5), base, others, prices=prices)
    assert found.calls == 15
    assert [m.model for m in found.models] == ["base", "sft", "dpo"]


def test_errors_name_the_remedy() -> None:
    base, other = models("base", "other")
    with pytest.raises(ValueError, match="at least one model"):
        collect(prompts(2), base, [])
    with pytest.raises(ValueError, match="one per model"):
        collect(prompts(2), base, [other], names=("a", "b", "c"))
