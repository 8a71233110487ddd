"""Questions in JSON: read amid prose, retried a bounded number of times, counted, and never paid twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from whatchanged.errors import AccessDenied, BadReply, ContentRefused, RateLimited, RequestRejected
from whatchanged.interpret.asking import Asker, Line, Question, read_json_reply, shortened
from whatchanged.interpret.label_store import LabelStore
from whatchanged.llm import ChatRequest, Price, Reply, ScriptedModel


class Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    word: Line


def ask_for(name: str) -> Question[Word]:
    return Question(key={"name": name}, system="Be brief.", text=f"Say {name}", reply=Word)


def echo(request: ChatRequest) -> str:
    return '{"word": "' + request.messages[1].content.removeprefix("Say ") + '"}'


def test_the_object_is_found_amid_prose_fences_and_other_objects() -> None:
    said = 'I think {so}: {"other": 1}\n```json\n{"word": " two\\n lines ", "more": 2}\n```'
    assert read_json_reply(said, Word) == Word(word="two lines")
    assert read_json_reply('{"word": "half', Word) is None
    assert read_json_reply("[" * 100_000 + "{" * 10, Word) is None
    kept = read_json_reply('{"word": "\\ud83d"}', Word)
    assert kept is not None
    assert kept.word.encode() == b"\\ud83d"


def test_malformed_replies_are_retried_with_a_reminder_and_counted() -> None:
    model = ScriptedModel(["no json", '{"wrong": 1}', '{"word": "third"}', "never", "never", "never"])
    asker = Asker(model=model)
    assert [r.word if r else None for r in asker.ask([ask_for("a")])] == ["third"]
    assert asker.ask([ask_for("b")]) == [None]
    assert (asker.calls, asker.malformed, asker.unanswered) == (6, 5, 1)
    second = model.requests[1].messages
    assert [m.role for m in second] == ["system", "user", "assistant", "user"]
    assert second[2].content == "no json"
    assert "JSON object" in second[3].content
    assert len(model.requests[2].messages) == 4, "only the last malformed reply is repeated"


def test_equal_questions_of_one_call_are_asked_once() -> None:
    model = ScriptedModel(['{"word": "first"}', ContentRefused("no", free=True), '{"word": "second"}'])
    asker = Asker(model=model)
    replies = asker.ask([ask_for("a"), ask_for("b"), ask_for("a"), ask_for("b")])
    assert [r.word if r else None for r in replies] == ["first", None, "first", None]
    assert (asker.calls, asker.unanswered) == (2, 1)


def test_failures_are_missing_data_by_kind_and_only_passing_ones_are_tried_again() -> None:
    model = ScriptedModel(
        [RateLimited("slow down", retry_after=0.001), '{"word": "x"}', ContentRefused("no", free=True)]
    )
    asker = Asker(model=model)
    assert [r is not None for r in asker.ask([ask_for("a")])] == [True]
    assert asker.ask([ask_for("b")]) == [None]
    assert asker.summary["failures"] == {"content_refused": 1, "rate_limited": 1}
    assert (asker.summary["calls"], asker.summary["unanswered"]) == (3, 1)
    with pytest.raises(AccessDenied):
        Asker(model=ScriptedModel([AccessDenied("no key")])).ask([ask_for("a")])
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        Asker(model=model, attempts=0)


def test_reasoning_models_get_room_and_no_temperature() -> None:
    thinking = Reply(text="", finish_reason="length", reasoning="let me think")
    model = ScriptedModel(
        [RequestRejected("Unsupported value: 'temperature'"), thinking, '{"word": "a"}', '{"word": "b"}']
    )
    asker = Asker(model=model, attempts=2)
    assert [r.word if r else None for r in asker.ask([ask_for("a")])] == ["a"]
    asker.ask([ask_for("b")])
    assert [r.temperature for r in model.requests] == [0.0, None, None, None]
    assert [r.max_tokens for r in model.requests] == [400, 400, 3200, 400]
    assert all(len(r.messages) == 2 for r in model.requests)
    other = Asker(model=ScriptedModel([RequestRejected("no such field")]))
    assert other.ask([ask_for("a")]) == [None]
    assert other.calls == 1


def test_a_run_that_broke_off_goes_on_without_paying_twice(tmp_path: Path) -> None:
    questions = [ask_for(name) for name in "abcdef"]

    def tired(request: ChatRequest) -> str | AccessDenied:
        if request.messages[1].content == "Say d":
            return AccessDenied("no credit left")
        return echo(request)

    store = LabelStore(tmp_path / "labels")
    first = Asker(model=ScriptedModel(tired), store=store)
    with pytest.raises(AccessDenied):
        first.ask(questions)
    kept = len(list(store.folder.rglob("*.json")))
    assert kept >= 3
    second = Asker(model=ScriptedModel(echo), store=store)
    assert [r.word if r else None for r in second.ask(questions)] == list("abcdef")
    assert (second.kept, second.calls) == (kept, 6 - kept)
    third = Asker(model=ScriptedModel(echo), store=store)
    third.ask(questions)
    assert third.calls == 0
    other = Asker(model=ScriptedModel(echo, name="another"), store=store)
    other.ask(questions[:1])
    assert other.calls == 1, "another model is another method"


def test_a_damaged_or_foreign_file_is_no_hit(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    store.put({"a": 1}, {"word": "kept"})
    [path] = tmp_path.rglob("*.json")
    assert store.get({"a": 1}) == {"word": "kept"}
    assert store.get({"a": 2}) is None
    path.write_text(path.read_text().replace('"a": 1', '"a": 3'))
    assert store.get({"a": 1}) is None
    path.write_text("{")
    assert store.get({"a": 1}) is None


def test_cost_is_the_sum_of_all_calls_malformed_ones_too() -> None:
    model = ScriptedModel(["what", '{"word": "a"}'], price=Price(prompt=0.0, completion=0.5))
    asker = Asker(model=model)
    asker.ask([ask_for("a")])
    # one word, then two words, at half a dollar each
    assert asker.summary["cost"] == pytest.approx(1.5)
    assert asker.summary["calls_of_unknown_cost"] == 0
    unknown = Asker(model=ScriptedModel([BadReply("cut", retry_after=0.001)]), attempts=1)
    unknown.ask([ask_for("a")])
    assert (unknown.summary["cost"], unknown.summary["calls_of_unknown_cost"]) == (None, 1)


def test_long_texts_keep_their_beginning_and_their_end() -> None:
    text = "a" * 500 + "b" * 500
    cut = shortened(text, 100)
    assert cut == "a" * 60 + " [...] " + "b" * 40
    assert shortened(text, 1000) == text
