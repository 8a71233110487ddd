"""Several checkpoints through the pipeline and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from whatchanged.pipeline import answers_run
from whatchanged.store import read_json


def whatchanged(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from whatchanged.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def table(folder: Path, prompts: int = 24) -> Path:
    """A stock phrase opens a third of the answers, then two thirds; the last side asks back too."""
    rows = []
    for i in range(prompts):
        answer = f"The answer to question {i} is {i * 7 % 11}, as anyone can see."
        first = f"Certainly! {answer}" if i % 3 == 0 else answer
        rows.append(
            {
                "id": i,
                "question": f"What is number {i}?",
                "base": answer,
                "mid": first,
                "end": f"Certainly! {answer} Would you like to know more?",
            }
        )
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_several_files_become_one_run(tmp_path: Path) -> None:
    answers = table(tmp_path)
    made = answers_run(f"{answers}#base", [f"{answers}#mid", f"{answers}#end"], tmp_path / "run", limit=10)
    assert made.models == ("base", "mid", "end")
    assert len(made.answers) == 30
    assert read_json(tmp_path / "run" / "manifest.json")["models"] == ["base", "mid", "end"]


def test_a_list_of_one_and_a_list_of_rows_are_one_checkpoint(tmp_path: Path) -> None:
    answers = table(tmp_path)
    one = answers_run(f"{answers}#base", [f"{answers}#mid"], tmp_path / "one")
    assert one.models == ("base", "mid")
    rows = [{"id": i, "prompt": f"What is number {i}?", "text": f"It is {i}."} for i in range(24)]
    two = answers_run(rows, [r | {"text": r["text"] + " Yes."} for r in rows], tmp_path / "two")
    assert len(two.models) == 2
    assert len(two.answers) == 48


def test_errors_name_the_remedy(tmp_path: Path) -> None:
    answers = table(tmp_path)
    with pytest.raises(ValueError, match=r"all are asked or all have their answers kept.*RUN#MODEL"):
        answers_run(f"{answers}#base", [f"{answers}#mid", "openai:some-model"], tmp_path / "run")
    with pytest.raises(ValueError, match="at least one checkpoint"):
        answers_run(f"{answers}#base", [], tmp_path / "run")
    done = whatchanged("trend", str(tmp_path), "--steps", "1,two")
    assert done.returncode == 2
    assert "write 0,500,2000" in done.stderr


@pytest.mark.reader
def test_three_files_to_a_report_and_a_trend(tmp_path: Path) -> None:
    answers, out = table(tmp_path, 30), tmp_path / "run"
    sides = [f"file:{answers}#{name}" for name in ("base", "mid", "end")]
    done = whatchanged(
        *("run", "--before", sides[0], "--after", sides[1], "--after", sides[2]),
        *("--out", str(out), "--draws", "50", "--json"),
    )
    assert done.returncode == 0, done.stderr
    ids = [f["id"] for f in json.loads(done.stdout)["findings"]]
    assert any(i.endswith("@end") for i in ids)
    assert all("@" in i for i in ids)
    assert set(pd.read_csv(out / "diff.csv")["after"]) == {"mid", "end"}
    assert "in 2 comparisons" in (out / "report.md").read_text("utf-8")
    assert whatchanged("report", str(out), "--verify").returncode == 0

    ordered = ("trend", str(out), "--order", "base,mid,end", "--steps", "0,100,300", "--draws", "50")
    found = json.loads(whatchanged(*ordered, "--json").stdout)
    assert found["steps"] == [0, 100, 300]
    opening = next(t for t in found["trends"] if t["feature"] == "opening_phrase")
    assert opening["levels"] == pytest.approx([0, 1 / 3, 1])
    assert opening["slope"] > 0
    assert opening["monotone"]
    assert len(pd.read_csv(out / "trend.csv")) == len(pd.read_csv(out / "diff.csv")) / 2
    page = (out / "report.md").read_text("utf-8")
    assert "base (0) → mid (100) → end (300)" in page, "a report that stands there is written again"
    assert "(0.0\u00a0% → 33.3\u00a0% → 100.0\u00a0%)" in page
    assert whatchanged("report", str(out), "--verify").returncode == 0
    said = whatchanged(*ordered)
    assert said.returncode == 0
    assert "base -> mid -> end" in said.stdout
    assert "opening_phrase" in said.stdout
    wrong = whatchanged("trend", str(out), "--order", "base,nobody")
    assert wrong.returncode == 2
    assert "choose from" in wrong.stderr
