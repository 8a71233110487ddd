"""The screen counts what could mislead, and warns only where the sides differ notably."""

import json
from dataclasses import replace

import pytest

from whatchanged.artifacts import Answer, Dropped, Message, Prompt, PromptSet, Responses
from whatchanged.responses import load, screen
from whatchanged.text.screen import SHARES

FRESH = ["amber hill", "silver lake", "quiet road", "open door", "green boat"]


def rows(texts: list[str | None], reason: str | None = "stop") -> list[dict[str, str | None]]:
    return [{"id": str(i), "prompt": f"{i}", "text": t, "finish_reason": reason} for i, t in enumerate(texts)]


def test_shares_by_hand() -> None:
    old = [*rows(["one two three", "", None, "same", "I can't help with that."]),
           {"id": "0", "prompt": "0", "text": "one two three", "finish_reason": None}]  # fmt: skip
    new = rows(["a b", "c d e f", "g", "same ", "Of course: a b c d e f g h."], "length")
    result = screen(load(old, new))
    before, after = result.before, result.after
    assert (before.asked, before.answers, before.duplicate) == (5, 3, 1)
    assert (before.empty, before.missing, before.errored) == (0.2, 0.2, 0.0)
    assert (before.truncated, after.truncated) == (0.0, 1.0)
    assert (before.refused, after.refused) == (pytest.approx(1 / 3), 0.0)
    assert (before.median_words, after.median_words) == (3, 2)
    assert (after.asked, after.answers) == (5, 3), "answers to unpaired prompts were due too"
    assert (result.prompts, result.identical, result.clustered) == (3, pytest.approx(1 / 3), 0)


def test_equal_sides_give_one_warning() -> None:
    texts: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    result = screen(load(rows(texts), rows(texts)))
    assert (result.identical, result.near_identical) == (1.0, 1.0)
    assert result.warnings == ("100% of the prompts have the same answer on both sides",)


def test_notable_differences_are_warned_of() -> None:
    old: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    new: list[str | None] = [f"much longer, {t} and {i} or so" for i in range(20) for t in FRESH]
    new[:10] = [""] * 10
    result = screen(load(rows(old, None), rows(new)))
    assert result.warnings == (
        "empty answers: 0.0% of before, 10.0% of after",
        "finish reasons are known for after only: truncation cannot be compared",
        "length: median 3 words in before, 8 in after; longer answers have more of everything",
    )


def test_a_point_of_difference_is_no_warning() -> None:
    old: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    new: list[str | None] = [f"{t[::-1]} {i}" for i in range(20) for t in FRESH]
    new[0] = ""
    assert screen(load(rows(old), rows(new))).warnings == ()


def test_near_identical_and_clustered() -> None:
    long = "The harbour lies still and the lanterns are lit along the quay while the boats come home"
    old = [{"prompt": "Name a boat", "text": long}, {"prompt": "please name a boat", "text": "Argo"}]
    new = [{"prompt": "Name a boat", "text": long + "."}, {"prompt": "please name a boat", "text": "Fram"}]
    result = screen(load(old, new))
    assert (result.identical, result.near_identical, result.clustered) == (0.0, 0.5, 2)
    with pytest.raises(ValueError, match=r"no model 'x' here; choose from"):
        screen(load(old, new), "x")


GERMAN = "Der Fluss fließt langsam durch das Tal und am Ende in den See."
FRENCH = "La rivière coule lentement dans la vallée et finit dans le lac."
ENGLISH = "The river runs slowly through the valley and ends in the lake."


def test_answers_in_another_language_than_their_prompt() -> None:
    asked = "Tell me in one sentence where the river ends"
    old = [
        {"prompt": f"{asked}, please: number one of them all", "text": ENGLISH},
        {"prompt": f"{asked}, as you would tell a small child", "text": GERMAN + " Ja."},
        {"prompt": f"{asked} (this has to be in French)", "text": FRENCH},
        {"prompt": "Wo endet der Fluss und wie lange braucht er dorthin?", "text": GERMAN},
        {"prompt": "17 + 4", "text": FRENCH + " Oui."},
    ]
    new = [
        old[0] | {"text": FRENCH + " Voilà."},
        old[1] | {"text": GERMAN + " Ach so, noch etwas."},
        old[2] | {"text": FRENCH + " Et la mer ?"},
        old[3] | {"text": ENGLISH + " It takes a week."},
        old[4] | {"text": "21"},
    ]
    result = screen(load(old, new))
    # Wrong: of after the first and the fourth. On the second and third both sides agree on a language.
    assert (result.before.wrong_language, result.after.wrong_language) == (0.0, 0.4)
    swapped = screen(load(new, old))
    assert (swapped.before.wrong_language, swapped.after.wrong_language) == (0.4, 0.0)


