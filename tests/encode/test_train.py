"""Training: resumes to the same bits, measures what it made, saves what sae_lens reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whatchanged.encode import load_sae
from whatchanged.encode.check import measure
from whatchanged.encode.reader import Reader
from whatchanged.encode.train.corpus import Corpus
from whatchanged.encode.train.trainer import TrainConfig, train_sae
from whatchanged.errors import InputError, StoreError

WORDS = ["stone", "lamp", "garden", "paper", "quiet", "morning", "bridge", "window", "letter", "harbour"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    rows = [
        {"text": " ".join(rng.choice(WORDS, size=12)), "prompt": "Say it" if i % 2 else None, "source": "own"}
        for i in range(260)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in [*rows, {"text": "  ", "source": "own"}]))
    return Corpus.read(path)


@pytest.fixture
def config(tiny_model: Path) -> TrainConfig:
    return TrainConfig(
        reader=str(tiny_model),
        layer=1,
        width=64,
        k=4,
        tokens=12_800,
        batch=128,
        chunk=4096,
        lr=5e-3,
        context=128,
        dtype="float32",
        autocast=False,
    )


@pytest.fixture
def trained(corpus: Corpus, config: TrainConfig, tmp_path: Path) -> Path:
    return train_sae(corpus, config, tmp_path / "whole", device="cpu")


def test_corpus_counts_what_it_drops_and_where_texts_come_from(corpus: Corpus) -> None:
    assert len(corpus.texts) == 260
    assert corpus.dropped == {"empty": 1}
    assert corpus.sources == {"own": 260}
    assert sum(p is None for p in corpus.prompts) == 130


def test_interrupted_and_resumed_it_has_the_same_weights(
    corpus: Corpus, config: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    logged: list[Mapping[str, Any]] = []

    def stop(figures: Mapping[str, Any]) -> None:
        logged.append(figures)
        if len(logged) == 2:
            raise Killed

    with pytest.raises(Killed):
        train_sae(corpus, config, tmp_path / "cut", device="cpu", log=stop)
    with pytest.raises(StoreError, match="unfinished training with other settings"):
        train_sae(corpus, replace(config, k=5), tmp_path / "cut", device="cpu")
    checkpoint = tmp_path / "cut" / "checkpoint"
    checkpoint.rename(checkpoint.with_name("checkpoint.new"))  # stopped between the two renames
    train_sae(corpus, config, tmp_path / "cut", device="cpu", log=logged.append)
    assert [f["chunk"] for f in logged] == [0, 1, 2, 3]
    for name in ("sae_weights.safetensors", "cfg.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (trained / name).read_bytes()
    assert not (tmp_path / "cut" / "checkpoint").exists()


def test_a_finished_folder_is_kept(corpus: Corpus, config: TrainConfig, trained: Path) -> None:
    before = (trained / "sae_weights.safetensors").stat().st_mtime_ns
    assert train_sae(corpus, config, trained, device="cpu") == trained
    assert (trained / "sae_weights.safetensors").stat().st_mtime_ns == before
    with pytest.raises(StoreError, match="choose another folder"):
        train_sae(corpus, replace(config, seed=1), trained, device="cpu")


def test_it_learns_and_says_how_well(
    corpus: Corpus, config: TrainConfig, trained: Path, tiny_model: Path
) -> None:
    metadata = json.loads((trained / "cfg.json").read_text())["metadata"]
    assert metadata["training_tokens"] == 12_800
    assert 0 < metadata["l0"] <= 4
    assert metadata["explained_variance"] > 0.5
    sae = load_sae(str(trained))
    assert sae.hook.layer == 1
    card = (trained / "README.md").read_text()
    assert f"{1 - metadata['explained_variance']:.4f}" in card
    assert "| own | 260 |" in card
    reader = Reader(str(tiny_model), sae.hook, device="cpu", limit=128)
    health = measure(reader, sae)
    assert health.l0 == pytest.approx(metadata["l0"], rel=0.3)


def test_sae_lens_reads_the_folder_alike(trained: Path) -> None:
    from sae_lens import SAE

    reference = SAE.load_from_disk(trained, dtype="float32")
    ours = load_sae(str(trained))
    x = torch.randn(50, 32, generator=torch.Generator().manual_seed(1)) * 3
    with torch.no_grad():
        torch.testing.assert_close(ours.dense(x), reference.encode(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", "is a .parquet, .jsonl or .csv file"),
        ("a.csv", "words\nx\n", "needs a column 'text'"),
        ("a.jsonl", "{", "cannot be read"),
        ("a.jsonl", '{"text": " "}\n', "no row has any text"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        Corpus.read(tmp_path / name)


@pytest.mark.parametrize("change", [{"k": 0}, {"k": 65}, {"tokens": 100}])
def test_impossible_settings_are_refused(config: TrainConfig, change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        replace(config, **change)
