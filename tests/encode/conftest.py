"""Random SAEs for the tiny model, saved by sae_lens itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def make_sae(tmp_path: Path, tiny_model: Path) -> Callable[..., tuple[Path, Any]]:
    """Make a random SAE of an architecture with sae_lens; returns its folder and the library's object."""

    def make(architecture: str, *, d_in: int = 32, width: int = 96, layer: int = 1, **settings: Any) -> Any:
        import torch
        from sae_lens.saes import (
            GatedSAE,
            GatedSAEConfig,
            JumpReLUSAE,
            JumpReLUSAEConfig,
            StandardSAE,
            StandardSAEConfig,
            TopKSAE,
            TopKSAEConfig,
        )

        kinds = {
            "standard": (StandardSAE, StandardSAEConfig),
            "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig),
            "topk": (TopKSAE, TopKSAEConfig),
            "gated": (GatedSAE, GatedSAEConfig),
        }
        kind, config = kinds[architecture]
        sae = kind(config(d_in=d_in, d_sae=width, **settings))
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for name, tensor in sae.named_parameters():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * (0.5 if "b" in name else 0.3))
                if name == "threshold":
                    tensor.abs_()
        sae.cfg.metadata["model_name"] = str(tiny_model)
        sae.cfg.metadata["hook_name"] = f"blocks.{layer}.hook_resid_post"
        folder = tmp_path / f"{architecture}-{layer}-{width}"
        sae.save_inference_model(folder) if hasattr(sae, "save_inference_model") else sae.save_model(folder)
        return folder, sae

    return make
