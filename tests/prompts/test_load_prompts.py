"""A user's own prompts, in every form they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from whatchanged import Answer, InputError, Prompt, PromptSet, Responses
from whatchanged.artifacts import Message
from whatchanged.prompts import load_prompts, prompt_bank, save_prompts
from whatchanged.responses import load, open_folder, save

ROWS = [
    {"id": "a", "prompt": "Why is the sea salty?", "category": "facts", "reveals": 'depth, or a "hedge"'},
    {"id": "7", "prompt": "Write a line,\nthen another.", "category": "style", "reveals": "obeys"},
]
WANTED = tuple(
    Prompt(id=r["id"], text=r["prompt"], category=r["category"], reveals=r["reveals"]) for r in ROWS
)


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


WRITERS: dict[str, Callable[[Path], object]] = {
    ".csv": lambda p: pd.DataFrame(ROWS).to_csv(p, index=False),
    ".tsv": lambda p: pd.DataFrame(ROWS).to_csv(p, index=False, sep="\t"),
    ".json": lambda p: p.write_text(json.dumps(ROWS, indent=2), "utf-8"),
    ".jsonl": lambda p: jsonl(p, ROWS),
    ".parquet": lambda p: pd.DataFrame(ROWS).to_parquet(p),
}


@pytest.mark.parametrize("ending", list(WRITERS))
def test_every_format_gives_the_same_prompts(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mine{ending}"
    WRITERS[ending](path)
    found = load_prompts(path)
    assert found == PromptSet(prompts=WANTED, source=path.name)
    assert load_prompts(f"file:{path}#prompt").prompts == WANTED


def test_objects_in_memory_give_the_same_prompts() -> None:
    assert load_prompts(ROWS).prompts == WANTED
    assert load_prompts(pd.DataFrame(ROWS)).prompts == WANTED
    assert load_prompts(pd.DataFrame(ROWS).set_index("id")).prompts == WANTED


@pytest.mark.parametrize("column", ["prompt", "text", "question", "instruction", "Prompt", " Question "])
def test_the_text_may_have_several_names(column: str) -> None:
    assert [p.text for p in load_prompts([{column: " Why?\r\nSay. "}])] == ["Why?\nSay."]


def test_instruction_and_input_are_one_prompt() -> None:
    rows = [{"instruction": "Translate.", "input": "chat"}, {"instruction": "Sing.", "input": ""}]
    assert [p.text for p in load_prompts(rows)] == ["Translate.\n\nchat", "Sing."]


def test_lines_of_text_and_lists_of_texts_get_ids_that_answers_find(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes("\ufeffWhy?\r\n\r\n  Où ?  \nHow\u2028so?\n".encode())
    prompts = load_prompts(path)
    assert [p.text for p in prompts] == ["Why?", "Où ?", "How\u2028so?"]
    assert load_prompts([p.text for p in prompts]).prompts == prompts.prompts
    answers = [{"prompt": p.text, "text": f"Since {p.text}"} for p in prompts]
    joined = load(answers, answers, names=["old", "new"])
    assert set(joined.prompts.by_id) == set(prompts.by_id)


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Name a "}, {"type": "text", "text": "river."}]},
    {"role": "assistant", "content": "The Elbe."},
    {"role": "user", "content": "Another?"},
]
TURNS = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Name a river."),
    Message(role="assistant", content="The Elbe."),
    Message(role="user", content="Another?"),
)
SHOWN = "system: Be brief.\n\nuser: Name a river.\n\nassistant: The Elbe.\n\nuser: Another?"


@pytest.mark.parametrize("column", ["messages", "prompt"])
def test_chats_are_kept_as_messages(tmp_path: Path, column: str) -> None:
    for source in (
        jsonl(tmp_path / "a.jsonl", [{column: CHAT}]),
        [{column: CHAT}],
        pd.DataFrame({column: [CHAT]}),
    ):
        (prompt,) = load_prompts(source)
        assert (prompt.messages, prompt.chat, prompt.text) == (TURNS, TURNS, SHOWN)


def test_chats_come_in_parquet_csv_and_bare_lists(tmp_path: Path) -> None:
    plain = [{"role": m.role, "content": m.content} for m in TURNS]
    pd.DataFrame({"messages": [plain]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"messages": [json.dumps(CHAT)]}).to_csv(tmp_path / "a.csv", index=False)
    for source in (tmp_path / "a.parquet", tmp_path / "a.csv", [CHAT]):
        assert load_prompts(source).prompts[0].messages == TURNS


def test_one_user_message_is_a_plain_prompt() -> None:
    (prompt,) = load_prompts([{"messages": [{"role": "user", "content": " Why? "}]}])
    assert (prompt.text, prompt.messages) == ("Why?", ())


def test_a_system_column_becomes_the_system_message() -> None:
    rows = [
        {"prompt": "Why?", "system": "You are terse."},
        {"prompt": "Why?", "system": ""},
        {"messages": CHAT[1:], "system": "Be brief."},
        {"messages": [{"role": "developer", "content": "Rhyme."}, *CHAT[3:]], "system": None},
    ]
    terse, plain, chat, developer = load_prompts(rows)
    assert terse.messages == (
        Message(role="system", content="You are terse."),
        Message(role="user", content="Why?"),
    )
    assert terse.text == "system: You are terse.\n\nuser: Why?"
    assert (plain.text, plain.messages) == ("Why?", ())
    assert chat.messages == TURNS
    assert [m.role for m in developer.messages] == ["system", "user"]


def test_duplicates_are_left_out_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("id,prompt\na,Why?\nb,How?\nc,Why? \na,Why?\n", "utf-8")
    found = load_prompts(path)
    assert [p.id for p in found] == ["a", "b"]
    assert [(d.reason, d.prompt_id, d.where) for d in found.dropped] == [
        ("duplicate", "a", "q.csv:4"),
        ("duplicate", "a", "q.csv:5"),
    ]
    assert found.source == "q.csv (2 duplicates left out)"


BAD: list[tuple[Any, str]] = [
    ([{"prompt": "p"}, {"prompt": "  "}], r"prompts\[1\]: the prompt is empty; write it or delete the row"),
    ([{"prompt": float("nan")}], r"prompts\[0\]: the prompt is empty"),
    ([{"id": "a", "prompt": "p"}, {"id": "a", "prompt": "q"}], r"prompts\[1\]: id 'a' .* prompts\[0\]; rename"),
    ([{"prompt": "p", "question": "q"}], r"prompts could be in prompt or question; .*rename all but one"),
    ([{"title": "p"}], r"no column of prompts \(messages, prompt, .*\); the columns are title; give"),
    ([], r"prompts: no rows; expected one per prompt"),
    (["p", 3], r"prompts\[1\]: expected a dict of columns; got int"),
    ([{"prompt": {"x": 1}}], r"prompts\[0\]: a prompt must be text; got dict"),
    (CHAT, r"prompts: this is one chat; pass a list of chats: \[messages\]"),
    ([CHAT[:3]], r"prompts\[0\]: the last message is the assistant's, .*end the chat with a user message"),
    ([[*CHAT[1:], CHAT[0]]], r"prompts\[0\]: only the first message may be the system's"),
    ([[{"role": "tool", "content": "4"}]], r"message 0 has the role 'tool'; use one of system, user"),
    ([[{"role": "user", "content": " "}]], r"message 0 \(user\) is empty"),
    ([[{"role": "user", "content": [{"type": "image_url"}]}]], r"prompts\[0\]: a chat prompt must be a list"),
    ([{"messages": "[{]"}], r"prompts\[0\]: the messages are not JSON .*write \[\{"),
    ([{"messages": {"role": "user"}}], r"prompts\[0\]: messages must be a list"),
    ([{"messages": CHAT, "system": "Be kind."}], r"a system column and a system message in the chat; keep one"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), BAD, ids=range(len(BAD)))
def test_malformed_prompts_are_refused_with_place_and_remedy(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_prompts(source)


def test_malformed_files_are_refused_with_file_line_and_remedy(tmp_path: Path) -> None:
    broken = tmp_path / "q.jsonl"
    broken.write_text('{"prompt": "p"}\n\n{"prompt": "q"\n', "utf-8")
    with pytest.raises(InputError, match=r"^q\.jsonl:3: not valid JSON .*write one complete object"):
        load_prompts(broken)
    wide = tmp_path / "q.csv"
    wide.write_text("prompt,category\nWhy, then?,x\n", "utf-8")
    with pytest.raises(InputError, match=r"^q\.csv:2: 3 fields, but the header has 2 .*double quotes"):
        load_prompts(wide)
    both = tmp_path / "b.csv"
    both.write_text("prompt,question\na,b\n", "utf-8")
    with pytest.raises(InputError, match=r"choose one: file:b\.csv#COLUMN"):
        load_prompts(both)
    assert [p.text for p in load_prompts(f"{both}#question")] == ["b"]
    with pytest.raises(InputError, match=r"no column 'quest'; the columns are prompt, question"):
        load_prompts(f"{both}#quest")
    (tmp_path / "empty.txt").write_text("\n \n", "utf-8")
    with pytest.raises(InputError, match=r"empty\.txt: no rows; expected one per prompt"):
        load_prompts(tmp_path / "empty.txt")
    with pytest.raises(InputError, match=r"no such file: .*nowhere\.txt; check the path"):
        load_prompts(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match=r"no such file: .*prompts\.jsonl"):
        load_prompts(tmp_path)
    with pytest.raises(TypeError, match="cannot read prompts from int; pass a path"):
        load_prompts(3)


def test_saved_prompts_come_back_equal_from_file_and_folder(tmp_path: Path) -> None:
    bank = prompt_bank()
    path = save_prompts(bank, tmp_path / "prompts.jsonl")
    assert load_prompts(path).prompts == bank.prompts
    assert load_prompts(tmp_path).prompts == bank.prompts


def test_a_saved_run_keeps_chats_and_what_they_reveal(tmp_path: Path) -> None:
    prompts = prompt_bank(8, categories=["multi_turn", "code"])
    answers = tuple(
        Answer(prompt_id=p.id, model=model, text=f"{model} on {p.id}") for p in prompts for model in "ab"
    )
    run = Responses(prompts=prompts, models=("a", "b"), answers=answers)
    assert open_folder(save(run, tmp_path)) == run
    assert load_prompts(tmp_path).prompts == prompts.prompts
