"""The collector's promises, on scripted models."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatchanged import LLMError, Prompt, PromptSet, StoreError, collect
from whatchanged.artifacts import Message
from whatchanged.errors import AccessDenied, BudgetExhausted, ContentRefused, RateLimited, Unavailable
from whatchanged.llm import ChatRequest, Price, Reply, ScriptedModel, Usage
from whatchanged.responses.collect import CollectProgress, RetryPolicy, plan_calls, read_summary
from whatchanged.responses.collect.run import make_sides

QUICK = RetryPolicy(first=0.01, longest=0.05)


def prompts(n: int) -> PromptSet:
    return PromptSet(prompts=tuple(Prompt(id=f"q{i}", text=f"question {i}") for i in range(n)))


def said(request: ChatRequest) -> str:
    return f"re: {request.messages[-1].content} ({request.seed})"


def pair() -> tuple[ScriptedModel, ScriptedModel]:
    return ScriptedModel(said, name="old"), ScriptedModel(said, name="new")


def test_both_models_take_turns_and_samples_have_seeds_of_their_own() -> None:
    sides = make_sides(*pair())
    plan = [(c.side.name, c.prompt.id, c.sample) for c in plan_calls(prompts(3), sides, 2)]
    assert plan[:6] == [
        ("old", "q0", 0), ("new", "q0", 0), ("new", "q1", 0), ("old", "q1", 0), ("old", "q2", 0), ("new", "q2", 0)
    ]  # fmt: skip
    assert len(set(plan)) == 12

    old, new = pair()
    collect(prompts(3), old, new, samples=2, seed=7)
    assert len({r.seed for r in old.requests}) == 6
    assert {r.seed for r in old.requests} == {r.seed for r in new.requests}
    again, _ = old, collect(prompts(3), old, new, samples=2, seed=8)
    assert len({r.seed for r in again.requests}) == 12


def test_one_model_against_itself_gets_different_seeds_so_that_noise_is_seen(tmp_path: Path) -> None:
    model = ScriptedModel(said, name="same")
    with pytest.raises(ValueError, match="both models are called 'same'"):
        collect(prompts(2), model, model, out=tmp_path)
    responses = collect(prompts(2), model, model, names=("first", "second"), out=tmp_path)
    texts = {(a.model, a.prompt_id): a.text for a in responses.answers}
    assert texts["first", "q0"] != texts["second", "q0"]


def test_chats_go_out_as_they_are() -> None:
    chat = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Hi"),
        Message(role="user", content="And now?"),
    )
    old, new = pair()
    collect(PromptSet(prompts=(Prompt(id="c", text="a chat", messages=chat),)), old, new)
    assert old.requests[0].messages == new.requests[0].messages == chat


def test_reasons_finish_and_truncation_are_kept(tmp_path: Path) -> None:
    def script(request: ChatRequest) -> Reply | LLMError:
        number = int(request.messages[-1].content.split()[1])
        if number == 0:
            return ContentRefused("filtered")
        if number == 1:
            return Reply(text="  ", finish_reason="stop")
        if number == 2:
            return Reply(text="cut", finish_reason="length", reasoning="hm", served_model="m-1", provider="P")
        return Reply(
            text="whole", finish_reason="stop", served_model=f"m-{number}", provider=f"P{number % 2}"
        )

    old, new = ScriptedModel(script, name="old"), ScriptedModel(said, name="new")
    responses = collect(prompts(5), old, new, out=tmp_path)
    assert [(d.reason, d.model, d.prompt_id) for d in responses.dropped] == [
        ("refused_by_api", "old", "q0"), ("empty", "old", "q1"), ("unpaired", "new", "q0"), ("unpaired", "new", "q1")
    ]  # fmt: skip
    assert responses.dropped[0].where == "content_refused at attempt 1: filtered"
    assert [a.text for a in responses.answers if a.truncated] == ["cut"]
    summary = read_summary(tmp_path)
    assert (summary.models[0].refused, summary.models[0].truncated, summary.models[0].empty) == (1, 1, 1)
    assert summary.models[0].providers == {"P": 1, "P0": 1, "P1": 1}
    assert any("old was served by several hosts" in w for w in summary.warnings)
    assert "refused by the API: 1 of old, 0 of new" in summary.warnings
    assert json.loads((tmp_path / "manifest.json").read_text())["collect"]["models"][0]["refused"] == 1
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    cut = next(line for line in lines if line.get("text") == "cut")
    assert cut["reasoning"] == "hm"

    kept = collect(prompts(5), old, new, out=tmp_path, exclude_truncated=True)
    assert {a.prompt_id for a in kept.answers} == {"q3", "q4"}
    assert len(old.requests) == 5, "nothing was asked again: a refusal is final"


def test_a_folder_grows_but_never_mixes(tmp_path: Path) -> None:
    old, new = pair()
    collect(prompts(3), old, new, out=tmp_path, max_tokens=50)
    collect(prompts(5), old, new, out=tmp_path, max_tokens=50, samples=2)
    assert len(old.requests) == 10
    assert Counter((r.messages[-1].content, r.seed) for r in old.requests).most_common(1)[0][1] == 1
    with pytest.raises(StoreError, match=r"max_tokens 50 there, 60 here; temperature null there, 0.5 here"):
        collect(prompts(3), old, new, out=tmp_path, max_tokens=60, temperature=0.5)
    with pytest.raises(StoreError, match="models old and new there, new and old here"):
        collect(prompts(3), new, old, out=tmp_path, max_tokens=50)
    other = ScriptedModel(said, name="old", identity={"script": "2"})
    with pytest.raises(StoreError, match='old: script null there, "2" here'):
        collect(prompts(3), other, new, out=tmp_path, max_tokens=50)
    changed = PromptSet(prompts=(Prompt(id="q1", text="another question"),))
    with pytest.raises(StoreError, match="another text of prompt q1"):
        collect(changed, old, new, out=tmp_path, max_tokens=50)
    assert len(old.requests) == 10


def test_two_collectors_do_not_share_a_folder(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def slow(request: ChatRequest) -> str:
        begun.set()
        await asyncio.to_thread(go_on.wait, 30)
        return "done"

    first = threading.Thread(
        target=collect,
        args=(prompts(1), ScriptedModel(slow, name="old"), ScriptedModel(["x"], name="new")),
        kwargs={"out": tmp_path},
    )
    first.start()
    assert begun.wait(30)
    with pytest.raises(StoreError, match="another collector is at work"):
        collect(prompts(1), *pair(), out=tmp_path)
    go_on.set()
    first.join()
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 2


def test_retry_after_holds_back_everything(tmp_path: Path) -> None:
    times: list[float] = []
    limited: list[float] = []

    def script(request: ChatRequest) -> str | LLMError:
        times.append(time.monotonic())
        if len(times) == 5:
            limited.append(times[-1])
            return RateLimited("slow down", retry_after=0.6)
        return "fine"

    collect(
        prompts(30), ScriptedModel(script, name="old"), ScriptedModel(script, name="new"),
        out=tmp_path, concurrency=4, retry=QUICK,
    )  # fmt: skip
    after = [t for t in times if t > limited[0]]
    window = 4
    assert min(after[window:]) >= limited[0] + 0.6, "but for what was under way"
    log = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "attempt" for line in log) == 1


def test_a_server_that_asks_for_hours_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    turns: list[Any] = ["fine", "fine", "fine", Unavailable("later", retry_after=7200)]
    old = ScriptedModel(lambda r: turns.pop(0) if turns else "fine", name="old")
    new = ScriptedModel(lambda r: "fine", name="new")
    responses = collect(prompts(40), old, new, out=tmp_path, concurrency=1)
    assert responses.counts["unasked"] > 30
    assert any("old asks to wait 7200 s" in (d.where or "") for d in responses.dropped)
    whole = collect(prompts(40), old, new, out=tmp_path)
    assert (len(whole.answers), whole.dropped) == (80, ())
    assert len(new.requests) == 40


def test_a_refused_key_stops_everything_and_keeps_what_is_there(tmp_path: Path) -> None:
    turns: list[Any] = ["fine"] * 5 + [AccessDenied("HTTP 402: no credit", status=402, free=True)]
    old = ScriptedModel(lambda r: turns.pop(0) if turns else "fine", name="old")
    new = ScriptedModel(lambda r: "fine", name="new")
    with pytest.raises(AccessDenied, match=r"no credit; \d+ finished calls are kept"):
        collect(prompts(50), old, new, out=tmp_path, concurrency=2)
    assert len(old.requests) < 10
    assert len(collect(prompts(50), old, new, out=tmp_path).answers) == 100
    assert len(old.requests) == 51


def test_the_deadline_ends_the_run_in_time(tmp_path: Path) -> None:
    async def slow(request: ChatRequest) -> str:
        await asyncio.sleep(0.2 if "7" not in request.messages[-1].content else 60)
        return "fine"

    began = time.monotonic()
    responses = collect(
        prompts(200), ScriptedModel(slow, name="old"), ScriptedModel(slow, name="new"),
        out=tmp_path, deadline=1.5, concurrency=8,
    )  # fmt: skip
    assert time.monotonic() - began < 20
    assert responses.counts["unasked"] > 100
    assert len(responses.answers) >= 2
    with pytest.raises(BudgetExhausted, match="no prompt has an answer of both models"):
        collect(prompts(2), ScriptedModel(slow, name="old"), ScriptedModel(slow, name="new"), deadline=0.05)


def test_a_reply_that_costs_more_than_its_price_allows_stops_the_run(tmp_path: Path) -> None:
    def dear(request: ChatRequest) -> Reply:
        return Reply(text="fine", usage=Usage(prompt_tokens=2, completion_tokens=9, cost=0.5))

    cheap = Price(prompt=1e-6, completion=1e-6)
    models = [ScriptedModel(dear, name=name, price=cheap) for name in ("old", "new")]
    with pytest.raises(BudgetExhausted, match=r"a request cost \$0.5, more than its price allows"):
        collect(prompts(50), *models, out=tmp_path, cost_limit=100.0, concurrency=1, max_tokens=10)
    assert sum(len(model.requests) for model in models) == 1


def test_it_runs_inside_a_loop_as_in_a_notebook(tmp_path: Path) -> None:
    async def cell() -> int:
        return len(collect(prompts(3), *pair(), out=tmp_path).answers)

    assert asyncio.run(cell()) == 6


def test_progress_ends_with_everything_done(tmp_path: Path) -> None:
    told: list[CollectProgress] = []
    collect(prompts(10), *pair(), out=tmp_path, progress=told.append)
    assert (told[-1].done, told[-1].total, told[-1].failed, told[-1].left) == (20, 20, 0, 0.0)


def test_no_folder_given_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path))
    responses = collect(prompts(2), *pair())
    folder = Path(responses.source.partition("collected in ")[2])
    assert folder.is_relative_to(tmp_path)
    assert len((folder / "calls.jsonl").read_text().splitlines()) == 4


class Batched(ScriptedModel):
    """A scripted model that takes several requests at once."""

    batch_size = 4

    def __init__(self, name: str, failing: int = 0) -> None:
        super().__init__(said, name=name)
        self.batches: list[list[str]] = []
        self.failing = failing

    async def reply_batch(self, requests: Sequence[ChatRequest]) -> list[Reply | LLMError]:
        self.batches.append([r.messages[-1].content for r in requests])
        replies: list[Reply | LLMError] = []
        for request in requests:
            if self.failing:
                self.failing -= 1
                replies.append(Unavailable("out of memory"))
            else:
                replies.append(await self.reply(request))
        return replies


def test_local_models_get_slices_in_a_fixed_order_also_after_an_interruption(tmp_path: Path) -> None:
    old, new = Batched("old", failing=1), Batched("new")
    collect(prompts(10), old, new, out=tmp_path / "whole", retry=QUICK)
    assert [len(b) for b in new.batches] == [4, 4, 2]
    assert [len(b) for b in old.batches] == [4, 1, 4, 2], "what failed is asked again, alone"

    again = Batched("old"), Batched("new")
    collect(prompts(10), *again, out=tmp_path / "cut", deadline=30)
    log = (tmp_path / "cut" / "calls.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut" / "calls.jsonl").write_text("".join(log[:8]))
    rest = Batched("old"), Batched("new")
    collect(prompts(10), *rest, out=tmp_path / "cut")
    assert rest[0].batches == again[0].batches[1:]
    assert rest[1].batches == again[1].batches[1:]


def test_a_local_model_and_a_remote_one_go_side_by_side(tmp_path: Path) -> None:
    old, new = Batched("old"), ScriptedModel(said, name="new")
    assert len(collect(prompts(10), old, new, out=tmp_path).answers) == 20
    assert len(new.requests) == 10


def test_memory_stays_flat_over_thousands_of_calls(tmp_path: Path) -> None:
    long = "word " * 400  # 2 kB an answer
    peaks: dict[int, int] = {}
    held: list[int] = []

    def script(request: ChatRequest) -> Reply:
        held.append(tracemalloc.get_traced_memory()[0])
        return Reply(text=long, finish_reason="stop")

    class Forgetful(ScriptedModel):
        async def reply(self, request: ChatRequest) -> Reply:
            self.requests.clear()
            return await super().reply(request)

    for n in (300, 1200):
        asked = prompts(n)
        tracemalloc.start()
        models = Forgetful(script, name="old"), Forgetful(script, name="new")
        collect(asked, *models, out=tmp_path / str(n))
        tracemalloc.stop()
        peaks[n] = max(held) - held[0]
        held.clear()
    assert peaks[1200] < peaks[300] + 1800 * len(long) / 4, f"texts do not pile up while collecting: {peaks}"


@pytest.mark.parametrize("inside", [False, True])
def test_an_interrupt_ends_it_and_keeps_what_is_finished(inside: bool, tmp_path: Path) -> None:
    code = f"""
import asyncio, os, signal, sys
from whatchanged import Prompt, PromptSet, collect
from whatchanged.llm import ScriptedModel

async def script(request):
    await asyncio.sleep(0.01)
    if len(old.requests) == 20:
        os.kill(os.getpid(), signal.SIGINT)
    return "fine"

old, new = ScriptedModel(script, name="old"), ScriptedModel(script, name="new")
prompts = PromptSet(prompts=tuple(Prompt(id=str(i), text=str(i)) for i in range(5000)))

async def cell():
    collect(prompts, old, new, out=sys.argv[1], concurrency=4)

if {inside}:
    asyncio.run(cell())
else:
    collect(prompts, old, new, out=sys.argv[1], concurrency=4)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "KeyboardInterrupt" in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr
    finished = len((tmp_path / "calls.jsonl").read_text().splitlines())
    assert 20 <= finished < 10000
