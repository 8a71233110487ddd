"""What a saved report leaves on the disk, and that it leaves nothing half-written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_sample import EVIL, evil, realistic

from whatchanged.artifacts import Findings
from whatchanged.errors import StoreError
from whatchanged.report import Report, report
from whatchanged.report.figures import encoded

FILES = {
    "report.html", "report.md", "diff.csv", "diff.parquet", "findings.json",
    *(f"figures/{n}.{s}" for n in ("forest", "noise_floor", "observables") for s in ("png", "svg")),
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Findings:
    return realistic()


@pytest.fixture(scope="module")
def shown(found: Findings) -> Report:
    return report(found)


@pytest.fixture(scope="module")
def folder(shown: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("saved") / "run-1.5"
    assert shown.save(where) == where / "report.html"
    return where


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_gets_every_file_and_nothing_else(folder: Path, shown: Report) -> None:
    assert names(folder) == FILES
    assert (folder / "report.html").read_text(encoding="utf-8") == shown.html
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert all(f"](figures/{n}.png)" in markdown for n in ("forest", "noise_floor", "observables"))
    assert "figures/" not in shown.markdown


def test_one_file_is_one_file(tmp_path: Path, shown: Report) -> None:
    assert shown.save(tmp_path / "a.html").read_text(encoding="utf-8") == shown.html
    assert shown.save(str(tmp_path / "a.md")).read_text(encoding="utf-8") == shown.markdown
    assert names(tmp_path) == {"a.html", "a.md"}


def test_another_ending_is_a_mistake_with_a_remedy(tmp_path: Path, shown: Report) -> None:
    with pytest.raises(ValueError, match=r"got 'report.pdf'; give a folder"):
        shown.save(tmp_path / "report.pdf")
    assert names(tmp_path) == set()


def test_the_tables_come_back_as_they_were(folder: Path, found: Findings) -> None:
    table = found.diff.table
    parquet = pd.read_parquet(folder / "diff.parquet")
    csv = pd.read_csv(
        folder / "diff.csv",
        keep_default_na=False,
        na_values=dict.fromkeys(table.select_dtypes("number").columns, ""),
        dtype=dict.fromkeys(table.select_dtypes(exclude="number").columns, str),
    )
    assert (folder / "diff.csv").read_text(encoding="utf-8").count("\n") == len(table) + 1
    for back, digits in ((parquet, 0.0), (csv, 1e-15)):
        assert list(back.columns) == list(table.columns)
        assert len(back) == len(table)
        for name in table.columns:
            if table[name].dtype == object:
                assert back[name].tolist() == table[name].tolist()
            else:
                np.testing.assert_allclose(
                    back[name].to_numpy(float), table[name].to_numpy(float), rtol=digits
                )


def test_findings_json_names_rows_and_keeps_all_evidence(folder: Path, found: Findings) -> None:
    content = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert content["schema"] == 1
    assert (content["before"], content["after"]) == ("orchard-7b-sft", ["orchard-7b-dpo-1.1"])
    assert len(content["findings"]) == 30
    assert len(content["aside"]) == 3
    table = pd.read_parquet(folder / "diff.parquet")
    for told, finding in zip(content["findings"], found.items, strict=True):
        assert [r["index"] for r in told["rows"]] == list(finding.rows)
        for row in told["rows"]:
            there = table.iloc[row["index"]]
            assert {n: row[n] for n in ("kind", "feature", "before", "after")} == {
                n: there[n] for n in ("kind", "feature", "before", "after")
            }
        assert told["delta"] == finding.delta
        assert told["q"] == finding.q
        assert told["tags"] == list(finding.tags)
        assert told["notes"] == list(finding.notes)
        assert [e["tokens"] for e in told["evidence"]] == [list(e.tokens) for e in finding.evidence]
        assert [e["activations"] for e in told["evidence"]] == [list(e.activations) for e in finding.evidence]


def test_figures_are_images_and_the_same_every_time(folder: Path, shown: Report, tmp_path: Path) -> None:
    shown.save(tmp_path)
    for name in sorted(FILES):
        first, again = (hashlib.sha256((f / name).read_bytes()).hexdigest() for f in (folder, tmp_path))
        assert first == again, name
    for name in ("forest", "noise_floor", "observables"):
        with Image.open(folder / "figures" / f"{name}.png") as image:
            assert image.width > 900
            assert len(image.convert("L").getcolors() or ()) > 20, "something is drawn"
        assert (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_matplotlibs_settings_stay_as_they_were(shown: Report) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    encoded(shown.page, "observables")
    assert dict(mpl.rcParams) == before


def test_hostile_text_survives_the_disk(tmp_path: Path) -> None:
    found = evil()
    report(found).save(tmp_path)
    assert names(tmp_path) == FILES
    content = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert content["findings"][0]["label"] == EVIL[0]
    assert [e["tokens"][0] for e in content["findings"][0]["evidence"][::2]] == list(EVIL)
    features = pd.read_parquet(tmp_path / "diff.parquet")["feature"].tolist()
    assert features[4] == EVIL[4]
    assert features[5] == "lone \\ud800 surrogate \\udcff"
    assert features[8] == EVIL[8]
    svg = (tmp_path / "figures" / "forest.svg").read_text(encoding="utf-8")
    assert "<script" not in svg


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, shown: Report) -> None:
    target = tmp_path / "kept.html"
    target.mkdir()
    (target / "diff.csv").mkdir()
    with pytest.raises(StoreError, match=r"diff.csv cannot be written .* choose another place"):
        shown.save(target)
    assert (target / "diff.csv").is_dir()
    assert not [n for n in names(target) if n.endswith(".tmp")]
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="choose another place"):
        shown.save(tmp_path / "file" / "a.html")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
