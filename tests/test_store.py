"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatchanged import store
from whatchanged.errors import StoreError


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    store.write_json(target, {"x": 1})

    def fail(path: Path) -> None:
        with store.atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail(target)
    assert store.read_json(target) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_damaged_and_missing_json_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run the stage that writes it first"):
        store.read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(StoreError, match="delete it and run the stage again"):
        store.read_json(tmp_path / "bad.json")


def test_fingerprint_ignores_the_order_of_keys_only() -> None:
    assert store.fingerprint({"a": 1, "b": [1, 2]}) == store.fingerprint({"b": [1, 2], "a": 1})
    assert store.fingerprint({"a": [1, 2]}) != store.fingerprint({"a": [2, 1]})
    with pytest.raises(ValueError, match="Out of range"):
        store.fingerprint({"a": float("nan")})


def test_cache_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path / "c"))
    assert store.cache_folder() == tmp_path / "c"
    assert not (tmp_path / "c").exists()


def test_link_shares_content_and_keeps_what_is_there(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "d" / "t"
    source.write_text("one")
    store.link_or_copy(source, target)
    assert target.read_text() == "one"
    other = tmp_path / "o"
    other.write_text("two")
    store.link_or_copy(other, target)
    assert target.read_text() == "one"
