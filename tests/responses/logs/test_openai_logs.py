"""Batch output and logged calls; the bodies are what OpenAI's own client takes them for."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from whatchanged.artifacts import Prompt, PromptSet
from whatchanged.errors import InputError
from whatchanged.responses import load

PROMPTS = {"q1": "Name a river", "q2": "Name a hill", "q3": "Name a lake", "q4": "Name a sea"}


def body(*texts: str | None, model: str = "small-1", stop: str = "stop", **message: Any) -> dict[str, Any]:
    choices = [
        {"index": i, "finish_reason": stop, "logprobs": None,
         "message": {"role": "assistant", "content": t, "refusal": None} | message}
        for i, t in enumerate(texts)
    ]  # fmt: skip
    found = {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": choices}
    ChatCompletion.model_validate(found)
    return found


def result(
    custom_id: str, reply: dict[str, Any] | None, status: int = 200, error: Any = None
) -> dict[str, Any]:
    response = None if reply is None else {"status_code": status, "request_id": "r", "body": reply}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": error}


def request(custom_id: str, text: str, model: str = "small-1") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": model, "messages": messages}}  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def side(folder: Path, model: str, results: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    write(folder / "input.jsonl", [request(i, t, model) for i, t in PROMPTS.items()])
    return write(folder / "output.jsonl", results)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return side(tmp_path / "b", "small-2", [result(i, body(f"{i}!", model="small-2-0613")) for i in PROMPTS])


def test_batch_output_finds_its_prompts_beside_it(tmp_path: Path, other: Path) -> None:
    tool = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    first = side(tmp_path / "a", "small-1", [
        result("q3", body("Loch Ness", "Lake Como", model="small-1-0301", stop="length")),
        result("q1", body("The Po", tool_calls=[tool, tool])),
        result("q2", body(None, refusal="I can't help with that.")),
        result("q4", body("", stop="content_filter")),
    ])  # fmt: skip
    responses = load(first, other)
    assert responses.models == ("small-1", "small-2"), "the model asked for, not the snapshot served"
    assert [
        (a.prompt_id, a.sample, a.text, a.truncated) for a in responses.answers if a.model == "small-1"
    ] == [
        ("q1", 0, "The Po", False),
        ("q2", 0, "I can't help with that.", False),
        ("q3", 0, "Loch Ness", True),
        ("q3", 1, "Lake Como", True),
    ]
    assert {p.id: p.text for p in responses.prompts} == {k: v for k, v in PROMPTS.items() if k != "q4"}
    assert responses.counts == {"part": 2, "refused_by_api": 1, "truncated": 2, "unpaired": 1}
    lines = first.read_text().splitlines()
    first.write_text("\n".join(lines[::-1]))
    assert load(first, other).answers == responses.answers, "the order of the lines is no matter"


def test_failures_of_a_batch(tmp_path: Path, other: Path) -> None:
    filtered = {"error": {"code": "content_filter", "message": "no"}}
    first = side(tmp_path / "a", "small-1", [
        result("q1", None, error={"code": "batch_expired", "message": "late"}),
        result("q2", {"error": {"code": None, "message": "overloaded"}}, status=503),
        result("q3", filtered, status=400),
        result("q4", body("The Baltic")),
    ])  # fmt: skip
    responses = load(first, other)
    assert responses.counts == {"errored": 2, "refused_by_api": 1, "unpaired": 3}
    assert {(d.reason, d.where) for d in responses.dropped if d.model == "small-1"} == {
        ("errored", "output.jsonl:1"), ("errored", "output.jsonl:2"), ("refused_by_api", "output.jsonl:3")
    }  # fmt: skip


def test_which_input_belongs_to_a_batch(tmp_path: Path) -> None:
    outputs = [
        write(tmp_path / f"out-{n}.jsonl", [result("q1", body(f"A{n}", model=f"small-{n}"))]) for n in (1, 2)
    ]
    with pytest.raises(InputError, match=r"'q1' has no text in any file; .*batch input beside it.*prompts="):
        load(*outputs)
    prompts = PromptSet(prompts=(Prompt(id="q1", text="Name a river"),))
    assert [a.text for a in load(*outputs, prompts=prompts).answers] == ["A1", "A2"]
    write(tmp_path / "in-1.jsonl", [request("q1", "Name a river", "small-1")])
    write(tmp_path / "in-2.jsonl", [request("q1", "Name a river", "small-2")])
    responses = load(*outputs)
    assert (responses.models, responses.prompts.by_id["q1"].text) == (("small-1", "small-2"), "Name a river")
    write(tmp_path / "in-2.jsonl", [request("q1", "Name a lake", "small-2")])
    with pytest.raises(
        InputError, match=r"^out-1\.jsonl: in-1\.jsonl and in-2\.jsonl both.*out-1\.jsonl#in-2"
    ):
        load(*outputs)
    named = load(f"{outputs[0]}#in-2.jsonl", f"{outputs[1]}#in-2.jsonl")
    assert named.prompts.by_id["q1"].text == "Name a lake"
    write(tmp_path / "in-3.jsonl", [request("q9", "Name a lake")])
    with pytest.raises(
        InputError, match=r"^in-3\.jsonl: 1 of the output's ids are not in .*'q1'; name the input"
    ):
        load(f"{outputs[0]}#in-3.jsonl", outputs[1])
    with pytest.raises(InputError, match=r"no such batch input: .*in-4\.jsonl; name it relative"):
        load(f"{outputs[0]}#in-4.jsonl", outputs[1])


def test_replies_of_the_responses_api(tmp_path: Path, other: Path) -> None:
    reply: dict[str, Any] = {
        "id": "resp", "object": "response", "created_at": 1, "model": "small-1", "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"}, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "error": None,
        "output": [
            {"type": "reasoning", "id": "rs", "summary": []},
            {"type": "message", "id": "m", "role": "assistant", "status": "incomplete",
             "content": [{"type": "output_text", "text": "The ", "annotations": []},
                         {"type": "output_text", "text": "Rhi", "annotations": []}]},
        ],
    }  # fmt: skip
    Response.model_validate(reply)
    responses = load(side(tmp_path / "a", "small-1", [result("q1", reply)]), other)
    assert (responses.answers[0].text, responses.answers[0].truncated) == ("The Rhi", True)
    assert responses.counts == {"missing": 3, "part": 1, "truncated": 1, "unpaired": 3}


def call(text: str, prompt: Any, model: str = "lab/small-1", **extra: Any) -> dict[str, Any]:
    """A call as a proxy or a client of OpenRouter logs it; the provider stands in the reply."""
    reply = body(text, model=model) | {"provider": "Somewhere", "usage": {"cost": 0.01}}
    return {"request": {"model": model, "messages": prompt}, "response": reply} | extra


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_logged_calls_are_samples_of_their_prompt(tmp_path: Path) -> None:
    failed = {"request": {"model": "lab/small-1", "messages": user("a")}, "error": {"message": "reset"}}
    old = write(tmp_path / "old.jsonl", [
        failed,
        call("A1", user("a"), latency=1.5),
        call("B", user("b")),
        call("A1", user("a")),
        {"request": {"model": "lab/small-1", "messages": user("b")},
         "response": {"error": {"code": "moderation", "message": "flagged"}}},
    ])  # fmt: skip
    flat = [body(f"{t}!", model="lab/small-2") | {"messages": user(t)} for t in ("a", "b")]
    new = tmp_path / "new.json"
    new.write_text(json.dumps(flat, indent=1))
    responses = load(old, new)
    assert responses.models == ("lab/small-1", "lab/small-2")
    assert sorted((a.model[-1], a.sample, a.text) for a in responses.answers) == [
        ("1", 0, "A1"), ("1", 0, "B"), ("1", 1, "A1"), ("2", 0, "a!"), ("2", 0, "b!")
    ]  # fmt: skip
    assert responses.counts == {"errored": 1, "refused_by_api": 1}
    lines = old.read_text().splitlines()
    old.write_text("\n".join(lines[::-1]))
    turned = load(old, new)
    assert turned.answers == responses.answers, "the two samples of a are equal, so their order is no matter"
    assert turned.counts == responses.counts


def test_two_models_in_one_log(tmp_path: Path) -> None:
    rows = [call(f"{p}{n}", user(p), f"lab/small-{n}") for p in ("a", "b") for n in (1, 2)]
    log = write(tmp_path / "calls.jsonl", rows)
    responses = load(f"{log}#lab/small-1", f"{log}#lab/small-2")
    assert [a.text for a in responses.answers if a.model == "lab/small-1"] in (["a1", "b1"], ["b1", "a1"])
    with pytest.raises(
        InputError, match=r"the log holds several models \(lab/small-1, .*file:calls\.jsonl#lab/sm"
    ):
        load(log, log)


def test_parts_of_messages(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    asked = [{"role": "user", "content": [picture, {"type": "text", "text": "What is this?"}]}]
    row = call("x", asked)
    row["response"]["choices"][0]["message"]["content"] = [{"type": "text", "text": "A boat"}, picture]
    row["response"]["choices"][0]["message"]["reasoning"] = "Sails, so a boat."
    log = write(tmp_path / "calls.jsonl", [row])
    responses = load(log, [{"prompt": "What is this?", "text": "A ship"}])
    assert responses.answers[0].text == "A boat"
    assert responses.counts == {"part": 2}


def test_malformed_calls_are_named(tmp_path: Path) -> None:
    good = call("A", user("a"))
    path = tmp_path / "calls.jsonl"
    with pytest.raises(InputError, match=r"^calls\.jsonl:2: no reply on this line .*delete the line"):
        load(write(path, [good, {"request": {"messages": user("b")}}]), good_side())
    with pytest.raises(InputError, match=r"^calls\.jsonl:2: neither a prompt nor an id of one; delete"):
        load(write(path, [good, {"response": body("B")}]), good_side())
    with pytest.raises(
        InputError, match=r"^calls\.jsonl:1: a prompt must be text or a list of chat messages; got '7'"
    ):
        load(write(path, [call("A", 7)]), good_side())
    bad = call("A", user("a"))
    bad["response"]["choices"][0]["message"]["content"] = 7
    with pytest.raises(
        InputError, match=r"^calls\.jsonl:2: not a reply of an OpenAI.*content.*got '7'\); export"
    ):
        load(write(path, [good, bad]), good_side())


def good_side() -> list[dict[str, str]]:
    return [{"prompt": "a", "text": "B"}]


def test_a_table_with_choices_is_still_a_table(tmp_path: Path) -> None:
    rows = [{"prompt": "Which?", "choices": ["low", "high"], "output": "high", "request": "r", "error": None}]
    path = write(tmp_path / "table.jsonl", rows)
    assert [a.text for a in load(path, path).answers] == ["high", "high"]
