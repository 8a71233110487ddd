"""Labels in the forms in which they are published, from files and over HTTP."""

from __future__ import annotations

import gzip
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from whatchanged.errors import InputError
from whatchanged.interpret.imported import read_labels


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def line(index: int, text: str | None, layer: str = "12-res-16k") -> str:
    return json.dumps(
        {"modelId": "gemma", "layer": layer, "index": str(index), "description": text, "more": [1]}
    )


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    folder = tmp_path / "explanations"
    folder.mkdir()
    parts = [
        [line(0, " ends with\n a question "), line(1, "hedges"), line(2, None)],
        [line(1, "hedging again"), line(10, "lists"), line(3, "another layer", layer="5-res-16k")],
    ]
    for number, part in zip((2, 10), parts, strict=True):  # batch-10 comes after batch-2
        (folder / f"batch-{number}.jsonl.gz").write_bytes(gzip.compress("\n".join(part).encode()))
    return folder


def test_a_folder_of_batches_keeps_the_first_label_and_counts_the_rest(batches: Path) -> None:
    found = read_labels(batches, of="gemma/12-res-16k")
    assert found.texts == {0: "ends with a question", 1: "hedges", 10: "lists"}
    assert found.dropped == {"empty": 1, "repeated": 1, "other_source": 1}
    assert read_labels(batches, of="5-res-16k").texts == {3: "another layer"}


def test_batches_are_fetched_until_one_is_missing(batches: Path) -> None:
    for i, path in enumerate(sorted(batches.iterdir())):
        path.rename(batches / f"batch-{i}.jsonl.gz")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(batches)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert len(read_labels(url).texts) == 4
        assert read_labels(f"{url}/batch-0.jsonl.gz").texts.keys() <= {0, 1, 10, 3}
        with pytest.raises(InputError, match="HTTP 404"):
            read_labels(f"{url}/nothing")
    finally:
        server.shutdown()
        server.server_close()


def test_a_map_and_a_table_are_read(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text('{"7": "politeness", "65535": "code"}')
    assert read_labels(tmp_path / "map.json", width=65536).texts == {7: "politeness", 65535: "code"}
    (tmp_path / "t.csv").write_text('index,description\n4,"one, two"\n5,\n')
    found = read_labels(tmp_path / "t.csv")
    assert (found.texts, found.dropped) == ({4: "one, two"}, {"empty": 1})
    assert found.source == "imported from t.csv"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[1]", "map of feature to label; got list"),
        ("a.json", "{", "no JSON"),
        ("a.json", '{"x": "y"}', "a whole number from 0; got 'x'"),
        ("a.json", '{"9000": "y"}', "beyond the SAE's 8,192"),
        ("a.json", '{"1": ""}', "no label was found"),
        ("a.csv", "a,b\n1,2\n", "are needed; got"),
        ("a.jsonl", '{"index": "1", "description": "x"}\n{"description": "x"}\n', "a.jsonl:2"),
        ("a.jsonl.gz", "no gzip", "cannot be read"),
        ("a.txt", "x", "labels come as"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as refused:
        read_labels(tmp_path / name, width=8192)
    assert said in str(refused.value)
    assert name.split(".")[0] in str(refused.value)
