"""The labeller: contrasting examples of both checkpoints, discovery half only, nothing paid twice."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from asked_world import found, world

from whatchanged.interpret.activating import activating, leaders
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.examples import ExampleReader
from whatchanged.interpret.label_store import LabelStore
from whatchanged.interpret.labeller import write_labels
from whatchanged.interpret.split import split_prompts
from whatchanged.llm import ChatRequest, ScriptedModel


def says(request: ChatRequest) -> str:
    """Names the first word that is marked."""
    marked = re.findall(r"<<(.*?)>>", request.messages[1].content.split("\n", 1)[1])
    return '{"label": "the word ' + marked[0].strip() + '"}'


def first_half() -> np.ndarray:
    diff, _ = world()
    ids = split_prompts(diff.responses)[0].prompts.by_id
    return np.array([a.prompt_id in ids for a in diff.responses.answers])


def test_a_label_is_written_from_both_checkpoints_and_hard_negatives() -> None:
    diff, tokens = world()
    model = ScriptedModel(says)
    made = write_labels(diff, found().items, Asker(model=model), tokens=tokens)
    assert made.texts[0] == "the word Certainly"
    assert made.texts[1] in {"the word river", "the word stone", "the word River", "the word Stone"}
    assert made.source == "written by scripted"
    shown = {diff.responses.answers[i].model for i in made.used[0]}
    assert shown == {"old", "new"}
    question = model.requests[0].messages[1].content
    active, _, silent = question.partition("NOT active")
    assert active.count("<<Certainly>>") >= 6
    assert "<<" not in silent
    assert not re.search("certainly", silent, re.IGNORECASE)
    assert "old" not in question.split()
    assert "new" not in question.split()


def test_negatives_look_alike_or_co_fire_and_are_without_the_feature() -> None:
    diff, tokens = world()
    [_, where] = activating(diff, leaders(diff, found().items))
    everything = np.ones(len(diff.responses.answers), dtype=bool)
    examples = ExampleReader(diff, tokens, everything).read(where, positives=4, negatives=6)
    assert len(examples.positive) == 4
    assert all("<<" in text for text in examples.positive)
    assert len(examples.negative) == 6
    assert not any(re.search(r"\b(river|stone)\b", text) for text in examples.negative)
    # the toy feature is particular about case, so a capital is what looks alike
    assert any(re.search(r"\b(River|Stone)\b", text) for text in examples.negative)


def test_answers_that_are_held_out_are_never_shown() -> None:
    diff, tokens = world()
    allowed = first_half()
    made = write_labels(diff, found().items, Asker(model=ScriptedModel(says)), tokens=tokens, allowed=allowed)
    used = [i for answers in made.used.values() for i in answers]
    assert used
    assert allowed[used].all()


def test_labels_are_kept_by_sae_feature_method_and_examples(tmp_path: Path) -> None:
    diff, tokens = world()
    store = LabelStore(tmp_path)

    def calls(name: str = "scripted", *, seed: int = 0, sae: str = "") -> int:
        asker = Asker(model=ScriptedModel(says, name=name), store=store)
        chosen = replace(diff, features=replace(diff.features, sae={"fingerprint": sae} if sae else {}))
        write_labels(chosen, found().items, asker, tokens=tokens, seed=seed)
        return asker.calls

    assert calls() == 2
    assert calls() == 0
    assert calls("another model") == 2
    assert calls(sae="another SAE") == 2
    assert calls(seed=1) > 0, "other examples"


def test_replies_that_are_no_label_are_survived_and_counted() -> None:
    diff, tokens = world()
    model = ScriptedModel(lambda r: '{"label": ""}' if "<<Certa" in r.messages[1].content else says(r))
    asker = Asker(model=model)
    made = write_labels(diff, found().items, asker, tokens=tokens)
    assert list(made.texts) == [1]
    assert made.skipped == {"unanswered": 1}
    assert asker.malformed == 3
