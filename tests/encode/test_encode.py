"""Encoding: exact over order, resume and batches; cached; nothing pooled but answer tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whatchanged.artifacts import Answer, Features, Prompt, PromptSet, Responses
from whatchanged.encode import Encoder, ShardTokens, encode, open_features, save_features
from whatchanged.encode import shards as shard_files
from whatchanged.errors import StoreError

WORDS = ["river", "stone", "lamp", "winter", "garden", "paper", "quiet", "morning", "bridge", "window"]


def answer(i: int, side: str) -> str:
    rng = np.random.default_rng([i, side == "b"])
    return " ".join(rng.choice(WORDS, size=int(rng.integers(1, 24)))) + f" {i}{side}."


def responses(n: int = 300, order: np.ndarray | None = None) -> Responses:
    prompts = tuple(Prompt(id=f"p{i}", text=f"Say {WORDS[i % 10]}") for i in range(n))
    answers = [Answer(prompt_id=f"p{i}", model=m, text=answer(i, m)) for i in range(n) for m in "ab"]
    if order is not None:
        answers = [answers[i] for i in order]
    return Responses(prompts=PromptSet(prompts=prompts), models=("a", "b"), answers=tuple(answers))


@pytest.fixture
def encoder(make_sae: Callable[..., tuple[Path, Any]], tiny_model: Path) -> Encoder:
    folder, _ = make_sae("topk", k=6)
    return Encoder(str(folder), reader=str(tiny_model), limit=256, device="cpu", verify=False)


def same(a: Features, b: Features) -> bool:
    names = ("n_units", "indptr", "column", "maximum", "count", "total", "first", "last")
    return all(np.array_equal(getattr(a.occurrences, n), getattr(b.occurrences, n)) for n in names)


def test_pooled_values_are_those_of_a_plain_forward_pass(
    encoder: Encoder, tiny_model: Path, tmp_path: Path
) -> None:
    """Against an independent reading: the whole model, one document, dense features."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    data = responses(20)
    features = encode(data, encoder=encoder, cache=tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    table = features.occurrences
    for i in (0, 7, 39):
        text = data.answers[i].text
        prefix = f"User:\n{data.prompts.by_id[data.answers[i].prompt_id].text}\n\nAssistant:\n"
        head = [tokenizer.bos_token_id, *tokenizer(prefix, add_special_tokens=False)["input_ids"]]
        tail = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            hidden = model(torch.tensor([head + tail]), output_hidden_states=True).hidden_states[2]
            dense = encoder.sae.dense(hidden[0, len(head) :]).numpy()
        norms = hidden[0, len(head) :].norm(dim=1).numpy()
        dense[norms > 5 * encoder.health.median_norm] = 0
        row = slice(table.indptr[i], table.indptr[i + 1])
        assert table.n_units[i] == len(tail)
        assert table.column[row].tolist() == np.flatnonzero((dense > 0).any(axis=0)).tolist()
        active = dense[:, table.column[row]]
        np.testing.assert_allclose(table.maximum[row], active.max(axis=0), rtol=2e-3)
        np.testing.assert_allclose(table.total[row], active.sum(axis=0), rtol=2e-3)
        assert table.count[row].tolist() == (active > 0).sum(axis=0).tolist()
        assert table.first[row].tolist() == (active > 0).argmax(axis=0).tolist()
        assert table.last[row].tolist() == (len(tail) - 1 - (active[::-1] > 0).argmax(axis=0)).tolist()


def test_shuffled_rows_give_the_same_bits(encoder: Encoder, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(600)
    straight = encode(responses(), encoder=encoder, cache=tmp_path / "one")
    shuffled = encode(responses(order=order), encoder=encoder, cache=tmp_path / "two")
    assert same(straight, shuffled)
    names = [sorted(p.name for p in (tmp_path / d).iterdir()) for d in ("one", "two")]
    assert names[0] == names[1]


def test_what_the_cache_holds_changes_no_bit(encoder: Encoder, tmp_path: Path) -> None:
    whole = encode(responses(), encoder=encoder, cache=tmp_path / "fresh")
    part = encode(responses(77), encoder=encoder, cache=tmp_path / "grown")
    grown = encode(responses(), encoder=encoder, cache=tmp_path / "grown")
    assert same(whole, grown)
    assert (whole.encoded, part.encoded, grown.encoded) == (600, 154, 600 - 154)
    again = encode(responses(), encoder=encoder, cache=tmp_path / "grown")
    assert again.encoded == 0
    assert same(whole, again)


def test_interrupted_after_a_shard_it_resumes_with_the_same_bits(encoder: Encoder, tmp_path: Path) -> None:
    whole = encode(responses(), encoder=encoder, cache=tmp_path / "whole")

    class Killed(BaseException):
        pass

    calls = 0

    def stop(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if len(list((tmp_path / "cut").glob("*.json"))) == 1:
            raise Killed

    with pytest.raises(Killed):
        encode(responses(), encoder=encoder, cache=tmp_path / "cut", progress=stop)
    resumed = encode(responses(), encoder=encoder, cache=tmp_path / "cut")
    assert resumed.encoded == 600 - shard_files_in(tmp_path / "cut", first=1)
    assert same(whole, resumed)
    kept = {p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()}
    assert kept == {p.name: p.read_bytes() for p in (tmp_path / "cut").iterdir()}


def shard_files_in(folder: Path, *, first: int) -> int:
    from whatchanged.encode.plan import SHARD_DOCUMENTS

    assert len(list(folder.glob("*.parquet"))) == 3
    return first * SHARD_DOCUMENTS


def test_other_batch_sizes_agree_to_float32_precision(encoder: Encoder, tmp_path: Path) -> None:
    a = encode(responses(60), encoder=encoder, cache=tmp_path / "a", batch_tokens=4096)
    b = encode(responses(60), encoder=encoder, cache=tmp_path / "b", batch_tokens=64)
    flips = len(
        set(zip(a.occurrences.row, a.occurrences.column, strict=True))
        ^ set(zip(b.occurrences.row, b.occurrences.column, strict=True))
    )
    assert flips == 0
    np.testing.assert_allclose(a.occurrences.maximum, b.occurrences.maximum, rtol=1e-5)


def test_a_damaged_shard_is_noticed_counted_and_encoded_again(encoder: Encoder, tmp_path: Path) -> None:
    whole = encode(responses(60), encoder=encoder, cache=tmp_path)
    [shard] = tmp_path.glob("*.parquet")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    mended = encode(responses(60), encoder=encoder, cache=tmp_path)
    assert mended.health["damaged_shards"] == 1
    assert mended.encoded == 120
    assert same(whole, mended)


def test_features_survive_the_run_folder(encoder: Encoder, tmp_path: Path) -> None:
    data = responses(40)
    features = save_features(encode(data, encoder=encoder, cache=tmp_path / "cache"), tmp_path / "run")
    back = open_features(tmp_path / "run", data)
    assert same(features, back)
    assert back.fingerprint == features.fingerprint
    assert all(p.is_relative_to(tmp_path / "run") for p in back.shards)
    with pytest.raises(StoreError, match="encode again"):
        open_features(tmp_path / "run", responses(39))
    (tmp_path / "run" / "features" / "pooled.npz").write_bytes(b"")
    with pytest.raises(StoreError, match="damaged"):
        open_features(tmp_path / "run", data)


def test_token_text_and_pooled_rows_agree(encoder: Encoder, tmp_path: Path) -> None:
    prompts = (Prompt(id="p", text="Hello"),)
    text = "caf\u00e9 \U0001f600  two  spaces\n\n* end"
    data = Responses(
        prompts=PromptSet(prompts=prompts),
        models=("a", "b"),
        answers=(
            Answer(prompt_id="p", model="a", text=text),
            Answer(prompt_id="p", model="b", text="plain words"),
        ),
    )
    features = encode(data, encoder=encoder, cache=tmp_path)
    source = ShardTokens(features)
    for i, a in enumerate(data.answers):
        found = source.document(i)
        assert "".join(found.tokens) == a.text
        table = features.occurrences
        row = slice(table.indptr[i], table.indptr[i + 1])
        assert sorted(set(found.column.tolist())) == table.column[row].tolist()
        for column, maximum in zip(table.column[row], table.maximum[row], strict=True):
            assert found.value[found.column == column].max() == maximum
    rows = source.decoder([3, 5])
    assert rows is not None
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_long_answers_are_cut_and_flagged_never_dropped(encoder: Encoder, tmp_path: Path) -> None:
    data = Responses(
        prompts=PromptSet(prompts=(Prompt(id="p", text="q " * 300), Prompt(id="r", text="short"))),
        models=("a", "b"),
        answers=tuple(
            Answer(prompt_id=p, model=m, text=t)
            for p, m, t in [("p", "a", "x"), ("p", "b", "y" * 500), ("r", "a", "z" * 500), ("r", "b", "z")]
        ),
    )
    features = encode(data, encoder=encoder, cache=tmp_path)
    assert features.cut.tolist() == [True, True, True, False]
    assert features.occurrences.n_units.tolist() == [1, 128, 256 - 25, 1]


def test_reader_and_prompt_are_part_of_the_identity(
    encoder: Encoder, make_sae: Callable[..., tuple[Path, Any]], tiny_model: Path
) -> None:
    folder, _ = make_sae("topk", k=6)
    alone = Encoder(
        str(folder), reader=str(tiny_model), limit=128, include_prompt=False, verify=False, device="cpu"
    )
    half = Encoder(
        str(folder), reader=str(tiny_model), limit=128, dtype="bfloat16", verify=False, device="cpu"
    )
    assert len({encoder.fingerprint, alone.fingerprint, half.fingerprint}) == 3


def test_huge_activations_do_not_overflow_and_tiny_ones_stay_present() -> None:
    value = np.array([1e-9, 1.0, 70000.0, 3e6], dtype=np.float32)
    stored, scale = shard_files.quantise(value)
    back = shard_files.dequantise(stored, scale)
    assert np.isfinite(back).all()
    assert (back > 0).all()
    np.testing.assert_allclose(back[2:], value[2:], rtol=1e-3)
    assert shard_files.quantise(np.zeros(0, np.float32))[1] == 1.0


def test_massive_tokens_are_masked_and_counted(encoder: Encoder, tmp_path: Path) -> None:
    quiet = dataclasses.replace(encoder.health, median_norm=encoder.health.median_norm / 5.5)
    encoder.health = quiet
    features = encode(responses(30), encoder=encoder, cache=tmp_path)
    masked = [ShardTokens(features).document(i).masked for i in range(60)]
    assert 0 < features.masked.sum() < features.occurrences.n_units.sum()
    assert features.masked.tolist() == [int(m.sum()) for m in masked]
    for i, m in enumerate(masked):
        nnz = np.diff(ShardTokens(features).document(i).indptr)
        assert (nnz[m] == 0).all()
