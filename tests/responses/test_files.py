"""What is read from each format, and how malformed files are refused: file, line and remedy."""

import json
from pathlib import Path

import pandas as pd
import pytest

from whatchanged.errors import InputError
from whatchanged.responses import load

ROWS = [
    {"prompt": "Name a river", "old": "The Rhine, perhaps.\nOr the Ebro.", "new": 'The "Po"'},
    {"prompt": "Name a hill", "old": "Arthur's Seat", "new": "Gellért"},
]
CSV = (
    'prompt,old,new\nName a river,"The Rhine, perhaps.\nOr the Ebro.","The ""Po"""\n'
    "Name a hill,Arthur's Seat,Gellért\n"
)


def texts(path: Path) -> set[tuple[str, str, str]]:
    responses = load(f"file:{path}#old", f"file:{path}#new")
    assert responses.models == ("old", "new")
    prompt = responses.prompts.by_id
    return {(prompt[a.prompt_id].text, a.model, a.text) for a in responses.answers}


EXPECTED = {(r["prompt"], model, r[model]) for r in ROWS for model in ("old", "new")}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", CSV.encode()),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("crlf.csv", CSV.replace("\n", "\r\n").encode()),
        ("blank.csv", CSV.replace("Name a hill", "\nName a hill").encode()),
        ("a.tsv", CSV.replace("Rhine, ", "Rhine; ").replace(",", "\t").replace(";", ",").encode()),
        ("a.jsonl", "\n\n".join(json.dumps(r) for r in ROWS).encode()),
        ("a.ndjson", "\r\n".join(json.dumps(r, ensure_ascii=False) for r in ROWS).encode()),
        ("a.json", json.dumps(ROWS, indent=2).encode()),
        ("lines.json", "\n".join(json.dumps(r) for r in ROWS).encode()),
        ("UPPER.CSV", CSV.replace("prompt,old,new", " Prompt ,old,new").encode()),
        ("with#hash.csv", CSV.encode()),
    ],
)
def test_every_text_format_reads_the_same(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert texts(tmp_path / name) == EXPECTED


def test_parquet(tmp_path: Path) -> None:
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    assert texts(tmp_path / "a.parquet") == EXPECTED


def test_line_separator_inside_a_json_string_is_no_line_end(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "old": "one\u2028two", "new": "x"}]
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0], ensure_ascii=False), encoding="utf-8")
    assert {t for _, _, t in texts(tmp_path / "a.jsonl")} == {"one\u2028two", "x"}


def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "p", "old": "ok \\ud83d", "new": "\\ud83d\\ude00"}')
    assert {t for _, _, t in texts(tmp_path / "a.jsonl")} == {"ok \ufffd", "😀"}


def test_a_very_long_field_is_read_and_the_limit_put_back(tmp_path: Path) -> None:
    import csv

    limit = csv.field_size_limit()
    long = "word " * 60_000
    (tmp_path / "a.csv").write_text(f"prompt,old,new\np,{long},short\n")
    assert max(len(t) for _, _, t in texts(tmp_path / "a.csv")) == len(long)
    assert csv.field_size_limit() == limit


