"""Load a checkpoint of this machine: a base model, with or without a LoRA adapter on top.

Adapters are read in PEFT's format and from safetensors only; a pickled ``adapter_model.bin`` is
refused. The shapes are checked against the base before anything is loaded, so an adapter of another
model is named as such and never half-applied.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from whatchanged.errors import ModelError
from whatchanged.models.quiet import without_bars
from whatchanged.store import fingerprint, sha256_file

__all__ = ["Checkpoint", "Dtype", "adapter_fingerprint", "load_checkpoint"]

Dtype = Literal["float32", "bfloat16"]
_CONFIG, _TENSORS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A causal language model ready to run, and its tokenizer.

    Attributes:
        model: The model in evaluation mode, adapter merged into its weights.
        tokenizer: Its tokenizer.
        adapter: Folder of the merged adapter, if any.
    """

    model: Any
    tokenizer: Any
    adapter: Path | None = None


def load_checkpoint(
    model_path: Path | str,
    adapter: Path | str | None = None,
    *,
    dtype: Dtype = "float32",
    device: str = "cpu",
) -> Checkpoint:
    """Load a base model, and merge a LoRA adapter into it when one is given.

    Args:
        model_path: Folder or hub name of a causal language model in Hugging Face format.
        adapter: Folder with ``adapter_config.json`` and ``adapter_model.safetensors``.
        dtype: Type of the weights in memory. An adapter is merged in float32 and cast afterwards.
        device: Torch device to run on.

    Raises:
        ModelError: If the base cannot be read, or if the adapter is missing a file, is damaged, is no
            LoRA, or does not fit the base (a module that is not there, a shape that differs).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kept = getattr(torch, dtype)
    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(model_path)
            model = AutoModelForCausalLM.from_pretrained(
                model_path, dtype=kept if adapter is None else torch.float32
            )
    except (OSError, ValueError, KeyError) as problem:
        raise ModelError(
            f"cannot load a causal language model from {str(model_path)!r}: {problem}; "
            f"{_remedy(str(model_path))}"
        ) from problem
    folder = None
    if adapter is not None:
        folder = Path(adapter)
        model = _merged(model, folder)
        for weight in model.parameters():  # buffers, such as the rotary frequencies, stay in float32
            weight.data = weight.data.to(kept)
    return Checkpoint(model=model.to(device).eval(), tokenizer=tokenizer, adapter=folder)


def _remedy(name: str) -> str:
    """What to do about a base that cannot be loaded."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE and not Path(name).exists():
        return (
            "HF_HUB_OFFLINE is set: unset it, download the model where there is a network "
            f"(hf download {name}), or give a folder in Hugging Face format"
        )
    return "give a folder in Hugging Face format or the name of a model on the hub"


def _merged(model: Any, folder: Path) -> Any:
    config = _read_config(folder)
    _check_tensors(model, folder, rank=config.get("r"))
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT 0.21 reads an attribute that transformers 5.2 has renamed.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()


def adapter_fingerprint(folder: Path) -> str:
    """Fingerprint of an adapter by the content of its two files, which must be there."""
    return fingerprint({name: sha256_file(folder / name) for name in (_CONFIG, _TENSORS)})


def _read_config(folder: Path) -> Mapping[str, Any]:
    """The adapter's configuration, checked for what we rely on."""
    path = folder / _CONFIG
    if not path.is_file():
        raise ModelError(f"no adapter_config.json in {str(folder)!r}; give the folder of a PEFT adapter")
    if not (folder / _TENSORS).is_file():
        raise ModelError(
            f"no adapter_model.safetensors in {str(folder)!r}; pickled adapters are not read, "
            "save it again with safe_serialization=True"
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as problem:
        raise ModelError(
            f"{path.name} in {str(folder)!r} is no JSON: {problem}; copy the adapter again"
        ) from problem
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else type(config).__name__
        raise ModelError(f"only LoRA adapters can be applied; {str(folder)!r} says {kind!r}")
    return config


def _check_tensors(model: Any, folder: Path, *, rank: Any) -> None:
    """Compare every low-rank pair with the module of the base that it is meant for."""
    from safetensors import SafetensorError, safe_open

    modules = dict(model.named_modules())
    path = folder / _TENSORS
    found = 0
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118  (a safetensors handle is no mapping)
                for half, side in ((".lora_A.weight", 1), (".lora_B.weight", 0)):
                    if not key.endswith(half):
                        continue
                    name = key.removeprefix(_PREFIX).removesuffix(half)
                    if name not in modules:
                        raise ModelError(
                            f"the adapter {str(folder)!r} changes {name!r}, which this base "
                            "lacks; load the base that it was trained on"
                        )
                    shape, width = file.get_slice(key).get_shape(), modules[name].weight.shape[side]
                    if shape[side] != width:
                        raise ModelError(
                            f"the adapter {str(folder)!r} does not fit this base: {name!r} has width "
                            f"{width}, the adapter {shape[side]} (rank {rank}); load the base "
                            "that it was trained on"
                        )
                    found += 1
    except SafetensorError as problem:
        raise ModelError(f"{str(path)!r} is damaged: {problem}; copy or train the adapter again") from problem
    if found == 0:
        raise ModelError(f"{str(path)!r} holds no LoRA weights; train or export the adapter again")
