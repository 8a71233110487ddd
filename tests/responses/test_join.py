"""Joining by id or text, never by position; nothing is lost in silence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatchanged.artifacts import Prompt, PromptSet, Responses
from whatchanged.errors import InputError
from whatchanged.responses import load


def side(answers: dict[Any, str], key: str = "prompt") -> list[dict[str, Any]]:
    return [{key: name, "text": text} for name, text in answers.items()]


def table(responses: Responses) -> set[tuple[str, str, int, str]]:
    prompt = responses.prompts.by_id
    return {(prompt[a.prompt_id].text, a.model, a.sample, a.text) for a in responses.answers}


def reasons(responses: Responses) -> set[tuple[str, str | None, str | None, str | None]]:
    return {(d.reason, d.prompt_id, d.model, d.where) for d in responses.dropped}


def test_rows_meet_by_text_whatever_their_order() -> None:
    old, new = side({"a": "A1", "b": "B1", "c": "C1"}), side({" c ": "C2", "a\r\n": "A2", "b": "B2"})
    responses = load(old, new)
    assert table(responses) == {
        (p, model, 0, p.upper() + n) for p in "abc" for model, n in (("before", "1"), ("after", "2"))
    }
    assert responses == load(old[::-1], [new[1], new[2], new[0]]), "shuffled rows change nothing"
    assert responses.source.endswith("joined by prompt text")
    assert responses.prompts.prompts[0].id.startswith("p-")
    assert len(responses.prompts.prompts[0].id) == 14


def test_numeric_and_text_ids_are_the_same() -> None:
    old = pd.DataFrame({"id": [10, 2, 1], "prompt": ["x", "y", "z"], "output": ["X", "Y", "Z"]})
    new = [{"id": "1", "text": "Z!"}, {"id": 2.0, "text": "Y!"}, {"id": "10", "text": "X!"}]
    responses = load(old, new)
    assert [p.id for p in responses.prompts] == ["1", "2", "10"]
    assert ("x", "after", 0, "X!") in table(responses)
    assert responses.source.endswith("joined by prompt id")


def test_ids_that_never_meet_fall_back_to_texts() -> None:
    old = [{"id": "r1", "prompt": "x", "text": "X"}, {"id": "r2", "prompt": "y", "text": "Y"}]
    new = [{"id": "s1", "prompt": "y", "text": "Y!"}, {"id": "s2", "prompt": "x", "text": "X!"}]
    responses = load(old, new)
    assert {t for _, _, _, t in table(responses)} == {"X", "Y", "X!", "Y!"}
    assert responses.source.endswith("joined by prompt text")
    unnamed = pd.DataFrame({"id": [np.nan, "r2"], "prompt": ["x", "y"], "text": ["X", "Y"]})
    assert table(load(unnamed, new)) == table(responses)


def test_one_id_with_two_texts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,prompt,text\n1,Name a hill,A\n2,Name a lake,B\n")
    (tmp_path / "b.csv").write_text("id,prompt,text\n1,Name a lake,B\n2,Name a hill,A\n")
    message = r"^b\.csv:2: prompt id '1' .* 'Name a hill' in a\.csv:2, 'Name a lake' here; .*remove the id"
    with pytest.raises(InputError, match=message):
        load(tmp_path / "a.csv", tmp_path / "b.csv")


def test_no_prompt_in_common() -> None:
    with pytest.raises(
        InputError, match=r"no prompt was answered by two.*before has 'a', after has 'b'; give both"
    ):
        load(side({"a": "A"}), side({"b": "B"}))
    with pytest.raises(InputError, match=r"prompt id '1' is in no other file.*add a prompt column"):
        load(side({1: "A"}, "id"), side({2: "B"}, "id"))
    with pytest.raises(InputError, match=r"prompt '1' has no text in any file; .*pass prompts="):
        load(side({1: "A"}, "id"), side({1: "B"}, "id"))


def test_everything_left_out_is_named(tmp_path: Path) -> None:
    before = [
        {"id": "ok", "prompt": "p1", "text": "fine", "finish_reason": "length"},
        {"id": "ok", "prompt": "p1", "text": "fine", "finish_reason": "stop"},
        {"id": "void", "prompt": "p2", "text": "  \n"},
        {"id": "none", "prompt": "p3", "text": None},
        {"id": "number", "prompt": "p4", "text": 7},
        {"id": "fail", "prompt": "p5", "text": "half an ans", "error": "timeout"},
        {"id": "alone", "prompt": "p6", "text": "fine"},
    ]
    (tmp_path / "old.jsonl").write_text("\n".join(map(json.dumps, before)))
    after = {"ok": "good", "void": "good", "none": "good", "number": "good", "fail": "good", "extra": "good"}
    responses = load(tmp_path / "old.jsonl", side(after, "id"), names=("old", "new"))
    assert [a.text for a in responses.answers] == ["fine", "good"]
    assert reasons(responses) == {
        ("duplicate", "ok", "old", "old.jsonl:2"),
        ("empty", "void", "old", "old.jsonl:3"),
        ("missing", "none", "old", "old.jsonl:4"),
        ("missing", "number", "old", "old.jsonl:5"),
        ("errored", "fail", "old", "old.jsonl:6"),
        ("missing", "extra", "old", None),
        ("missing", "alone", "new", None),
        ("unpaired", "alone", "old", None),
        *(("unpaired", p, "new", None) for p in ("void", "none", "number", "fail", "extra")),
    }
    assert responses.counts == {
        "duplicate": 1, "empty": 1, "errored": 1, "missing": 4, "unpaired": 6, "truncated": 1,
    }  # fmt: skip
    rows_in = len(before) + len(after)
    derived = sum(d.reason == "missing" and d.where is None for d in responses.dropped)
    assert len(responses.answers) + len(responses.dropped) - derived == rows_in


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT, "", False])
def test_an_absent_error_is_no_error(nothing: object) -> None:
    old = [{"prompt": "a", "text": "A", "error": nothing}]
    assert load(old, side({"a": "B"})).dropped == ()


def test_nan_answers_are_missing() -> None:
    frame = pd.DataFrame({"prompt": ["a", "b"], "text": ["A", np.nan]})
    assert load(frame, side({"a": "x", "b": "y"})).counts == {"missing": 1, "unpaired": 1}


def test_samples() -> None:
    old = [{"prompt": "a", "text": t} for t in ("one", "two", "one", "three")]
    new = [{"prompt": "a", "text": t, "sample": s} for t, s in (("x", 4), ("x", 1), ("y", "1"), ("z", 0.0))]
    responses = load(old, new)
    assert table(responses) == {
        ("a", "before", 0, "one"), ("a", "before", 1, "two"), ("a", "before", 2, "three"),
        ("a", "after", 4, "x"), ("a", "after", 1, "x"), ("a", "after", 0, "z"),
    }  # fmt: skip
    assert {(d.reason, d.model, d.sample, d.where) for d in responses.dropped} == {
        ("duplicate", "before", None, "before[2]"),
        ("duplicate", "after", 1, "after[2]"),
    }


def test_a_failed_sample_that_was_asked_again() -> None:
    old = [
        {"prompt": "a", "sample": 0, "text": None, "error": "overloaded"},
        {"prompt": "a", "sample": 0, "text": "A", "error": None},
    ]
    responses = load(old, side({"a": "B"}))
    assert ("a", "before", 0, "A") in table(responses)
    assert responses.counts == {"errored": 1}


def test_alpaca_eval_layout(tmp_path: Path) -> None:
    for model in ("small-v1", "small-v2"):
        rows = [
            {"instruction": p, "output": f"{model} on {p}", "generator": model, "dataset": "home"}
            for p in ("a", "b")
        ]
        (tmp_path / model).mkdir()
        (tmp_path / model / "model_outputs.json").write_text(json.dumps(rows, indent=1))
    files = [tmp_path / m / "model_outputs.json" for m in ("small-v1", "small-v2")]
    responses = load(*files)
    assert responses.models == ("small-v1", "small-v2")
    assert {p.category for p in responses.prompts} == {"home"}
    assert load(files[0], files[0]).models == ("small-v1 (before)", "small-v1 (after)")
    assert load(*files, names=["a", "b"]).models == ("a", "b")
    with pytest.raises(
        ValueError, match=r"names must be 2 distinct words, one per checkpoint; got \('a', 'a'\)"
    ):
        load(*files, names=("a", "a"))


def test_instruction_and_input_are_one_prompt() -> None:
    def rows(mark: str) -> list[dict[str, str]]:
        return [{"instruction": "Translate", "input": w, "output": w + mark} for w in ("cat", "dog", "")]

    responses = load(rows("1"), rows("2"))
    assert {p.text for p in responses.prompts} == {"Translate\n\ncat", "Translate\n\ndog", "Translate"}
    assert len(responses.answers) == 6


def test_chat_prompts_become_text() -> None:
    one = [{"role": "user", "content": "Hello"}]
    two = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    frame = pd.DataFrame({"prompt": [np.array(one, dtype=object), two], "text": ["A", "B"]})
    responses = load(frame, side({"Hello": "C", "system: Be brief.\n\nuser: Hi": "D"}))
    assert len(responses.prompts) == 2


def test_hugging_face_dataset() -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list(side({"a": "A", "b": "B"}))
    assert len(load(data, side({"b": "C", "a": "D"})).prompts) == 2
    with pytest.raises(
        InputError, match=r"several splits \['test', 'train'\]; choose one, such as dataset\['test'\]"
    ):
        load(datasets.DatasetDict({"train": data, "test": data}), data)


def test_frame_indexed_by_id() -> None:
    frame = pd.DataFrame({"prompt": ["a"], "text": ["A"]}, index=pd.Index(["q7"], name="prompt_id"))
    assert [p.id for p in load(frame, side({"a": "B"})).prompts] != ["q7"], "the other side has no ids"
    assert [p.id for p in load(frame, side({"q7": "B"}, "prompt_id")).prompts] == ["q7"]


def test_more_than_two_sides() -> None:
    responses = load(
        side({"a": "1", "b": "1"}), [side({"a": "2", "c": "2"}), side({"b": "3", "c": "3", "d": "3"})]
    )
    assert responses.models == ("before", "after", "after-2")
    assert {p.text for p in responses.prompts} == {"a", "b", "c"}, "answered by any two"
    assert responses.counts == {"missing": 5, "unpaired": 1}


def test_models_in_one_long_file(tmp_path: Path) -> None:
    rows = [{"prompt": p, "model": m, "text": p + m} for p in ("a", "b") for m in ("v1", "v2")]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    responses = load(f"{path}#v1", f"{path}#v2")
    assert responses.models == ("v1", "v2")
    assert {a.text for a in responses.answers} == {"av1", "av2", "bv1", "bv2"}
    with pytest.raises(InputError, match=r"names several models \(v1, v2\); choose one: file:long\.jsonl#v1"):
        load(path, path)
    with pytest.raises(InputError, match=r"no column 'v3' and no such model \(v1, v2\); the columns are"):
        load(f"{path}#v3", path)


def test_given_prompts_choose_and_order() -> None:
    chosen = PromptSet(
        prompts=(Prompt(id="z", text="b", category="k"), Prompt(id="y", text="a"), Prompt(id="x", text="q"))
    )
    responses = load(
        side({"a": "1", "b": "1", "c": "1"}), side({"c": "2", "b": "2", "a": "2"}), prompts=chosen
    )
    assert [p.id for p in responses.prompts] == ["z", "y"]
    assert responses.prompts.by_id["z"].category == "k"
    assert responses.counts == {"missing": 2, "unlisted": 2}
    by_id = load(side({"z": "1"}, "id"), side({"z": "2", "y": "2"}, "id"), prompts=chosen)
    assert [p.text for p in by_id.prompts] == ["b"]
    with pytest.raises(
        InputError, match=r"prompt id 'z' stands for two texts: 'b' in the prompts, 'other' here"
    ):
        load([{"id": "z", "prompt": "other", "text": "1"}], side({"z": "2"}, "id"), prompts=chosen)


def test_near_duplicate_prompts_share_a_cluster() -> None:
    names = [
        "What is the tallest peak in Peru?",
        "what is the tallest peak in peru",
        "What is the tallest peak in Chile?",
    ]
    old = [{"id": i, "prompt": p, "text": "A"} for i, p in enumerate(names)]
    assert [p.cluster for p in load(old, side({0: "B", 1: "B", 2: "B"}, "id")).prompts] == [
        "c-0",
        "c-0",
        None,
    ]
