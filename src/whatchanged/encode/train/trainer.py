"""Train a TopK SAE on a reader's residual stream, with checkpoints that resume exactly.

The optimisation is `sae_lens`'s own trainer; this file feeds it, saves it and measures the result.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whatchanged.encode.check import MASSIVE
from whatchanged.encode.hook import HookPoint
from whatchanged.encode.reader import Reader
from whatchanged.encode.train.card import card
from whatchanged.encode.train.corpus import Corpus
from whatchanged.encode.train.harvest import harvest
from whatchanged.errors import MissingExtra, StoreError
from whatchanged.store import fingerprint, read_json, write_json, write_text

__all__ = ["TrainConfig", "train_sae"]

_HELD_OUT = 64
"""Documents kept from training, on which the result is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """What a training depends on; a checkpoint continues only under the same values.

    Attributes:
        reader: Name of the reader.
        layer: The residual stream after this layer is decomposed.
        width: Number of features.
        k: Features active per token.
        tokens: Training tokens, massive tokens not counted.
        batch: Tokens per step.
        lr: Peak learning rate; the last quarter decays to a tenth of it.
        context: Longest sequence in tokens, prompt included.
        chunk: Answer tokens harvested, shuffled and trained on between two checkpoints.
        dtype: Number type of the reader.
        autocast: Whether the SAE's products run in bfloat16.
        seed: Order of documents and tokens, initial weights.
    """

    reader: str
    layer: int
    width: int = 8192
    k: int = 32
    tokens: int = 5_000_000
    batch: int = 2048
    lr: float = 1e-3
    context: int = 512
    chunk: int = 262_144
    dtype: str = "bfloat16"
    autocast: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "k", "tokens", "batch", "context", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")
        if self.k > self.width:
            raise ValueError(f"k must not exceed width; got k={self.k}, width={self.width}")
        if self.tokens < self.batch:
            raise ValueError(f"tokens must cover at least one batch of {self.batch}; got {self.tokens}")


