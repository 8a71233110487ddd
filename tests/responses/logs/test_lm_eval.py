"""Samples lm-evaluation-harness itself wrote: repeats, filters, multiple choice."""

import json
from pathlib import Path
from typing import Any

import pytest

from whatchanged.errors import InputError
from whatchanged.responses import load

DATA = Path(__file__).parents[1] / "data" / "lm_eval"
ONE, TWO = (DATA / f"harbour-{n}" / "samples_harbour.jsonl" for n in (1, 2))


def test_the_models_own_words_are_read_once_whatever_the_filters() -> None:
    responses = load(ONE, TWO)
    assert responses.models == ("harbour-1", "harbour-2")
    assert {(a.prompt_id, a.model, a.sample, a.text) for a in responses.answers} == {
        (doc, f"harbour-{n}", take - 1, f" harbour-{n} says: the Keeper, take {take}.")
        for doc in ("0", "1")
        for n in (1, 2)
        for take in (1, 2)
    }
    # Document 2, about boats, got two empty answers from the second model.
    assert responses.counts == {"empty": 2, "unpaired": 2}
    assert responses.prompts.by_id["0"].text == "Question: What is the tide?\nAnswer:"
    assert [p.category for p in responses.prompts] == ["sea", "land"]


def test_a_filter_can_be_chosen() -> None:
    responses = load(f"{ONE}#all", f"{TWO}#strict")
    assert {a.text for a in responses.answers if a.model == "harbour-1"} == {
        f" harbour-1 says: the keeper, take {take}." for take in (1, 2)
    }
    assert {(a.sample, a.text) for a in responses.answers if a.model == "harbour-2"} == {
        (0, "harbour"),
        (0, "[invalid]"),  # what the harness's regex filter makes of an empty answer
    }
    with pytest.raises(InputError, match=r"^samples_harbour\.jsonl: no filter 'x'; the file has strict, all"):
        load(f"{ONE}#x", TWO)


def test_scored_choices_are_no_answers() -> None:
    with pytest.raises(
        InputError, match=r"^samples_tides\.jsonl:1: the task scores given choices.*generate_until"
    ):
        load(DATA / "harbour-1" / "samples_tides.jsonl", TWO)


def rewritten(tmp_path: Path, **changes: Any) -> Path:
    rows = [json.loads(line) for line in ONE.read_text().splitlines()]
    path = tmp_path / "samples_changed.jsonl"
    path.write_text("\n".join(json.dumps(row | changes) for row in rows))
    return path


def test_chats_and_the_older_layout_of_arguments(tmp_path: Path) -> None:
    chat = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "The tide?"}])
    for arguments in ({"gen_args_0": {"arg_0": [chat], "arg_1": {"until": []}}}, [[[chat], {"until": []}]]):
        path = rewritten(tmp_path, arguments=arguments)
        assert {p.text for p in load(path, path).prompts} == {"system: Be brief.\n\nuser: The tide?"}


def test_one_document_in_two_chat_templates_is_one_prompt(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in ONE.read_text().splitlines()]
    for row in rows:
        row["arguments"]["gen_args_0"]["arg_0"] = f"<user>{row['doc']['question']}</user>"
    path = tmp_path / "samples_harbour.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    responses = load(ONE, path)
    assert [p.text for p in responses.prompts][:1] == ["Question: What is the tide?\nAnswer:"]
    assert len(responses.prompts) == 3
    rows[0]["doc_hash"] = "of another document"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match=r"^samples_harbour\.jsonl:1: prompt id '0' stands for two texts"):
        load(ONE, path)


def test_shuffled_lines_change_nothing(tmp_path: Path) -> None:
    lines = ONE.read_text().splitlines()
    (tmp_path / "harbour-1").mkdir()
    turned = tmp_path / "harbour-1" / ONE.name
    turned.write_text("\n".join(lines[::-1]))
    assert load(f"{turned}#strict", TWO).answers == load(f"{ONE}#strict", TWO).answers


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    lines = ONE.read_text().splitlines()
    lines[1] = lines[1].replace('"resps": [', '"resps": "', 1).replace("]]", '"', 1)
    (tmp_path / "bad.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"^bad\.jsonl:2: not"):
        load(tmp_path / "bad.jsonl", TWO)
    path = rewritten(tmp_path, resps="none")
    with pytest.raises(
        InputError, match=r"^samples_changed\.jsonl:1: not a sample of lm-eval.*\(resps: .*delete"
    ):
        load(path, TWO)
