"""The gate as a CI system calls it: kept answers against kept answers, and against a model to ask."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from whatchanged.cli import app

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
    assert {v["shown"] for v in json.loads((out / "check.json").read_text())} == {"within"}


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
