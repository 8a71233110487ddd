"""A changed number anywhere in what a run keeps is found, and what cannot be made again is said to be so."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whatchanged.cli import app
from whatchanged.demo import answers_paths
from whatchanged.pipeline import compare_run, encode_run, interpret_run, load_run, trend_run
from whatchanged.store import cache_folder, read_json, write_json
from whatchanged.verify import cells, verify_run

pytestmark = pytest.mark.reader

WRITTEN = {
    "hypotheses": [
        {"behaviour": "opens with a stock phrase", "more_in": "after", "findings": [1]},
        {"behaviour": "asks back at the end", "more_in": "after", "findings": [2, 3]},
        {"behaviour": "is written in verse", "more_in": "before", "findings": ["nothing"]},
    ]
}
RULES = (
    {"match": "NOT active", "text": '{"label": "any word at all"}'},
    {"match": "Does the text contain[^x]*$", "text": '{"answer": "yes"}', "times": 40},
    {"match": "Does the text contain", "text": '{"answer": "no"}'},
    {"match": "Are these the parts", "fail": "content_refused"},
    {"match": "Write at most 10 hypotheses", "text": json.dumps(WRITTEN)},
    {"match": "Answer 1:\\nCertainly[\\s\\S]*Which answer does this more", "text": '{"choice": "1"}'},
    {"match": "Which answer does this more", "fail": "content_refused", "times": 3},
    {"match": "Answer 2:\\nCertainly[\\s\\S]*Which answer does this more", "text": '{"choice": "2"}'},
    {"match": "Which answer does this more", "text": '{"choice": "tie"}'},
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache without replies of earlier tests."""
    made = tmp_path_factory.mktemp("cache")
    for entry in cache_folder().iterdir():
        if entry.name != "labels":
            (made / entry.name).symlink_to(entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHATCHANGED_CACHE", str(made))
        yield made


@pytest.fixture(scope="module")
def compared(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty prompts of the demo's answers, compared."""
    made = tmp_path_factory.mktemp("compared")
    load_run(*(str(p) for p in answers_paths()), made, limit=40)
    encode_run(made)
    compare_run(made, draws=20)
    return made


@pytest.fixture(scope="module")
def counted(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With counted hypotheses and a trend."""
    folder = tmp_path_factory.mktemp("counted") / "run"
    shutil.copytree(compared, folder)
    interpret_run(folder, hypotheses=True)
    trend_run(folder, draws=20, seed=3)
    return folder


@pytest.fixture(scope="module")
def asked(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With labels, scores and hypotheses of a model that sometimes fails."""
    folder = tmp_path_factory.mktemp("asked") / "run"
    shutil.copytree(compared, folder)
    script = folder.parent / "rules.jsonl"
    script.write_text("".join(json.dumps(rule) + "\n" for rule in RULES))
    interpret_run(folder, label_with=f"scripted:{script}", hypotheses=True, seed=2)
    return folder


def changed(folder: Path, name: str, change: Callable[[Any], None]) -> Callable[[], None]:
    """Change a JSON file of a run; what is returned puts it back."""
    before = (folder / name).read_bytes()
    content = read_json(folder / name)
    change(content)
    write_json(folder / name, content)

    def undo() -> None:
        (folder / name).write_bytes(before)

    return undo


def verified(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["report", str(folder), "--verify"])
    return done.exit_code, done.output


def test_what_was_counted_and_what_was_asked_is_verified(counted: Path, asked: Path, cache: Path) -> None:
    code, said = verified(counted)
    assert (code, "not verifiable" in said) == (0, False), said
    shutil.rmtree(cache / "labels")  # the folder's own replies are enough
    code, said = verified(asked)
    assert code == 0, said
    assert "answers and features and the replies it keeps" in said
    kept = read_json(asked / "hypotheses.json")
    assert kept["summary"]["judge"]["failures"] == {"content_refused": 3}
    assert sum(h["missing"] for h in kept["hypotheses"]) == 3
    assert all(h["n_after"] for h in kept["hypotheses"])
    assert not (cache / "labels").exists()  # nobody was asked, nothing was kept


def test_every_cell_of_counted_hypotheses_and_of_a_trend_is_held(counted: Path) -> None:
    kept = (counted / "trend.csv").read_text()
    lines = kept.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("observable,hedges"))
    lines[at] = re.sub(r"\d", lambda d: str((int(d[0]) + 1) % 10), lines[at], count=1)

    def tamper(made: Any) -> None:
        one = made["hypotheses"][0]
        one |= {name: value + 1e-9 for name, value in one.items() if isinstance(value, float)}
        one |= {name: value + 1 for name, value in one.items() if type(value) is int and name != "direction"}
        made["hypotheses"][1]["verdict"] = "contradicted"
        made["summary"]["prompts"] += 1

    (counted / "trend.csv").write_text("\n".join(lines) + "\n")
    undo = [
        changed(counted, "hypotheses.json", tamper),
        changed(counted, "trend.json", lambda t: t["summary"].update(discovered=99, seed=4)),
    ]
    found = verify_run(counted)
    for back in undo:
        back()
    (counted / "trend.csv").write_text(kept)
    places = {(m.file, m.where) for m in found.mismatches}
    names = ("delta", "hi", "lo", "missing", "n", "n_after", "n_before", "p", "q")
    assert {where for file, where in places if file == "hypotheses.json"} == {
        *(f"hypotheses[0].{name}" for name in names),
        "hypotheses[1].verdict",
        "summary.prompts",
    }
    assert {where for file, where in places if file == "trend.json"} == {"summary.discovered", "summary.seed"}
    assert {where for file, where in places if file == "trend.csv"} == {f"line {at + 1}"}


def test_a_changed_number_is_named_by_its_file_and_cell(asked: Path) -> None:
    def tamper(made: Any) -> None:
        made["hypotheses"][0]["q"] = 0.5
        made["summary"]["judge"] |= {"calls": 7, "unanswered": 2}

    undo = [
        changed(asked, "hypotheses.json", tamper),
        changed(asked, "labels.json", lambda sheet: sheet["asked"]["labeller"].update(prompt_tokens=1)),
        changed(asked, "diff.json", lambda diff: diff["summary"].update(alpha=0.06)),
    ]
    code, said = verified(asked)
    for back in undo:
        back()
    assert code == 1
    for cell, value in (
        ("hypotheses.json, hypotheses[0].q", 0.5),
        ("hypotheses.json, summary.judge.calls", 7),
        ("hypotheses.json, summary.judge.unanswered", 2),
        ("labels.json, asked.labeller.prompt_tokens", 1),
        ("diff.json, summary.alpha", 0.06),
    ):
        assert f"{cell}\n  says:   {value}\n" in said


def test_a_changed_score_is_found_and_hypotheses_of_other_labels_cannot_be_made_again(asked: Path) -> None:
    scores = read_json(asked / "labels.json")["scores"]
    feature = next(name for name, both in scores.items() if both["detection"])
    undo = changed(
        asked, "labels.json", lambda s: s["scores"][feature]["detection"].update(value=0.99, missing=9)
    )
    code, said = verified(asked)
    undo()
    assert code == 1
    assert f"labels.json, scores.{feature}.detection.value\n  says:   0.99\n" in said
    assert f"labels.json, scores.{feature}.detection.missing\n  says:   9\n" in said
    assert "not verifiable: hypotheses.json: labels.json is not the one they were made with" in said


def test_a_changed_reply_changes_what_follows_from_it(asked: Path) -> None:
    reply = next(p for p in sorted((asked / "replies").rglob("*.json")) if '"choice": "1"' in p.read_text())
    text = reply.read_text()
    reply.write_text(text.replace('"choice": "1"', '"choice": "tie"'))
    code, said = verified(asked)
    reply.write_text(text)
    assert code == 1
    assert re.search(r"hypotheses\.json, hypotheses\[\d\]\.n_(after|before)\n", said)


def test_lost_replies_are_said_to_be_lost(asked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(asked, folder)
    judged = [p for p in (folder / "replies").rglob("*.json") if '"choice"' in p.read_text()]
    for path in judged[:2]:
        path.unlink()
    code, said = verified(folder)
    assert code == 1
    assert re.search(
        r"not verifiable: hypotheses\.json: 2 of \d+ replies of scripted:\S+ are not in replies/", said
    )
    assert "says:" not in said
    shutil.rmtree(folder / "replies")
    code, said = verified(folder)
    assert code == 1
    assert "not verifiable: labels.json:" in said
    assert "not verifiable: hypotheses.json: 1 of 1 replies" in said


def test_what_a_run_does_not_record_is_not_verified_silently(counted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(counted, folder)
    (tmp_path / "labels.csv").write_text("feature,label\n1,a\n2,b\n")
    interpret_run(folder, labels=str(tmp_path / "labels.csv"))
    changed(folder, "manifest.json", lambda m: [m.pop("hypotheses"), m.pop("trend")])
    made_up = {"detection": {"value": 1.0, "lo": 0.9, "hi": 1.0, "n": 30, "method": "m", "missing": 0}}
    changed(folder, "labels.json", lambda sheet: sheet["scores"].update({"1": made_up}))
    found = verify_run(folder)
    assert not found.holds
    assert [line.partition(": ")[0] for line in found.unverifiable] == [
        "labels.json",
        "hypotheses.json",
        "trend.json",
    ]


def test_cells_are_named_by_their_path() -> None:
    made = {"a": [{"b": 1}, []], "c": {}, "d": None}
    assert cells(made) == {"a[0].b": 1, "a[1]": [], "c": {}, "d": None}
