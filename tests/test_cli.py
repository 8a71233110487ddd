"""The command line: messages and exit codes, as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def whatchanged(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from whatchanged.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "verb",
    [
        (),
        ("run",),
        ("encode",),
        ("compare",),
        ("interpret",),
        ("report",),
        ("trend",),
        ("demo",),
        ("sae", "train"),
    ],
)
def test_every_verb_explains_itself(verb: tuple[str, ...]) -> None:
    done = whatchanged(*verb, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_version() -> None:
    assert whatchanged("--version").stdout.strip() == "0.1.0"


def test_a_mistake_in_the_call_ends_with_2(tmp_path: Path) -> None:
    assert whatchanged("run", "--before", "x").returncode == 2
    bad = tmp_path / "a.jsonl"
    bad.write_text('{"prompt": "p", "text": "t"}\nnot json\n')
    done = whatchanged("run", "--before", str(bad), "--after", str(bad), "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "a.jsonl:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_of_the_world_ends_with_3(tmp_path: Path) -> None:
    done = whatchanged("sae", "inspect", str(tmp_path))
    assert done.returncode == 3
    assert "cfg.json is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_sae_list_and_inspect() -> None:
    assert "gemma-3-270m" in whatchanged("sae", "list").stdout
    facts = json.loads(whatchanged("sae", "inspect", "gemma-3-270m", "--json").stdout)
    assert facts["features"] == 8192
    assert facts["model"] == "google/gemma-3-270m"


@pytest.mark.reader
def test_run_from_files_and_stage_by_stage(tmp_path: Path) -> None:
    rows = [
        {"id": i, "question": f"What is {i}?", "old": f"It is {i}.", "new": f"Certainly! {i}, yes?"}
        for i in range(24)
    ]
    table = tmp_path / "answers.jsonl"
    table.write_text("".join(json.dumps(r) + "\n" for r in rows))
    out = str(tmp_path / "run")
    done = whatchanged(
        "run",
        "--before",
        f"file:{table}#old",
        "--after",
        f"file:{table}#new",
        "--out",
        out,
        "--draws",
        "50",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["findings"]
    assert all(f["delta"] != 0 for f in found["findings"])
    assert Path(found["report"]).exists()
    assert json.loads(whatchanged("encode", out, "--json").stdout)["encoded"] == 0
    assert json.loads(whatchanged("compare", out, "--draws", "50", "--json").stdout)["n_pairs"] == 24
    again = json.loads(whatchanged("interpret", out, "--json").stdout)
    assert again["findings"] == found["findings"]
    elsewhere = tmp_path / "elsewhere.md"
    assert whatchanged("report", out, "--to", str(elsewhere)).returncode == 0
    assert "Certainly" in elsewhere.read_text()
