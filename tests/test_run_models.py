"""From prompts to a report, asking models: over HTTP from real servers, and from weights on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import whatchanged as wc
from servers.demo_servers import DemoServers
from whatchanged.cli import app
from whatchanged.demo import demo_prompts
from whatchanged.demo.shipped import adapter_path
from whatchanged.prompts import save_prompts

pytestmark = pytest.mark.reader

# Prompts whose before-answers are short and plain, so that thirty-two tokens show an opening.
ASKED = 24


def few_prompts(folder: Path) -> Path:
    prompts = demo_prompts()
    return save_prompts(wc.PromptSet(prompts=prompts.prompts[:ASKED]), folder / "prompts.jsonl")


def run(before: str, after: str, out: Path, prompts: Path) -> dict[str, object]:
    done = CliRunner().invoke(
        app,
        ["run", "--before", before, "--after", after, "--prompts", str(prompts), "--out", str(out),
         "--max-tokens", "24", "--temperature", "0.5", "--draws", "50", "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def planted(found: dict[str, object]) -> bool:
    """Whether a finding is about how answers begin or hedge, as planted."""
    labels = " ".join(str(f["label"]) for f in found["findings"])  # type: ignore[attr-defined]
    return any(word in labels for word in ("opening", "hedg", "Great"))


def test_one_command_asks_two_servers_and_reports(demo_servers: DemoServers, tmp_path: Path) -> None:
    prompts, out = few_prompts(tmp_path), tmp_path / "run"
    before, after = demo_servers.names
    found = run(before, after, out, prompts)
    assert planted(found)
    calls = (out / "calls.jsonl").read_bytes()
    manifest = json.loads((out / "manifest.json").read_text())
    assert [m["answers"] for m in manifest["collect"]["models"]] == [ASKED, ASKED]
    assert {*manifest["seconds"]} == {"collect", "encode", "compare", "interpret", "report"}
    assert (out / "report.html").stat().st_size > 0
    again = run(before, after, out, prompts)
    assert again == found
    assert (out / "calls.jsonl").read_bytes() == calls  # nothing was asked twice


def test_the_same_from_weights_on_this_machine(tmp_path: Path) -> None:
    prompts = few_prompts(tmp_path)
    names = [f"hf:gemma-3-270m+{adapter_path(side)}" for side in ("before", "after")]
    assert planted(run(*names, tmp_path / "run", prompts))


def test_a_dry_run_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    done = CliRunner().invoke(
        app,
        ["run", "--before", "hf:gemma-3-270m", "--after", "google/gemini-2.5-flash",
         "--prompts", str(few_prompts(tmp_path)), "--out", str(out), "--dry-run", "--json"],
    )  # fmt: skip
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert not found["ok"]
    assert [m["calls"] for m in found["estimate"]["models"]] == [ASKED, ASKED]
    assert any("OPENROUTER_API_KEY" in c["message"] and c["status"] == "fail" for c in found["checks"])
    assert not out.exists()


def test_a_local_dry_run_finds_nothing_amiss(tmp_path: Path) -> None:
    names = [f"hf:gemma-3-270m+{adapter_path(side)}" for side in ("before", "after")]
    done = CliRunner().invoke(
        app, ["doctor", "--before", names[0], "--after", names[1], "--limit", "20", "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["estimate"]["worst"] == 0
    assert [c["name"] for c in found["checks"] if c["status"] == "fail"] == []