def train_sae(
    corpus: Corpus,
    config: TrainConfig,
    out: Path,
    *,
    device: str = "auto",
    log: Callable[[Mapping[str, Any]], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train, checkpoint after every chunk, measure on held-out documents and save in SAELens format.

    Run again with the same arguments to resume; a finished folder is returned as it is.

    Args:
        corpus: Texts; the first 64 documents of its order are held out.
        config: Settings.
        out: Folder for ``cfg.json``, ``sae_weights.safetensors``, ``README.md`` (the card) and,
            while it runs, ``checkpoint/`` and ``log.jsonl``.
        device: Torch device of reader and SAE.
        log: Called with the figures of each chunk.
        progress: Called with tokens trained and tokens in all.

    Raises:
        MissingExtra: If ``sae-lens`` is not installed.
        StoreError: If `out` holds a training with other settings.
    """
    identity = fingerprint({"config": asdict(config), "corpus": corpus.identity})
    state_path = out / "checkpoint" / "state.json"
    if (out / "cfg.json").exists():
        done = read_json(out / "cfg.json").get("metadata", {}).get("training_identity")
        if done != identity:
            raise StoreError(f"{out} holds an SAE trained with other settings or data; choose another folder")
        return out
    _recover(out / "checkpoint")
    state = _Progress() if not state_path.exists() else _Progress(**read_json(state_path))
    if state.identity not in {"", identity}:
        raise StoreError(f"{out} holds an unfinished training with other settings; choose another folder")
    if len(corpus.texts) <= _HELD_OUT:
        raise ValueError(f"a corpus needs more than {_HELD_OUT} documents; got {len(corpus.texts)}")

    reader = Reader(
        config.reader, HookPoint(config.layer), dtype=config.dtype, device=device, limit=config.context
    )
    trainer = _trainer(reader, config)
    if state.chunk:
        _restore(trainer, out / "checkpoint")
    trained = corpus.part(_HELD_OUT, None)
    while trainer.n_training_samples + config.batch <= config.tokens:
        began = time.monotonic()
        chunk = harvest(
            reader,
            trained,
            tokens=min(config.chunk, config.tokens - trainer.n_training_samples + config.batch),
            index=state.chunk,
            document=state.documents,
            seed=config.seed,
            median_norm=state.median_norm or None,
        )
        harvested = time.monotonic()
        batches = _batches(chunk.activations, config.batch)
        if trainer.activation_scaler.whitening is None:
            _whiten(trainer, chunk.activations, config)
        losses = []
        for batch in batches:
            if trainer.n_training_samples + config.batch > config.tokens:
                break
            step = trainer.step(batch.float())
            trainer.n_training_steps += 1
            losses.append(float(step.losses["mse_loss"].detach()))
            if progress is not None:
                progress(trainer.n_training_samples, config.tokens)
        state = _Progress(
            identity=identity,
            chunk=chunk.index + 1,
            documents=chunk.documents,
            median_norm=chunk.median_norm,
            masked=state.masked + chunk.masked,
            seconds=state.seconds + time.monotonic() - began,
        )
        _save(trainer, state, out / "checkpoint")
        if log is not None:
            log(
                {
                    "chunk": chunk.index,
                    "tokens": trainer.n_training_samples,
                    "passes": chunk.passes,
                    "mse": sum(losses) / max(1, len(losses)),
                    "dead": int(trainer.dead_neurons.sum()),
                    "masked": state.masked,
                    "harvest_s": round(harvested - began, 1),
                    "train_s": round(time.monotonic() - harvested, 1),
                }
            )
    _finish(trainer, reader, corpus, config, state, out)
    shutil.rmtree(out / "checkpoint")
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """Where a training stands; written last, so a checkpoint with it is whole."""

    identity: str = ""
    chunk: int = 0
    documents: int = 0
    median_norm: float = 0.0
    masked: int = 0
    seconds: float = 0.0


def _batches(activations: Any, size: int) -> Iterator[Any]:
    for i in range(0, len(activations) - size + 1, size):
        yield activations[i : i + size]


def _whiten(trainer: Any, activations: Any, config: TrainConfig) -> None:
    """Estimate the input's whitening from the first chunk.

    Residual streams are far from isotropic (in Gemma one dimension carries half of the variance): without
    whitening most features die or describe that dimension. Directions of less than the median variance
    are not amplified beyond it.
    """
    import torch

    sample = activations[:65_536].double()
    spread = torch.linalg.eigvalsh(torch.cov(sample.T)).median()
    with contextlib.redirect_stderr(io.StringIO()):  # the library's progress bar
        trainer.activation_scaler.estimate_whitening(
            d_in=sample.shape[1],
            data_provider=_batches(activations, config.batch),
            n_batches_for_norm_estimate=min(32, len(activations) // config.batch),
            eps=float(spread),
        )


def _trainer(reader: Reader, config: TrainConfig) -> Any:
    try:
        from sae_lens.config import SAETrainerConfig
        from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.training.sae_trainer import SAETrainer
    except ImportError as error:
        raise MissingExtra("sae-lens", extra="train", purpose="train an SAE") from error
    import torch

    torch.manual_seed(config.seed)  # sae_lens draws its initial weights from the global generator
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=reader.d_model,
            d_sae=config.width,
            k=config.k,
            device=str(reader.device),
            normalize_activations="covariance_whitening",
            decoder_init_norm=0.1,
        )
    )
    steps = config.tokens // config.batch
    settings = SAETrainerConfig(
        total_training_samples=steps * config.batch,
        train_batch_size_samples=config.batch,
        lr=config.lr,
        lr_end=config.lr / 10,
        lr_warm_up_steps=min(100, steps // 10),
        lr_decay_steps=steps // 4,
        device=str(reader.device),
        autocast=config.autocast,
        dead_feature_window=max(1, min(1000, steps // 4)),
        feature_sampling_window=10**9,
    )
    return SAETrainer(settings, sae, iter(()))


def _save(trainer: Any, state: _Progress, folder: Path) -> None:
    """Write the new checkpoint beside the old one, then put it in its place."""
    fresh, old = folder.with_name("checkpoint.new"), folder.with_name("checkpoint.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    trainer.sae.save_model(fresh)
    trainer.save_trainer_state(fresh)
    write_json(fresh / "state.json", asdict(state))
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Take the new checkpoint if the run was stopped between putting the old one away and this."""
    fresh = folder.with_name("checkpoint.new")
    if not folder.exists() and (fresh / "state.json").exists():
        fresh.rename(folder)


def _restore(trainer: Any, folder: Path) -> None:
    from safetensors.torch import load_file

    trainer.sae.load_state_dict(load_file(folder / "sae_weights.safetensors"))
    trainer.load_trainer_state(folder)


def _finish(
    trainer: Any, reader: Reader, corpus: Corpus, config: TrainConfig, state: _Progress, out: Path
) -> None:
    """Fold the whitening into the weights, measure on held-out documents, save with a card."""
    import torch

    sae = trainer.sae
    whitening = trainer.activation_scaler.whitening
    sae.fold_activation_whitening(
        mean=whitening.mean,
        whitening_matrix=whitening.matrix,
        unwhitening_matrix=whitening.inverse_matrix,
    )
    measured = corpus.part(0, _HELD_OUT)
    lengths = [len(d.ids) - d.start for d in reader.template.tokenise(measured.prompts, measured.texts)]
    held_out = harvest(reader, measured, tokens=sum(lengths), seed=config.seed, median_norm=state.median_norm)
    active = unexplained = variance = scaled_rest = 0.0
    seen = torch.zeros(config.width, dtype=torch.bool)
    mean, spread = held_out.activations.float().mean(dim=0), held_out.activations.float().std(dim=0)
    with torch.inference_mode():
        for part in held_out.activations.split(1024):
            x = part.float().to(reader.device)
            features = sae.encode(x)
            rest = (x - sae.decode(features)).cpu()
            unexplained += float(rest.square().sum())
            scaled_rest += float((rest / spread).square().mean(dim=1).sum())
            variance += float((x.cpu() - mean).square().sum())
            active += float((features > 0).sum())
            seen |= (features > 0).any(dim=0).cpu()
    figures = {
        "l0": active / len(held_out.activations),
        "fvu": unexplained / variance,
        "fvu_standardised": scaled_rest / len(held_out.activations),
        "dead_share": float(trainer.dead_neurons.float().mean()),
        "held_out_tokens": len(held_out.activations),
        "held_out_silent_share": 1 - float(seen.float().mean()),
    }
    metadata = {
        "model_name": "google/gemma-3-270m" if config.reader == "gemma-3-270m" else config.reader,
        "hook_name": str(reader.hook),
        "training_identity": fingerprint({"config": asdict(config), "corpus": corpus.identity}),
        "training": asdict(config),
        "training_tokens": trainer.n_training_samples,
        "massive_threshold": MASSIVE,
        "masked_tokens": state.masked,
        "median_norm": state.median_norm,
        "l0": figures["l0"],
        "explained_variance": 1 - figures["fvu"],
        **{
            k: figures[k]
            for k in ("fvu_standardised", "dead_share", "held_out_tokens", "held_out_silent_share")
        },
        "template": reader.template.identity,
    }
    for key, value in metadata.items():
        sae.cfg.metadata[key] = value
    staging = out / "staging"
    sae.save_inference_model(staging)
    _halve(staging / "sae_weights.safetensors")
    (staging / "sae_weights.safetensors").replace(out / "sae_weights.safetensors")
    write_text(
        out / "README.md",
        card(
            config,
            corpus,
            figures,
            masked=state.masked,
            tokens=trainer.n_training_samples,
            seconds=state.seconds,
        ),
    )
    settings = read_json(staging / "cfg.json") | {"dtype": "float16"}
    shutil.rmtree(staging)
    write_json(out / "cfg.json", settings)  # last: a folder with it is complete


def _halve(path: Path) -> None:
    """Store the weights in float16: half the size, 11 bits of mantissa."""
    from safetensors.torch import load_file, save_file

    weights = {name: tensor.half() for name, tensor in load_file(path).items()}
    assert all(bool(w.isfinite().all()) for w in weights.values()), "weights exceed the range of float16"
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
