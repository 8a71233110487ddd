"""Labels and hypotheses of a real run, with scripted models: kept in the folder, reproduced without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whatchanged.cli import app
from whatchanged.demo import answers_paths
from whatchanged.pipeline import compare_run, encode_run, interpret_run, load_run
from whatchanged.store import cache_folder
from whatchanged.verify import verify_run

pytestmark = pytest.mark.reader

WRITTEN = {
    "hypotheses": [
        {"behaviour": "opens with a stock phrase", "more_in": "after", "findings": [1, "feature:999999"]},
        {"behaviour": "is written in verse", "more_in": "before", "findings": ["nothing"]},
    ]
}
RULES = (
    {"match": "NOT active", "text": "I cannot say.", "times": 2},
    {"match": "That was not the JSON", "text": '{"label": "any word at all"}'},
    {"match": "NOT active", "text": '{"label": "any word at all"}'},
    {"match": "Does the text contain", "text": '```json\n{"answer": "yes"}\n```'},
    {"match": "Are these the parts", "fail": "content_refused"},
    {"match": "Write at most 10 hypotheses", "text": json.dumps(WRITTEN)},
    {"match": "Which answer does this more", "text": '{"choice": "tie"}'},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the demo's answers, compared."""
    made = tmp_path_factory.mktemp("wording")
    load_run(*(str(p) for p in answers_paths()), made, limit=80)
    encode_run(made)
    compare_run(made, draws=50)
    return made


def interpreted(folder: Path, *options: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["interpret", str(folder), "--json", *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_counted_hypotheses_are_verified_and_the_report_is_reproduced(folder: Path) -> None:
    found = interpreted(folder, "--hypotheses")
    made = found["hypotheses"]
    assert isinstance(made, list)
    assert sum(h["verdict"] == "verified" for h in made) >= 3
    assert not any(h["verdict"] == "contradicted" for h in made)
    assert all(h["method"].startswith("counted: ") for h in made)
    assert "Hypothesis h1:" in (folder / "report.md").read_text()
    assert verify_run(folder).mismatches == ()
    kept = json.loads((folder / "hypotheses.json").read_text())
    assert kept["summary"]["fresh"] is True
    assert (kept["summary"]["writer"], kept["summary"]["judge"]) == (None, None)


def test_models_are_asked_once_and_a_bad_label_is_shown_as_bad(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in cache_folder().iterdir():  # everything but the labels
        (tmp_path / "cache").mkdir(exist_ok=True)
        if entry.name != "labels":
            (tmp_path / "cache" / entry.name).symlink_to(entry)
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path / "cache"))
    script = tmp_path / "rules.jsonl"
    script.write_text("".join(json.dumps(rule) + "\n" for rule in RULES))
    found = interpreted(folder, "--label-with", f"scripted:{script}", "--hypotheses")
    sheet = json.loads((folder / "labels.json").read_text())
    assert set(sheet["labels"].values()) == {"any word at all"}
    assert sheet["asked"]["labeller"]["malformed"] == 2
    judge = sheet["asked"]["judge"]
    assert judge["failures"] == {"content_refused": judge["unanswered"]}
    scored = [s["detection"] for s in sheet["scores"].values() if s["detection"]]
    assert {s["value"] for s in scored} == {0.5}
    assert all(s["fuzzing"] is None for s in sheet["scores"].values())
    findings = json.loads((folder / "findings.json").read_text())
    labelled = [
        f for f in findings["findings"] + findings["aside"] if f["label_source"].startswith("written")
    ]
    assert labelled
    for finding in labelled:
        if score := finding["label_score"]:
            said = "do not trust it" if score["n"] >= 20 else "too few to tell"
            assert any(said in note for note in finding["notes"])
    kept = json.loads((folder / "hypotheses.json").read_text())
    assert kept["summary"]["dropped"] == {"invented_id": 2, "without_finding": 1}
    assert [h["verdict"] for h in kept["hypotheses"]] == ["unconfirmed"]
    assert found["hypotheses"] == kept["hypotheses"]
    assert verify_run(folder).mismatches == ()

    interpret_run(folder, label_with=f"scripted:{script}", hypotheses=True)
    again = json.loads((folder / "labels.json").read_text())
    assert again["asked"]["labeller"]["calls"] == 0
    assert again["labels"] == sheet["labels"]
    assert again["scores"] == sheet["scores"]


def test_contradicting_options_are_refused(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("feature,label\n1,x\n")
    with pytest.raises(ValueError, match="labels are read or written, not both"):
        interpret_run(folder, labels=str(labels), label_with="scripted:x")
    with pytest.raises(ValueError, match="names no chat model"):
        interpret_run(folder, label_with="nonsense")