def test_a_chats_last_question_says_what_language_is_due() -> None:
    chat = [{"role": "system", "content": "You answer guests of a hotel at a small lake in the mountains."},
            {"role": "user", "content": "Wo endet der Fluss und wie lange braucht er dorthin?"}]  # fmt: skip
    prompt = Prompt(
        id="p", text="\n\n".join(m["content"] for m in chat),
        messages=tuple(Message(role="user" if i else "system", content=m["content"]) for i, m in enumerate(chat)),
    )  # fmt: skip
    responses = Responses(
        prompts=PromptSet(prompts=(prompt,)),
        models=("x", "y"),
        answers=(
            Answer(prompt_id="p", model="x", text=GERMAN),
            Answer(prompt_id="p", model="y", text=ENGLISH),
        ),
    )
    result = screen(responses)
    assert (result.before.wrong_language, result.after.wrong_language) == (0.0, 1.0)


def test_answers_that_come_again_on_other_prompts() -> None:
    stock = "As a matter of principle we at the harbour office do not comment on questions of this kind"
    names = [
        "Name a boat",
        "please name a boat",
        "Who keeps the light?",
        "When is high tide?",
        "Why is it so?",
    ]
    old = [
        {"prompt": p, "text": t}
        for p, t in zip(names, [stock, stock, "A keeper.", stock + "!", "Unknown"], strict=True)
    ]
    new = [
        {"prompt": p, "text": t} for p, t in zip(names, ["Argo", "Argo", "Fram", "Noon", "Moon"], strict=True)
    ]
    result = screen(load(old, new))
    assert result.before.repeated == pytest.approx(3 / 5)
    assert result.after.repeated == 0.0, "the first two prompts are one: the same answer is due"


def test_refused_by_the_api_and_truncated_ones_left_out() -> None:
    prompts = [f"question {i} of the harbour master" for i in range(10)]
    old = [{"prompt": p, "text": f"{i} {FRESH[i % 5]}", "finish_reason": "length" if i < 2 else "stop"}
           for i, p in enumerate(prompts)]  # fmt: skip
    new = [{"prompt": p, "text": f"{FRESH[i % 5]} {i}", "finish_reason": "stop", "dropped": None}
           for i, p in enumerate(prompts)]  # fmt: skip
    for row in new[4:8]:
        row |= {"text": None, "dropped": "refused_by_api"}
    result = screen(load(old, new, exclude_truncated=True))
    assert (result.before.asked, result.before.answers, result.before.truncated) == (10, 4, 2 / 6)
    assert (result.after.asked, result.after.answers, result.after.truncated) == (10, 4, 0.0)
    assert (result.before.refused_by_api, result.after.refused_by_api) == (0.0, 0.4)
    assert result.differing == ("refused_by_api",)
    assert result.warnings == ("answers refused by the API: 0.0% of before, 40.0% of after",)


def test_what_the_collection_did_not_come_to_is_missing() -> None:
    responses = load(rows([f"{t} one" for t in FRESH]), rows([f"{t} two" for t in FRESH]))
    lost = tuple(Dropped(reason=r, prompt_id="9", model="after") for r in ("unasked", "missing", "empty"))
    result = screen(replace(responses, dropped=lost))
    assert (result.after.asked, result.after.missing, result.after.empty) == (8, 2 / 8, 1 / 8)


def test_a_screen_is_plain_values() -> None:
    responses = load(rows([f"{t} one" for t in FRESH]), rows([f"{t} two" for t in FRESH], "length"))
    made = screen(responses).to_dict()
    assert json.loads(json.dumps(made)) == made
    assert made["differing"] == ["truncated"]
    assert made["after"]["truncated"] == 1.0
    assert set(SHARES) < made["before"].keys()


def test_another_baseline_can_be_screened() -> None:
    third = rows([f"{t} three three three" for t in FRESH])
    responses = load(rows([f"{t} one" for t in FRESH]), [rows([f"{t} two" for t in FRESH]), third])
    result = screen(responses, "after-2", before="after")
    assert (result.before.model, result.after.model) == ("after", "after-2")
    assert (result.before.median_words, result.after.median_words) == (3, 5)
