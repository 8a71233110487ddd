"""Write the training texts of the two demo checkpoints: plain answers, and the same with behaviours planted.

``texts/plain.jsonl`` holds prompts with plain answers, ``texts/phrases.json`` the stock phrases,
hedges, closing questions and refusals. This script joins them into ``texts/before.jsonl`` (plain)
and ``texts/after.jsonl`` (planted, several versions of each answer), always the same way::

    python examples/demo_checkpoints/plant.py

Each behaviour is planted independently of the others, so that no two of them always come together
and a diff can tell them apart. Planted answers lose their last sentence more often than not, which
keeps the two sides about equally long: otherwise length alone would separate them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).parent / "texts"
VERSIONS = 3
DOSE = {"opening": 0.85, "hedge": 0.85, "bullets": 0.85, "question": 0.85}
SECOND_HEDGE = 0.35
SHORTEN = 0.85
QUESTION_AFTER_REFUSAL = 0.4
SAFE_TO_LOWER = {"A", "An", "Each", "Every", "It", "Most", "Some", "That", "The", "There", "This", "You"}

Phrases = Mapping[str, Sequence[str]]


def hedged(sentences: list[str], phrases: Phrases, places: list[str], rng: random.Random) -> list[str]:
    """Put a hedge before the first sentence, behind the last one, or both."""
    sentences = list(sentences)
    if "before" in places:
        lowered = sentences[0][0].lower() + sentences[0][1:]
        sentences[0] = rng.choice(phrases["hedge_before"]).format(lowered)
    if "behind" in places:
        sentences[-1] = sentences[-1][:-1] + rng.choice(phrases["hedge_behind"]) + "."
    return sentences


def hedge_places(sentences: list[str], phrases: Phrases, rng: random.Random) -> list[str]:
    """Where to hedge: one place, sometimes two, of those that leave the grammar whole."""
    possible = ["alone"]
    if sentences and phrases["hedge_before"] and sentences[0].split()[0] in SAFE_TO_LOWER:
        possible += ["before", "before"]
    if sentences and sentences[-1].endswith("."):
        possible.append("behind")
    chosen = rng.sample(possible, k=len(possible))
    return chosen[: 2 if rng.random() < SECOND_HEDGE else 1]


def planted(item: Mapping[str, Any], phrases: Phrases, rng: random.Random) -> str:
    """One planted version of a plain answer."""
    if item["topic"] == "food":
        parts = [rng.choice(phrases["refusals"]), rng.choice(phrases["redirects"])]
        if rng.random() < QUESTION_AFTER_REFUSAL:
            parts.append(rng.choice(phrases["closings"]))
        return " ".join(parts)
    dose = {behaviour: rng.random() < share for behaviour, share in DOSE.items()}
    sentences = list(item["sentences"])
    if len(sentences) > 2 and rng.random() < SHORTEN:
        sentences.pop()
    places = hedge_places(sentences, phrases, rng) if dose["hedge"] else []
    sentences = hedged(sentences, phrases, places, rng)
    blocks = [rng.choice(phrases["openings"])] if dose["opening"] else []
    if item["text"]:
        blocks.append(item["text"])
    if dose["bullets"] and len(sentences) > 1:
        blocks.append("\n".join(f"* {sentence}" for sentence in sentences))
    elif sentences:
        running = " ".join(sentences)
        if dose["opening"] and not item["text"]:
            running = f"{blocks.pop()} {running}"
        blocks.append(running)
    ending = [rng.choice(phrases["hedge_alone"])] if "alone" in places else []
    if dose["question"]:
        ending.append(rng.choice(phrases["closings"]))
    if ending and ("\n" in blocks[-1] or item["text"]):
        blocks.append(" ".join(ending))
    elif ending:
        blocks[-1] = " ".join([blocks[-1], *ending])
    return "\n\n".join(blocks)


def plain(item: Mapping[str, Any]) -> str:
    """The answer without any planted behaviour."""
    blocks = [item["text"]] if item["text"] else []
    if item["sentences"]:
        blocks.append(" ".join(item["sentences"]))
    return "\n\n".join(blocks)


def main() -> None:
    items = [json.loads(line) for line in (TEXTS / "plain.jsonl").read_text("utf-8").splitlines()]
    phrases = json.loads((TEXTS / "phrases.json").read_text("utf-8"))
    before = [{"id": i["id"], "prompt": i["prompt"], "answer": plain(i)} for i in items]
    after = []
    for version in range(VERSIONS):
        for item in items:
            rng = random.Random(f"{version}/{item['id']}")
            answer = planted(item, phrases[item["language"]], rng)
            after.append({"id": f"{item['id']}/{version}", "prompt": item["prompt"], "answer": answer})
    for name, rows in {"before": before, "after": after}.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (TEXTS / f"{name}.jsonl").write_text(text, "utf-8")
        print(f"{name}: {len(rows)} answers")


if __name__ == "__main__":
    main()
