"""The native encoder equals sae_lens on every architecture it reads."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from whatchanged.encode.load_sae import from_folder, from_goodfire, from_sae_lens
from whatchanged.encode.registry import load_sae
from whatchanged.encode.sae import SparseAutoencoder
from whatchanged.errors import SAEError

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": True}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("jumprelu", {}),
    ("jumprelu", {"apply_b_dec_to_input": True}),
    ("topk", {"k": 5}),
    ("topk", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ("topk", {"k": 5, "apply_b_dec_to_input": True, "normalize_activations": "layer_norm"}),
    ("gated", {}),
    ("gated", {"apply_b_dec_to_input": True}),
]


def residuals(rows: int = 40, d_in: int = 32) -> torch.Tensor:
    return torch.randn(rows, d_in, generator=torch.Generator().manual_seed(3)) * 2 + 0.3


def to_dense(sae: SparseAutoencoder, x: torch.Tensor) -> torch.Tensor:
    sparse = sae.encode(x)
    dense = torch.zeros(len(x), sae.width)
    rows = torch.repeat_interleave(torch.arange(len(x)), sparse.nnz)
    dense[rows, sparse.column.long()] = sparse.value
    return dense


@pytest.mark.parametrize(("architecture", "settings"), VARIANTS)
def test_equals_sae_lens(
    make_sae: Callable[..., tuple[Path, Any]], architecture: str, settings: dict[str, Any]
) -> None:
    folder, reference = make_sae(architecture, **settings)
    sae = from_folder(folder)
    x = residuals()
    with torch.no_grad():
        expected = reference.encode(x)
        rebuilt = reference.decode(expected)
    assert (expected > 0).sum() > 50
    torch.testing.assert_close(to_dense(sae, x), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sae.dense(x), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sae.reconstruct(x), rebuilt, rtol=1e-4, atol=1e-5)


def test_equals_sae_lens_when_taken_over_in_memory(make_sae: Callable[..., tuple[Path, Any]]) -> None:
    _, reference = make_sae("gated")
    sae = from_sae_lens(reference, "mine")
    with torch.no_grad():
        torch.testing.assert_close(to_dense(sae, residuals()), reference.encode(residuals()))


def test_batchtopk_training_checkpoint_equals_its_inference_form(tmp_path: Path) -> None:
    from sae_lens import SAE
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig

    torch.manual_seed(0)
    trained = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=32, d_sae=96, k=6))
    with torch.no_grad():
        trained.W_dec.mul_(torch.rand(96, 1) + 0.5)
        trained.topk_threshold.fill_(0.2)
    trained.cfg.metadata["hook_name"] = "blocks.1.hook_resid_post"
    trained.save_model(tmp_path / "training")
    trained.save_inference_model(tmp_path / "inference")
    reference = SAE.load_from_disk(tmp_path / "inference")
    for name in ("training", "inference"):
        sae = from_folder(tmp_path / name)
        assert sae.architecture == "jumprelu"
        with torch.no_grad():
            torch.testing.assert_close(to_dense(sae, residuals()), reference.encode(residuals()))
            torch.testing.assert_close(
                sae.reconstruct(residuals()), reference(residuals()), rtol=1e-4, atol=1e-5
            )


def test_goodfire_file_is_a_relu_dictionary(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    raw = {
        "encoder_linear.weight": torch.randn(64, 16, generator=generator),
        "encoder_linear.bias": torch.randn(64, generator=generator),
        "decoder_linear.weight": torch.randn(16, 64, generator=generator),
        "decoder_linear.bias": torch.randn(16, generator=generator),
    }
    path = tmp_path / "Llama-3.1-8B-Instruct-SAE-l19.pth"
    torch.save(raw, path)
    sae = load_sae(str(path))
    assert (sae.model_name, sae.hook.layer, sae.width) == ("meta-llama/Llama-3.1-8B-Instruct", 19, 64)
    x = residuals(d_in=16)
    expected = torch.relu(x @ raw["encoder_linear.weight"].T + raw["encoder_linear.bias"])
    torch.testing.assert_close(to_dense(sae, x), expected)
    rebuilt = expected @ raw["decoder_linear.weight"].T + raw["decoder_linear.bias"]
    torch.testing.assert_close(sae.reconstruct(x), rebuilt, rtol=1e-4, atol=1e-4)


def test_a_goodfire_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "Llama-3.1-8B-Instruct-SAE-l19.pth"
    torch.save({"encoder_linear.weight": Payload()}, path)
    with pytest.raises(SAEError, match="not a Goodfire SAE"):
        from_goodfire(path)
    assert not (tmp_path / "ran").exists()


def test_columns_ascend_and_values_are_positive_in_small_blocks(
    make_sae: Callable[..., tuple[Path, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_sae("topk", k=5)
    sae = from_folder(folder)
    whole = sae.encode(residuals())
    monkeypatch.setattr(importlib.import_module("whatchanged.encode.sae"), "_BLOCK", 96 * 7)
    parts = sae.encode(residuals())
    assert torch.equal(whole.nnz, parts.nnz)
    assert torch.equal(whole.column, parts.column)
    torch.testing.assert_close(whole.value, parts.value)
    assert (whole.value > 0).all()
    for columns in np.split(whole.column.numpy(), whole.nnz.cumsum(0)[:-1].numpy()):
        assert (np.diff(columns) > 0).all()


def test_no_token_gives_no_activation(make_sae: Callable[..., tuple[Path, Any]]) -> None:
    folder, _ = make_sae("jumprelu")
    found = from_folder(folder).encode(torch.zeros(0, 32))
    assert len(found.nnz) == len(found.column) == len(found.value) == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c, w: c.update(architecture="transcoder"), "supported are standard"),
        (lambda c, w: w.pop("W_enc"), r"lacks the weights \['W_enc'\]"),
        (lambda c, w: c.update(k=0), "states no k"),
        (lambda c, w: c["metadata"].pop("hook_name"), "does not say where it reads"),
        (lambda c, w: c["metadata"].update(hook_name="blocks.3.attn.hook_z"), "choose a residual-stream SAE"),
        (lambda c, w: c.update(reshape_activations="hook_z"), "not the residual stream"),
        (lambda c, w: c.update(normalize_activations="mystery"), "not supported"),
    ],
)
def test_a_damaged_or_foreign_folder_is_refused_with_a_reason(
    make_sae: Callable[..., tuple[Path, Any]], spoil: Callable[[Any, Any], None], message: str
) -> None:
    folder, _ = make_sae("topk", k=5)
    config = json.loads((folder / "cfg.json").read_text())
    weights = load_file(folder / "sae_weights.safetensors")
    spoil(config, weights)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(weights, folder / "sae_weights.safetensors")
    with pytest.raises(SAEError, match=message):
        from_folder(folder)


def test_truncated_weights_are_named(make_sae: Callable[..., tuple[Path, Any]]) -> None:
    folder, _ = make_sae("standard")
    weights = folder / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(SAEError, match="is damaged"):
        from_folder(folder)


@pytest.mark.parametrize("name", ["nothing", "./absent", "/absent", "absent.pth"])
def test_unknown_names_say_what_is_possible(name: str) -> None:
    with pytest.raises(SAEError, match=r"SAELens|does not exist"):
        load_sae(name)
