"""From files to a report, with the real reader and SAE."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import whatchanged as wc
from whatchanged.cli import app
from whatchanged.demo import PLANTED, answers_paths
from whatchanged.pipeline import compare_run, encode_run, interpret_run, load_run

pytestmark = pytest.mark.reader

OBSERVABLE = {
    "opening": "opening_phrase",
    "question": "closing_question",
    "hedge": "hedges",
    "bullets": "bullets",
    "refusal": "refusal",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, wc.Report]:
    """The demo's answers, run once."""
    folder = tmp_path_factory.mktemp("demo")
    before, after = answers_paths()
    return folder, wc.run(str(before), str(after), folder)


def test_the_top_ten_hold_every_planted_behaviour(demo: tuple[Path, wc.Report]) -> None:
    findings = demo[1].findings
    table = findings.diff.table
    named = set()
    for finding in findings.items[:10]:
        rows = table.loc[list(finding.rows)]
        named |= set(rows[rows["kind"] == "observable"]["feature"]) | set(finding.agrees)
    assert set(OBSERVABLE) == set(PLANTED)
    assert {b for b, name in OBSERVABLE.items() if name not in named} == set()


def test_no_finding_contradicts_an_observable(demo: tuple[Path, wc.Report]) -> None:
    assert [f.id for f in demo[1].findings if f.contradicts] == []


def test_features_take_part_in_the_findings(demo: tuple[Path, wc.Report]) -> None:
    findings = demo[1].findings
    kinds = [set(findings.diff.table.loc[list(f.rows), "kind"]) for f in findings.items[:10]]
    assert sum("feature" in k for k in kinds) >= 5
    assert all(f.evidence for f in findings.items[:10])


def test_the_run_folder_holds_everything(demo: tuple[Path, wc.Report]) -> None:
    folder, made = demo
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["answers"] == len(made.findings.diff.responses.answers)
    assert manifest["health"]["l0"] > 0
    assert set(manifest["seconds"]) == {"load", "encode", "compare", "interpret", "report"}
    for name in ("report.html", "report.md", "diff.csv", "diff.parquet", "findings.json", "prompts.jsonl"):
        assert (folder / name).stat().st_size > 0
    read = pd.read_parquet(folder / "diff.parquet")
    assert list(read.columns) == list(wc.DIFF_COLUMNS)


def test_run_again_it_encodes_nothing_and_says_the_same(demo: tuple[Path, wc.Report], tmp_path: Path) -> None:
    folder, made = demo
    load_run(*(str(p) for p in answers_paths()), tmp_path)
    assert encode_run(tmp_path).encoded == 0
    diff = compare_run(tmp_path)
    pd.testing.assert_frame_equal(diff.table, made.findings.diff.table)
    again = interpret_run(tmp_path)
    assert (tmp_path / "findings.json").read_bytes() == (folder / "findings.json").read_bytes()
    assert again.html == made.html


def test_other_answers_are_not_mixed_into_a_run(demo: tuple[Path, wc.Report]) -> None:
    before, _ = answers_paths()
    with pytest.raises(wc.StoreError, match="choose another folder"):
        load_run(str(before), str(before), demo[0])


def test_a_model_against_itself_changes_nothing(demo: tuple[Path, wc.Report], tmp_path: Path) -> None:
    before, _ = answers_paths()
    copy = tmp_path / "copy.jsonl"
    copy.write_text(before.read_text().replace('"demo-before"', '"copy"'))
    diff = wc.compare(wc.encode(wc.load(str(before), str(copy))), draws=50)
    assert diff.table["p"].isna().all()
    assert len(wc.interpret(diff)) == 0
    assert "No behaviour change" in wc.report(wc.interpret(diff)).markdown


def test_swapping_negates_every_effect(demo: tuple[Path, wc.Report]) -> None:
    diff = demo[1].findings.diff
    swapped = wc.compare(wc.encode(diff.responses.swapped()), draws=50).table.set_index(["kind", "feature"])
    table = diff.table.set_index(["kind", "feature"])
    np.testing.assert_array_equal(swapped["delta"].to_numpy(), -table["delta"].to_numpy())
    np.testing.assert_array_equal(swapped["q"].to_numpy(), table["q"].to_numpy())
    np.testing.assert_array_equal(swapped["lo"].to_numpy(), -table["hi"].to_numpy())


def test_shuffled_answers_change_nothing(demo: tuple[Path, wc.Report]) -> None:
    diff = demo[1].findings.diff
    order = np.random.default_rng(1).permutation(len(diff.responses.answers))
    shuffled = replace(diff.responses, answers=tuple(diff.responses.answers[i] for i in order))
    again = wc.compare(wc.encode(shuffled), draws=50)
    pd.testing.assert_frame_equal(again.table, diff.table)


def test_a_report_is_verified_and_a_changed_number_is_found(
    demo: tuple[Path, wc.Report], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(demo[0], folder)
    told = CliRunner().invoke(app, ["report", str(folder), "--verify"])
    assert told.exit_code == 0, told.output
    assert "numbers of the report follow from" in told.output
    page = (folder / "report.md").read_text()
    finding = demo[1].findings.items[0]
    true = f"{100 * finding.delta:+.1f}".replace("-", "\u2212")
    assert true in page
    (folder / "report.md").write_text(page.replace(true, "+99.9", 1))
    told = CliRunner().invoke(app, ["report", str(folder), "--verify"])
    assert told.exit_code == 1
    assert "report.md, line" in told.output
    assert "+99.9" in told.output
    assert true in told.output
