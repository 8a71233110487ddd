"""The reader LLM: a causal model run up to one layer, its residual stream read there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from whatchanged.encode.hook import HookPoint
from whatchanged.encode.template import Template
from whatchanged.errors import MismatchError, ModelError
from whatchanged.models.quiet import without_bars
from whatchanged.models.weights import find_weights, pick_device

__all__ = ["Reader"]


class _Stop(Exception):
    """Ends the forward pass once the hook layer has run."""


class Reader:
    """A causal LM cut after the hook layer; no LM head is ever run.

    Batches are padded on the right and run without an attention mask: a causal model cannot look
    at what comes later, so padding never reaches a real token.

    Args:
        name: ``gemma-3-270m`` (embedded), a Hugging Face id, or a folder.
        hook: Where to read.
        dtype: ``float32`` or ``bfloat16``.
        device: Torch device; ``auto`` takes CUDA or MPS when there is one.
        limit: Longest sequence in tokens.
        include_prompt: Whether the reader sees the prompt.

    Raises:
        ModelError: If the model cannot be loaded.
        MismatchError: If the hook layer does not exist in it.
    """

    def __init__(
        self,
        name: str,
        hook: HookPoint,
        *,
        dtype: str = "float32",
        device: str = "auto",
        limit: int = 2048,
        include_prompt: bool = True,
    ) -> None:
        if dtype not in {"float32", "bfloat16"}:
            raise ValueError(f"dtype must be 'float32' or 'bfloat16'; got {dtype!r}")
        import torch

        self.name = name
        self.hook = hook
        self.dtype = dtype
        self.device = torch.device(pick_device(device))
        found = find_weights(name)
        self.weights = found.identity
        decoder, tokenizer, config = _load(found.path, getattr(torch, dtype))
        layers = _layers(decoder, config)
        if hook.layer >= len(layers):
            raise MismatchError(
                f"hook point {hook} does not exist in {name}, which has {len(layers)} layers; "
                "choose the SAE's own model"
            )
        self.d_model = int(config.hidden_size)
        self.n_layers = len(layers)
        window = getattr(config, "max_position_embeddings", None) or limit
        self.template = Template(tokenizer, limit=min(limit, window), include_prompt=include_prompt)
        self.tokenizer = tokenizer
        del layers[hook.layer + 2 :]  # one more than needed: the load check reads the neighbour
        self._decoder = decoder.to(self.device).eval().requires_grad_(False)
        self._layers = layers

    @property
    def identity(self) -> dict[str, Any]:
        """What makes residual streams comparable, for fingerprints and the manifest."""
        return {
            "name": self.name,
            "weights": self.weights,
            "hook_point": str(self.hook),
            "dtype": self.dtype,
            **self.template.identity,
        }

    def residuals(self, ids: Any, *, layers: Sequence[int] | None = None) -> dict[int, Any]:
        """Residual stream after one or more layers.

        Args:
            ids: Token ids ``[batch, tokens]``, padded on the right with anything.
            layers: Layers to read; the hook's own if ``None``.

        Returns:
            For each layer a tensor ``[batch, tokens, d_model]`` on the reader's device.
        """
        import torch

        wanted = sorted(set(layers if layers is not None else (self.hook.layer,)))
        assert wanted[0] >= 0, "layers count from 0"
        assert wanted[-1] < len(self._layers), "layers after the hook's neighbour are not loaded"
        found: dict[int, Any] = {}

        def keep(layer: int) -> Any:
            def read(module: Any, inputs: Any, output: Any) -> None:
                found[layer] = output if isinstance(output, torch.Tensor) else output[0]
                if layer == wanted[-1]:
                    raise _Stop

            return read

        handles = [self._layers[layer].register_forward_hook(keep(layer)) for layer in wanted]
        try:
            with torch.inference_mode():
                self._decoder(input_ids=ids.to(self.device), use_cache=False)
        except _Stop:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return found


def _load(path: str, dtype: Any) -> tuple[Any, Any, Any]:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(path)
            model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the reader {path!r} cannot be loaded: {error}; give a Hugging Face id you have access to, "
            "a folder in its format, or leave the embedded reader"
        ) from error
    config = model.config.get_text_config(decoder=True)
    return model.get_decoder(), tokenizer, config


def _layers(decoder: Any, config: Any) -> Any:
    """The decoder's list of layers, whatever the architecture calls it."""
    import torch

    depth = int(config.num_hidden_layers)
    for module in decoder.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise ModelError(
        f"no list of {depth} decoder layers was found in {type(decoder).__name__}; use a causal LM"
    )
