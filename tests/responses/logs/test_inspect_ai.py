"""Logs inspect-ai itself wrote: prompts, final answers, epochs, errors, filters, tools."""

import json
import zipfile
from pathlib import Path

import pytest

from whatchanged.artifacts import Responses
from whatchanged.errors import InputError
from whatchanged.responses import load

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def archives() -> Responses:
    return load(DATA / "harbour-1.eval", f"file:{DATA / 'harbour-2.eval'}")


def test_everything_in_the_log_is_an_answer_or_counted(archives: Responses) -> None:
    assert archives.models == ("mockllm/harbour-1", "mockllm/harbour-2")
    texts = {(a.prompt_id, a.model[-1], a.sample): a.text for a in archives.answers}
    assert texts == {
        ("7", "1", 0): "The tide is low.", ("7", "1", 1): "The tide is low.",
        ("7", "2", 0): "The tide is high.", ("7", "2", 1): "The tide is high.",
        ("boats", "1", 0): "1 boats come home, take 2.", ("boats", "1", 1): "1 boats come home, take 9.",
        ("boats", "2", 0): "2 boats come home, take 2.", ("boats", "2", 1): "2 boats come home, take 9.",
        ("harbour", "1", 0): "It is a small harbour of type 1, take 1.",
        ("harbour", "1", 1): "It is a small harbour of type 1, take 8.",
        ("harbour", "2", 0): "It is a small harbour of type 2, take 1.",
        ("harbour", "2", 1): "It is a small harbour of type 2, take 8.",
        **{("parts", n, s): f"First part. \nSecond part, v{n}." for n in "12" for s in (0, 1)},
    }  # fmt: skip
    # Per model: a tool call and a reasoning part in each of two epochs.
    assert archives.counts == {"errored": 2, "part": 8, "refused_by_api": 4, "truncated": 4, "unpaired": 2}
    assert {d.where for d in archives.dropped if d.reason == "errored"} == {
        f"harbour-1.eval:samples/storm_epoch_{epoch}.json" for epoch in (1, 2)
    }
    prompt = archives.prompts.by_id
    assert prompt["boats"].text == "system: Be brief.\n\nuser: How many boats come home?"
    assert prompt["7"].text == "Use tools: what is the tide?"
    assert prompt["harbour"].category == "places"


def test_the_json_log_says_the_same(archives: Responses) -> None:
    as_json = load(DATA / "harbour-1.json", DATA / "harbour-2.json")
    assert as_json.answers == archives.answers
    assert as_json.prompts.prompts == archives.prompts.prompts
    assert as_json.counts == archives.counts


def test_answers_are_what_inspect_calls_the_completion(archives: Responses) -> None:
    log = json.loads((DATA / "harbour-2.json").read_text())
    said = {
        (str(s["id"]), s["epoch"] - 1): s["output"]["completion"]
        for s in log["samples"]
        if not s.get("error")
    }
    for answer in archives.answers:
        if answer.model.endswith("2"):
            assert said[answer.prompt_id, answer.sample] == answer.text


def written(tmp_path: Path, name: str = "log.json", **changes: object) -> Path:
    """A log with one sample changed, as JSON."""
    log = json.loads((DATA / "harbour-1.json").read_text())
    sample = next(s for s in log["samples"] if s["id"] == "harbour" and s["epoch"] == 1)
    log["samples"] = [sample | changes]
    (tmp_path / name).write_text(json.dumps(log))
    return tmp_path / name


def test_a_sample_stopped_by_a_limit_is_truncated(tmp_path: Path) -> None:
    path = written(tmp_path, limit={"type": "token", "limit": 10, "usage": 11})
    (answer, _) = load(path, DATA / "harbour-2.json").answers[:2]
    assert (answer.finish_reason, answer.truncated) == ("length", True)


def test_choices_are_samples_and_attachments_are_looked_up(tmp_path: Path) -> None:
    def choice(text: str, stop: str = "stop") -> dict[str, object]:
        return {"message": {"role": "assistant", "content": text}, "stop_reason": stop}

    path = written(
        tmp_path,
        epoch=2,
        output={"model": "m", "choices": [choice("attachment://abc"), choice("short", "model_length")]},
        attachments={"abc": "the long text"},
    )
    first = [a for a in load(path, DATA / "harbour-2.json").answers if a.model.endswith("1")]
    assert [(a.sample, a.text, a.truncated) for a in first] == [
        (2, "the long text", False),
        (3, "short", True),
    ]


def test_shuffled_samples_change_nothing(tmp_path: Path, archives: Responses) -> None:
    log = json.loads((DATA / "harbour-1.json").read_text())
    log["samples"].reverse()
    (tmp_path / "turned.json").write_text(json.dumps(log, indent=2))
    turned = load(tmp_path / "turned.json", DATA / "harbour-2.eval")
    assert (turned.answers, turned.prompts.prompts) == (archives.answers, archives.prompts.prompts)


def test_a_run_that_broke_off_is_read_from_its_journal(tmp_path: Path) -> None:
    """Without the header, and stored without compression."""
    log = json.loads((DATA / "harbour-1.json").read_text())
    with zipfile.ZipFile(tmp_path / "part.eval", "w") as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"]}))
        for sample in log["samples"][:3]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    responses = load(tmp_path / "part.eval", DATA / "harbour-2.eval")
    assert {(a.prompt_id, a.sample) for a in responses.answers if a.model.endswith("1")} == {
        ("7", 0), ("boats", 0), ("harbour", 0)
    }  # fmt: skip


def test_damage_is_named(tmp_path: Path) -> None:
    whole = (DATA / "harbour-1.eval").read_bytes()
    (tmp_path / "cut.eval").write_bytes(whole[:4000])
    with pytest.raises(
        InputError, match=r"^cut\.eval: the archive is damaged or was cut off .*copy it again"
    ):
        load(tmp_path / "cut.eval", DATA / "harbour-2.eval")
    with zipfile.ZipFile(DATA / "harbour-1.eval") as archive:
        member = archive.getinfo("samples/parts_epoch_1.json")
    middle = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    (tmp_path / "flipped.eval").write_bytes(
        whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    )
    with pytest.raises(InputError, match=r"^flipped\.eval: the archive is damaged"):
        load(tmp_path / "flipped.eval", DATA / "harbour-2.eval")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("answers.csv", "prompt,text\n")
    with pytest.raises(InputError, match=r"^other\.zip: a zip archive, but no log of Inspect .*unpack it"):
        load(tmp_path / "other.zip", DATA / "harbour-2.eval")
    with pytest.raises(
        InputError, match=r"^log\.json sample 0: not a sample of Inspect .*\(epoch: .*export the log"
    ):
        load(written(tmp_path, epoch="first"), DATA / "harbour-2.eval")
    (tmp_path / "empty.json").write_text('{"version": 2, "status": "started", "eval": {"model": "m"}}')
    with pytest.raises(InputError, match=r"^empty\.json: the log holds no answers; let the run finish"):
        load(tmp_path / "empty.json", DATA / "harbour-2.eval")
    with pytest.raises(InputError, match=r"no model 'x' in this log; it has mockllm/harbour-1"):
        load(f"{DATA / 'harbour-1.eval'}#x", DATA / "harbour-2.eval")
