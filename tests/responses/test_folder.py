"""A run folder gives back what was put in, or says what is wrong with it."""

import json
from pathlib import Path

import pytest

from whatchanged.artifacts import Answer, Dropped, Prompt, PromptSet, Responses
from whatchanged.errors import StoreError
from whatchanged.responses import load, open_folder, save


@pytest.fixture
def responses() -> Responses:
    prompts = (
        Prompt(id="1", text="Two\nlines \u2028 and «quotes»", category="k", cluster="c-1"),
        Prompt(id="2", text="y"),
    )
    return Responses(
        prompts=PromptSet(prompts=prompts, source="bank"),
        models=("new", "old", "silent"),
        answers=(
            Answer(prompt_id="2", model="new", text="雨 😀\r", sample=3, finish_reason="length"),
            Answer(prompt_id="2", model="old", text='"'),
            Answer(prompt_id="1", model="new", text="b"),
            Answer(prompt_id="1", model="old", text="c", sample=1),
        ),
        dropped=(
            Dropped(reason="empty", prompt_id="9", model="old", sample=2, where="a.csv:4"),
            Dropped(reason="missing"),
        ),
        source="two files",
    )


def test_round_trip(responses: Responses, tmp_path: Path) -> None:
    folder = save(responses, tmp_path / "deep" / "run")
    assert open_folder(folder) == responses
    assert sorted(p.name for p in folder.iterdir()) == [
        "prompts.jsonl",
        "responses.jsonl",
        "responses.meta.json",
    ]
    save(responses.swapped(), folder)
    assert open_folder(folder) == responses.swapped()


def test_lines_are_as_documented(responses: Responses, tmp_path: Path) -> None:
    save(responses, tmp_path)
    lines = (tmp_path / "responses.jsonl").read_text(encoding="utf-8").split("\n")
    assert json.loads(lines[0]) == {
        "prompt_id": "1", "model": "new", "sample": 0, "text": "b", "finish_reason": None,
    }  # fmt: skip
    assert json.loads(lines[4])["dropped"] == "empty"
    assert len(lines) == 4 + 2 + 1


def test_a_saved_run_is_read_as_answers(tmp_path: Path) -> None:
    old = [{"prompt": p, "text": t} for p, t in (("a", "A"), ("b", "B"), ("c", ""))]
    new = [{"prompt": p, "text": t} for p, t in (("a", "X"), ("b", "Y"), ("c", "Z"))]
    first = load(old, new, names=("v1", "v2"))
    save(first, tmp_path)
    again = load(f"{tmp_path}#v1", f"{tmp_path / 'responses.jsonl'}#v2")
    assert again.answers == first.answers
    assert again.prompts.prompts == first.prompts.prompts
    assert again.models == first.models
    assert again.counts == first.counts


def test_a_run_made_from_logs_keeps_every_count(tmp_path: Path) -> None:
    data = Path(__file__).parent / "data"
    first = load(data / "harbour-1.eval", data / "harbour-2.eval")
    assert open_folder(save(first, tmp_path)) == first
    again = load(f"{tmp_path}#{first.before}", f"{tmp_path}#{first.after}")
    assert (again.answers, again.counts) == (first.answers, first.counts)


def test_a_failed_write_leaves_the_old_file(responses: Responses, tmp_path: Path) -> None:
    save(responses, tmp_path)
    broken = Responses(
        prompts=responses.prompts,
        models=("new", "old", "silent"),
        answers=(*responses.answers[:2], Answer(prompt_id="2", model="old", text="half \ud83d")),
    )
    with pytest.raises(UnicodeEncodeError):
        save(broken, tmp_path)
    assert open_folder(tmp_path) == responses
    assert not list(tmp_path.glob(".*"))


def test_damage_is_named(responses: Responses, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no prompts\.jsonl; .*collect or load them again"):
        open_folder(tmp_path)
    save(responses, tmp_path)
    path = tmp_path / "responses.jsonl"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-20], encoding="utf-8")
    with pytest.raises(StoreError, match=r"damaged run folder .*responses\.jsonl:6: not valid JSON"):
        open_folder(tmp_path)
    path.write_text("".join(whole.splitlines(keepends=True)[1:]), encoding="utf-8")
    with pytest.raises(StoreError, match=r"has 3 answers and 2 dropped ones, .* says 4 and 2; .*save"):
        open_folder(tmp_path)
    path.write_text(whole.replace('"sample": 3, ', ""), encoding="utf-8")
    with pytest.raises(StoreError, match=r"damaged run folder .*KeyError 'sample'"):
        open_folder(tmp_path)
    sheet = tmp_path / "responses.meta.json"
    sheet.write_text(sheet.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(StoreError, match=r"is of schema 2, this version reads 1; read it"):
        open_folder(tmp_path)