BAD = [
    (
        "a.csv",
        b"prompt,old,new\np,1,2\nq,1,2,3\n",
        r"^a\.csv:3: 4 fields, but the header has 3 .*double quotes",
    ),
    ("a.csv", b'prompt,old,new\n"p\n",1,2\nq,1\n', r"^a\.csv:4: 2 fields"),
    ("a.csv", b'prompt,old,new\np,1,"never\nclosed\n', r"^a\.csv:2: the row that begins here .*close every"),
    ("a.csv", b"prompt,old,new\np,caf\xe9,2\n", r"^a\.csv:2: byte 0xe9 at offset 20 is not UTF-8; .*iconv"),
    ("a.csv", "prompt,old,new\n".encode("utf-16"), r"^a\.csv: the file is UTF-16.*convert"),
    ("a.csv", b"prompt,old,new\np,\0,2\n", r"^a\.csv:2: NUL byte at offset 17.*write it again"),
    ("a.csv", b"prompt,old,new,old\n", r"^a\.csv:1: column names \['old'\] occur more than once; rename"),
    ("a.csv", b"prompt;old;new\np;1;2\n", r"^a\.csv:1: only one column, 'prompt;old;new'.*commas"),
    ("a.csv", b"prompt,old,new\n", r"^a\.csv: no rows"),
    ("a.jsonl", b'{"prompt": "p"}\n\n{"prompt": \n', r"^a\.jsonl:3: not valid JSON.*one complete object"),
    ("a.jsonl", b'{"prompt": "p"}\n["p"]\n', r"^a\.jsonl:2: expected an object with named columns; got list"),
    ("a.jsonl", b'{"old": "p", "old": "q"}\n', r"^a\.jsonl:1: keys \['old'\] occur more than once.*rename"),
    ("a.json", b'[\n{"prompt": "p"},\n{"prompt": }\n]', r"^a\.json:3: not valid JSON .*correct item 1"),
    ("a.json", b'[\n{"prompt": "p"},\n7\n]', r"^a\.json:3: expected an object with named columns; got int"),
    ("a.json", b'[\n{"prompt": "p"}\n', r"^a\.json:3: the array is not continued or closed after item 0"),
    ("a.json", b'[{"prompt": "p"}]\nmore', r"^a\.json:2: text after the end of the array: 'more'; remove"),
    ("a.json", b'"text"', r'^a\.json:1: expected an array of objects.*write \[\{"prompt"'),
    ("a.parquet", b"PAR1 no", r"^a\.parquet: not a readable Parquet file .*convert"),
    ("a.xlsx", b"", r"^a\.xlsx: cannot tell the format from the ending '\.xlsx'; use one of \.csv"),
    ("a.csv", b"prompt,text,response\np,1,2\n", r"no column 'old'; the columns are prompt, text, response"),
    ("a.csv", b"question,prompt,old,new\np,q,1,2\n", r"^a\.csv: prompts could be in prompt or question;"),
    (
        "a.csv",
        b"topic,old,new\np,1,2\n",
        r"^a\.csv: no column of prompts \(prompt, instruction.*topic, old, new",
    ),
    (
        "a.csv",
        b"prompt,id,sample,old,new\np,1,first,a,b\n",
        r"^a\.csv:2: sample must be a whole number.*'first'",
    ),
    ("a.csv", b"prompt,id,old,new\np,1,a,b\n,,a,b\n", r"^a\.csv:3: neither a prompt id nor a prompt; fill"),
    ("a.csv", b"prompt,old,new\np,,b\nq,,b\n", r"^a\.csv#old: no usable answer in column 'old' \(2 empty\)"),
    (
        "a.jsonl",
        b'{"prompt": [{"role": "user"}], "old": "a", "new": "b"}',
        r"^a\.jsonl:1: a chat prompt must be",
    ),
]


@pytest.mark.parametrize(("name", "data", "message"), BAD)
def test_malformed_files_are_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        load(f"file:{tmp_path / name}#old", tmp_path / f"{name}#new")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*nowhere\.csv; check the path"):
        load(tmp_path / "nowhere.csv", tmp_path / "nowhere.csv")


def test_ambiguous_answers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,text,response\np,1,2\n")
    with pytest.raises(InputError, match=r"answers could be in text or response.*file:a\.csv#COLUMN"):
        load(tmp_path / "a.csv", tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("prompt,first,second\np,1,2\n")
    with pytest.raises(InputError, match=r"no column of answers .*prompt, first, second.*file:b\.csv#COLUMN"):
        load(tmp_path / "b.csv", tmp_path / "b.csv")


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"cannot read answers from int; pass a path"):
        load(3, 4)
    with pytest.raises(InputError, match=r"^before\[0\]: expected a dict of columns; got str"):
        load(["text"], ["text"])
    with pytest.raises(ValueError, match=r"after is an empty list"):
        load([{"prompt": "p", "text": "a"}], [])
    repeated = pd.DataFrame([["p", "a", "b"]], columns=["prompt", "text", "text"])
    with pytest.raises(InputError, match=r"^before: column names \['text'\] occur more than once"):
        load(repeated, repeated)
