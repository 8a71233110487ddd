"""The experiment in small: the recorded plan on two tiny checkpoints, through sandbox, session and MCP server."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "checkpoint-diffing"
KEYS = (
    "ANTHROPIC_API_KEY",
    "OPENROUTER_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "HF_TOKEN",
    "OPENAI_API_KEY",
)


def without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in KEYS}


def experiment(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXPERIMENT / "main.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=without_keys(), capture_output=True, text=True, timeout=900, check=False
    )


@pytest.mark.reader
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_recorded_run_leaves_everything_at_home(
    tmp_path: Path, tiny_model: Path, reader_folder: Path
) -> None:
    out = tmp_path / "out"
    checkpoints = ("--before", f"hf:{tiny_model}", "--after", f"hf:{tiny_model}")
    done = experiment(*checkpoints, "--prompts", "6", "--tokens", "8", "--out", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ANTHROPIC_API_KEY is not set" in done.stderr
    assert "0 behaviour changes were found" in done.stdout  # a model against itself
    book = nbformat.read(out / "checkpoint-diffing.ipynb", as_version=4)
    nbformat.validate(book)
    ran = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(ran) >= 10
    assert all(
        cell.execution_count and not any(o.output_type == "error" for o in cell.outputs) for cell in ran
    )
    for name in (
        "prompts.jsonl",
        "responses.jsonl",
        "calls.jsonl",
        "diff.parquet",
        "findings.json",
        "report.html",
    ):
        assert (out / "run" / name).stat().st_size > 0
    assert list((out / "run" / "features").rglob("*"))
    assert (out / "changes.png").stat().st_size > 0
    assert (out / "summary.md").read_text().startswith("# What changed")
    assert len((out / "run" / "responses.jsonl").read_text().splitlines()) == 12
    lines = [json.loads(line) for line in (out / "transcript.jsonl").read_text().splitlines()]
    assert (lines[0]["provider"], lines[-1]["kind"]) == ("scripted", "Finished")


def test_what_is_missing_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = experiment("--provider", "claude", cwd=tmp_path)
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY is needed to let claude drive the agent" in done.stderr
    half = experiment("--before", "hf:somewhere", cwd=tmp_path)
    assert half.returncode == 2
    assert "given together" in half.stderr
    assert list(tmp_path.iterdir()) == []


def test_claude_is_taken_when_its_key_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    main: dict[str, Any] = runpy.run_path(str(EXPERIMENT / "main.py"))
    assert main["chosen_provider"](None) == "scripted"
    assert "set ANTHROPIC_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("ANTHROPIC_API_KEY", "dummy-0123456789")
    assert main["chosen_provider"](None) == "claude"
    assert main["chosen_provider"]("gemini") == "gemini"
    config = main["sandbox_config"](main["parsed"]([]), "claude")
    assert (config.gpu, config.timeout, [repo.name for repo in config.repos]) == (
        "A100",
        7200,
        ["interp_embed"],
    )
    assert list(config.secrets) == ["OPENROUTER_API_KEY"]
    assert set(main["PACKAGES"]) <= set(config.python_packages)


def test_every_code_block_of_the_plan_compiles_and_the_task_names_what_exists() -> None:
    from whatchanged.lab.harness import read_plan

    plan = read_plan(EXPERIMENT / "plan.md", {"checkpoints": "", "prompts": "4", "tokens": "8"})
    for step in plan.steps:
        if step.tool == "execute_code":
            code = step.arguments["code"].replace("{{checkpoints}}", "pass")
            compile(code.replace("{{prompts}}", "4").replace("{{tokens}}", "8"), "plan.md", "exec")
    task = (EXPERIMENT / "task.md").read_text()
    for block in task.split("```python\n")[1:]:
        for line in block.split("```")[0].splitlines():
            if line.startswith(("import ", "from whatchanged")):
                exec(line, {})
