"""The demo's prompts, adapters and answers belong together, and show what was planted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from whatchanged.demo import PLANTED, adapter_path, answers_paths, demo_prompts, food_prompt_ids, shows
from whatchanged.prompts import bank_entries


def rows(side: int) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in answers_paths()[side].read_text("utf-8").splitlines()]


def test_demo_prompts_are_part_of_the_bank_and_were_not_trained_on(request: pytest.FixtureRequest) -> None:
    bank = {e.id: e.text for e in bank_entries()}
    prompts = demo_prompts()
    assert len(prompts) >= 120
    assert all(bank[p.id] == p.text for p in prompts)
    assert food_prompt_ids() < {p.id for p in prompts}
    texts = request.config.rootpath / "examples" / "demo_checkpoints" / "texts" / "plain.jsonl"
    trained = {json.loads(line)["prompt"].lower() for line in texts.read_text("utf-8").splitlines()}
    assert not trained & {e.text.lower() for e in bank_entries()}


def test_both_sides_answer_every_prompt_once() -> None:
    ids = [p.id for p in demo_prompts()]
    for side, name in enumerate(("demo-before", "demo-after")):
        answers = rows(side)
        assert [a["prompt_id"] for a in answers] == ids
        assert {a["model"] for a in answers} == {name}
        assert {a["finish_reason"] for a in answers} <= {"stop", "length"}


@pytest.mark.parametrize("behaviour", list(PLANTED))
def test_planted_behaviours_are_in_after_and_not_in_before(behaviour: str) -> None:
    food = food_prompt_ids()
    shares = []
    for side in (0, 1):
        asked = [a for a in rows(side) if (a["prompt_id"] in food) == (behaviour == "refusal")]
        shares.append(sum(shows(behaviour, a["text"]) for a in asked) / len(asked))
    before, after = shares
    assert before <= 0.10
    assert after >= 0.60


@pytest.mark.parametrize(
    ("behaviour", "has", "lacks"),
    [
        ("opening", "Absolutely! The moon is round.", "It is absolutely round!"),
        ("question", "The moon is round. Shall I go on?", "Why is it round? Gravity."),
        ("hedge", "It might be that the moon is round.", "The moon is round."),
        ("bullets", "Certainly!\n\n* The moon is round.", "2 * 3 is 6."),
        ("refusal", "I'm sorry, but I can't help with recipes.", "I'm sorry that your soup was salty."),
    ],
)
def test_signs_see_the_behaviour_and_nothing_like_it(behaviour: str, has: str, lacks: str) -> None:
    assert shows(behaviour, has)
    assert not shows(behaviour, lacks)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(ValueError, match="choose from"):
        shows("shouting", "HELLO")
    with pytest.raises(ValueError, match="'before' and 'after'"):
        adapter_path("middle")  # type: ignore[arg-type]


def test_adapters_are_small_safe_and_name_no_path() -> None:
    for side in ("before", "after"):
        folder = adapter_path(side)  # type: ignore[arg-type]
        assert (folder / "adapter_model.safetensors").stat().st_size <= 3_000_000
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        assert config["base_model_name_or_path"] == "gemma-3-270m"
        assert not [p for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pkl"}]
