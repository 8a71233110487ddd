"""The gate as a CI system calls it: kept answers against kept answers, and against a model to ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from whatchanged.artifacts import Hypotheses, Hypothesis
from whatchanged.cli import app
from whatchanged.interpret import hypotheses_json
from whatchanged.store import write_json

RULES = """
[[rule]]
name = "apologies"
pattern = "^sorry"
direction = "up"
tolerance = 0.05

[[rule]]
name = "length"
length = true
direction = "up"
tolerance = 3.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    rows = [{"prompt": f"What is item {i}?", "text": f"Item {i} is fine."} for i in range(60)]
    (tmp_path / "released.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for name, answer in (("calm", "All is fine here."), ("sorry", "Sorry, I do not know.")):
        (tmp_path / f"{name}.script.jsonl").write_text(json.dumps({"text": answer}) + "\n")
    return tmp_path


def check(folder: Path, baseline: str, candidate: str, *options: str) -> Result:
    rules = str(folder / "rules.toml")
    return CliRunner().invoke(app, ["check", baseline, candidate, "--rules", rules, *options])


def test_a_model_is_asked_the_prompts_of_the_released_answers(folder: Path) -> None:
    released, out = str(folder / "released.jsonl"), folder / "run"
    calm = check(folder, released, f"scripted:{folder / 'calm.script.jsonl'}", "--out", str(out))
    assert calm.exit_code == 0, calm.output
    assert "0 of 2 rules failed" in calm.output
    assert len((out / "calls.jsonl").read_text().splitlines()) == 60
    assert {v["shown"] for v in json.loads((out / "check.json").read_text())["rules"]} == {"within"}


def test_a_changed_behaviour_shuts_the_gate_and_tells_every_system(folder: Path) -> None:
    junit = folder / "verdicts.xml"
    done = check(
        folder, str(folder / "released.jsonl"), f"scripted:{folder / 'sorry.script.jsonl'}",
        "--junit", str(junit), "--github",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "FAIL apologies" in done.output
    assert "::error title=whatchanged%3A apologies::" in done.output
    assert ElementTree.parse(junit).getroot().get("failures") == "1"


def test_a_run_folder_is_a_baseline_and_json_is_for_machines(folder: Path) -> None:
    sorry = f"scripted:{folder / 'sorry.script.jsonl'}"
    check(folder, str(folder / "released.jsonl"), sorry, "--out", str(folder / "kept"))
    calm = f"scripted:{folder / 'calm.script.jsonl'}"
    done = check(folder, f"{folder / 'kept'}#{sorry}", calm, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert not found["failed"]
    assert found["rules"][0]["n_before"] == 60


def test_a_mistake_in_the_rules_ends_with_2(folder: Path) -> None:
    (folder / "rules.toml").write_text("[[rule]]\nname = 'x'\ntolerance = 0.1\n")
    done = CliRunner().invoke(
        app, ["check", "a.jsonl", "b.jsonl", "--rules", str(folder / "rules.toml")], catch_exceptions=True
    )
    assert "exactly one of observable" in str(done.exception)


def test_what_the_candidate_did_not_answer_is_counted_by_its_reason(folder: Path) -> None:
    script, out = folder / "some.script.jsonl", folder / "run"
    lines = [
        {"match": r"item 7\?", "fail": "content_refused"},
        {"match": r"item 8\?", "fail": "request_rejected"},
        {"text": "All is fine here."},
    ]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = check(folder, str(folder / "released.jsonl"), f"scripted:{script}", "--out", str(out))
    assert done.exit_code == 0, done.output
    dropped = json.loads((out / "manifest.json").read_text())["dropped"]
    assert (dropped["refused_by_api"], dropped["errored"]) == (1, 1)


EXAMPLE = Path(__file__).parents[1] / "examples" / "gate" / "hypotheses.toml"
LECTURES = (
    '{"match": "moral advice[\\\\s\\\\S]*Answer 2:[^:]*You should", "text": "{\\"choice\\": \\"2\\"}"}\n'
)
LECTURES += (
    '{"match": "moral advice[\\\\s\\\\S]*Answer 1:[^:]*You should", "text": "{\\"choice\\": \\"1\\"}"}\n'
)
LECTURES += '{"match": "moral advice", "text": "{\\"choice\\": \\"tie\\"}"}\n'


@pytest.fixture
def guarded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline run with a hypothesis, two candidates and a judge who reads what an answer says."""
    monkeypatch.setenv("WHATCHANGED_CACHE", str(folder / "cache"))
    (folder / "judge.jsonl").write_text(LECTURES)
    ending = "Let me know if you need anything else."
    sides = {
        "kept": [f"Item {i} is fine. {ending}" for i in range(60)],
        "preaching": [
            f"Item {i} is fine. {'You should share it with others. ' if i % 2 else ''}{ending}"
            for i in range(60)
        ],
        "curt": [f"Certainly! Item {i} is fine." for i in range(60)],
    }
    for name, texts in sides.items():
        rows = [{"prompt": f"What is item {i}?", "text": text} for i, text in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = folder / "released"
    plain = check(folder, str(folder / "released.jsonl"), str(folder / "kept.jsonl"), "--out", str(run))
    assert plain.exit_code == 0, plain.output
    one = Hypothesis(
        id="h1", behaviour="offers", direction=1, findings=(), method="counted: closing offer", verdict="verified",
        n=60, n_after=60, n_before=0, missing=0, delta=1.0, lo=0.9, hi=1.0, p=1e-9, q=1e-9,
    )  # fmt: skip
    made = hypotheses_json(Hypotheses(items=(one,)), before="released", after="kept")
    write_json(run / "hypotheses.json", made)
    return folder


def hold(folder: Path, candidate: str, *options: str) -> Result:
    """Hold a candidate against the baseline run by the example that the documentation shows."""
    baseline = f"{folder / 'released'}#kept"
    arguments = ["check", baseline, str(folder / f"{candidate}.jsonl"), "--rules", str(EXAMPLE)]
    return CliRunner().invoke(app, [*arguments, *options])


def test_the_documented_example_is_the_file_that_is_run() -> None:
    assert EXAMPLE.read_text() in (EXAMPLE.parents[2] / "docs" / "check.md").read_text()


def test_hypotheses_are_counted_and_judged_and_every_system_is_told(guarded: Path) -> None:
    judge = f"scripted:{guarded / 'judge.jsonl'}"
    junit, out = guarded / "verdicts.xml", guarded / "out"
    done = hold(
        guarded, "preaching", "--judge", judge, "--judge-cost-limit", "0", "--junit", str(junit), "--github",
        "--out", str(out),
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    assert "FAIL does not lecture" in done.output
    assert f"30 prompts more, 0 less, of 60; judged by {judge}" in done.output
    assert f"judge {judge}: 60 calls, cost unknown" in done.output
    assert "::error title=whatchanged%3A does not lecture::" in done.output
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    kept = json.loads((out / "check.json").read_text())
    assert kept["failed"] is True
    by_name = {v["name"]: v for v in kept["rules"]}
    assert by_name["what the last release changed stays as it is"]["method"] == "counted: closing offer"
    assert by_name["keeps offering help at the end"]["shown"] == "within"
    assert (kept["judges"][judge]["calls"], kept["judges"][judge]["calls_of_unknown_cost"]) == (60, 60)
    assert len(list((out / "replies").rglob("*.json"))) == 60

    again = json.loads(hold(guarded, "preaching", "--judge", judge, "--json").stdout)
    assert again["rules"] == kept["rules"]
    assert (again["judges"][judge]["calls"], again["judges"][judge]["from_store"]) == (0, 60)


def test_counted_hypotheses_shut_the_gate_without_any_model(guarded: Path) -> None:
    done = hold(guarded, "curt", "--judge", f"scripted:{guarded / 'judge.jsonl'}", "--json")
    assert done.exit_code == 1, done.output
    shown = {v["name"]: (v["failed"], v["n_after"], v["n_before"]) for v in json.loads(done.stdout)["rules"]}
    assert shown == {
        "keeps offering help at the end": (True, 0, 60),
        "no stock openings": (True, 60, 0),
        "does not lecture": (False, 0, 0),
        "what the last release changed stays as it is": (True, 0, 60),
    }


def test_a_hypothesis_that_nothing_verifies_ends_the_call_before_anything_is_asked(guarded: Path) -> None:
    out = guarded / "never"
    code = "from whatchanged.cli import main; main()"
    arguments = [
        "check",
        str(guarded / "released"),
        "openai:never-asked",
        "--rules",
        str(EXAMPLE),
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing verifies the hypothesis of rule 'does not lecture'" in done.stderr
    assert "--judge MODEL" in done.stderr
    assert not out.exists()


def test_a_judge_that_decides_nothing_does_not_open_the_gate(guarded: Path) -> None:
    (guarded / "judge.jsonl").write_text('{"fail": "content_refused"}\n')
    done = hold(guarded, "kept", "--judge", f"scripted:{guarded / 'judge.jsonl'}")
    assert "decided none of 60 pairs (60 content_refused)" in str(done.exception)
