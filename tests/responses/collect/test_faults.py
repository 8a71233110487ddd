"""Against a real server that breaks the protocol: nothing lost, nothing twice, nothing paid again."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest

from servers.fault_server import FaultServer
from whatchanged import LLMError, Prompt, PromptSet, collect
from whatchanged.llm import Redactor
from whatchanged.responses import open_folder
from whatchanged.responses.collect import RetryPolicy, read_summary

QUICK = RetryPolicy(first=0.01, longest=0.1)
MODELS = ("gemini-2.0-flash-001", "gemini-2.5-flash")


def prompts(n: int) -> PromptSet:
    return PromptSet(prompts=tuple(Prompt(id=f"q{i}", text=f"What is {i} times {i + 1}?") for i in range(n)))


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def test_forty_percent_faults_every_prompt_ends_with_an_answer_or_a_named_failure(tmp_path: Path) -> None:
    asked = prompts(80)
    with FaultServer(tmp_path, rate=0.4) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        responses = collect(asked, *names, out=tmp_path / "run", timeout=2, retry=QUICK, concurrency=30)

        by_call = Counter((a.model, a.prompt_id) for a in responses.answers)
        assert set(by_call.values()) == {1}
        for answer in responses.answers:
            question = asked.by_id[answer.prompt_id].text
            assert answer.text == f"{answer.model.split('#')[1]} answers: {question}"
        lost = [d for d in responses.dropped if d.reason != "unpaired"]
        unpaired = [d for d in responses.dropped if d.reason == "unpaired"]
        assert {d.reason for d in lost} <= {"errored", "refused_by_api"}
        assert all(d.where and d.where.split(" ")[0] in {"rate_limited", "unavailable", "bad_reply", "content_refused"}
                   for d in lost)  # fmt: skip
        ends = [(d.model, d.prompt_id) for d in (*lost, *unpaired)] + list(by_call)
        assert Counter(ends) == Counter({(name, p.id): 1 for name in names for p in asked})

        kinds = {r["fault"] for r in server.requests() if r["event"] == "asked"}
        assert len(kinds) == 16, "every kind of fault was met, and answers were given"
        kept = lines(tmp_path / "run")
        ours = Counter(
            (str(line["model"]).split("#")[1], asked.by_id[str(line["prompt_id"])].text)
            for line in kept
            if line["event"] == "answer"
        )
        given_up = sum("no answer within" in json.dumps(line.get("error")) for line in kept)
        assert set(ours.values()) == {1}
        assert not ours - server.answered(), "only what the server answered counts as an answer"
        assert (server.answered() - ours).total() <= given_up, "and all of it, unless we had given up waiting"

    summary = read_summary(tmp_path / "run")
    assert sum(m.answers for m in summary.models) == len(responses.answers) + len(unpaired)
    assert all(
        m.retries["unavailable"] and m.retries["bad_reply"] and m.retries["rate_limited"]
        for m in summary.models
    )
    assert all(m.served == {m.model.split("#")[1]: m.answers} for m in summary.models)
    assert open_folder(tmp_path / "run") == responses


def test_killed_and_resumed_no_finished_call_is_paid_again(tmp_path: Path) -> None:
    code = (
        "import sys; from whatchanged import Prompt, PromptSet, collect\n"
        "prompts = PromptSet(prompts=tuple(Prompt(id=f'q{i}', text=f'What is {i} times {i + 1}?') "
        "for i in range(200)))\n"
        "collect(prompts, sys.argv[1], sys.argv[2], out=sys.argv[3], concurrency=8)\n"
    )
    asked, run = prompts(200), tmp_path / "run"
    with FaultServer(tmp_path, latency=0.1) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        child = subprocess.Popen([sys.executable, "-c", code, *names, str(run)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and sum(server.answered().values()) < 60:
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        with (run / "calls.jsonl").open("ab") as log:
            log.write(b'{"event": "answer", "model": "torn')
        finished = {
            (str(line["model"]).split("#")[1], asked.by_id[str(line["prompt_id"])].text)
            for raw in (run / "calls.jsonl").read_text().splitlines()[:-1]
            if (line := json.loads(raw))["event"] == "answer"
        }
        time.sleep(0.5)  # what was under way at the kill ends in the server
        killed_at = len(server.requests())
        assert 40 <= len(finished) < 400

        responses = collect(asked, *names, out=run, concurrency=8)
        assert len(responses.answers) == 400
        assert responses.dropped == ()
        again = {(r["model"], r["prompt"]) for r in server.requests()[killed_at:] if r["event"] == "asked"}
        assert not again & finished
        assert again | finished == {(m, p.text) for m in MODELS for p in asked}
        twice = [call for call, n in server.answered().items() if n > 1]
        assert len(twice) <= 8, "only what was under way at the kill"

        before = len(server.requests())
        assert collect(asked, *names, out=run) == responses
        assert len(server.requests()) == before, "a finished folder asks nothing, not even for prices"


@pytest.mark.parametrize("faulty", [0.0, 0.4])
def test_the_cost_limit_is_never_passed_whatever_is_under_way(tmp_path: Path, faulty: float) -> None:
    limit = 0.02
    with FaultServer(tmp_path, latency=0.02, rate=faulty, tokens=64, hang=2) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        for _ in range(2):  # a second run spends what is left, and no more
            responses = collect(
                prompts(150), *names, out=tmp_path / "run", max_tokens=64, cost_limit=limit, concurrency=50,
                timeout=1, retry=QUICK,
            )  # fmt: skip
            assert server.charged() <= limit
    assert responses.counts["unasked"] > 0
    assert all("cost limit of $0.02" in (d.where or "") for d in responses.dropped if d.reason == "unasked")
    assert read_summary(tmp_path / "run").models[0].answers > 10
    if not faulty:
        assert server.charged() > 0.9 * limit


def test_a_limit_holds_across_a_kill_because_requests_are_noted_before_they_go_out(tmp_path: Path) -> None:
    code = (
        "import sys; from whatchanged import Prompt, PromptSet, collect\n"
        "prompts = PromptSet(prompts=tuple(Prompt(id=f'q{i}', text=f'What is {i} times {i + 1}?') "
        "for i in range(300)))\n"
        "collect(prompts, sys.argv[1], sys.argv[2], out=sys.argv[3], max_tokens=64, cost_limit=0.02, concurrency=16)\n"
    )
    with FaultServer(tmp_path, latency=0.3, tokens=64) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        for _ in range(2):
            child = subprocess.Popen([sys.executable, "-c", code, *names, str(tmp_path / "run")])
            begun, deadline = len(server.requests()), time.monotonic() + 60
            while time.monotonic() < deadline and len(server.requests()) < begun + 30:
                time.sleep(0.02)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        collect(prompts(300), *names, out=tmp_path / "run", max_tokens=64, cost_limit=0.02, concurrency=16)
        time.sleep(0.5)
        assert 0.01 < server.charged() <= 0.02


def test_without_a_price_a_limit_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server:
        names = server.name(MODELS[0]), server.name("unlisted")
        with pytest.raises(LLMError, match=r"no price is known of .*unlisted.* nothing was sent"):
            collect(prompts(2), *names, out=tmp_path / "run", cost_limit=1.0)
        assert [r["event"] for r in server.requests()] == ["get", "get"]
        table = tmp_path / "prices.toml"
        table.write_text(f'["{names[1]}"]\nprompt = 1\ncompletion = 4\n')
        collect(prompts(2), *names, out=tmp_path / "run", cost_limit=1.0, prices=table)


def test_no_form_of_the_key_is_in_logs_errors_manifests_or_exception_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-canary+7f/3a9=Qz~2b8d"
    monkeypatch.setenv("WHATCHANGED_API_KEY", key)
    forms = [
        key,
        base64.b64encode(key.encode()).decode().rstrip("="),
        key.encode().hex(),
        quote(key, safe=""),
    ]
    faults = ("429", "500", "502_html", "html_200", "error_200", "reset", "half", "malformed")
    leak = f"{{auth}} {' '.join(forms)}"

    def clean(text: str) -> None:
        assert not [form for form in forms if form in text]
        assert not Redactor({"K": key}).inside(text)

    with FaultServer(tmp_path, rate=0.5, leak=leak, faults=faults) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        responses = collect(prompts(40), *names, out=tmp_path / "run", retry=QUICK)
        assert any("[WHATCHANGED_API_KEY]" in a.text for a in responses.answers), (
            "the server did send it back"
        )
    with FaultServer(tmp_path, rate=1.0, leak=leak, faults=("500",)) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        with pytest.raises(LLMError) as caught:
            collect(prompts(3), *names, out=tmp_path / "none", retry=RetryPolicy(first=0.01, attempts={}))
        assert "HTTP 500" in str(caught.value)
        clean("".join(traceback.format_exception(caught.value)))
    files = [p for folder in ("run", "none") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert len(files) >= 8
    for path in files:
        clean(path.read_text())


def test_concurrency_settles_where_the_server_can_take_it(tmp_path: Path) -> None:
    with FaultServer(tmp_path, latency=0.05, capacity=10) as server:
        names = server.name(MODELS[0]), server.name(MODELS[1])
        responses = collect(prompts(150), *names, out=tmp_path / "run", concurrency=64, retry=QUICK)
        assert len(responses.answers) == 300
        asked = [r for r in server.requests() if r["event"] == "asked"]
    refused = sum(r["fault"] == "429" for r in asked[len(asked) // 3 :])
    assert refused < 0.2 * len(asked), "most requests are taken once the window has found the server's size"
    assert max(r["in_flight"] for r in asked[len(asked) // 3 :]) <= 24
