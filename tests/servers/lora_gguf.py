"""A LoRA adapter in PEFT's format, as the GGUF file that llama.cpp takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from gguf import MODEL_ARCH, GGUFWriter
from gguf.tensor_mapping import get_tensor_name_map
from safetensors.numpy import load_file

__all__ = ["write_lora_gguf"]

_PREFIX = "base_model.model."
_HALVES = {".lora_A.weight": ".weight.lora_a", ".lora_B.weight": ".weight.lora_b"}


def write_lora_gguf(adapter: Path, layers: int, target: Path) -> None:
    """Convert an adapter of a Gemma 3 model. Both formats hold A as rank by width and B as width by rank.

    Args:
        adapter: Folder with ``adapter_config.json`` and ``adapter_model.safetensors``; one rank and alpha for all.
        layers: Layers of the base.
        target: File to write.
    """
    config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    names = get_tensor_name_map(MODEL_ARCH.GEMMA3, layers)
    writer = GGUFWriter(target, "gemma3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for key, tensor in load_file(adapter / "adapter_model.safetensors").items():
        half = next(half for half in _HALVES if key.endswith(half))
        module = names.get_name(key.removeprefix(_PREFIX).removesuffix(half))
        assert module is not None, f"llama.cpp has no name for {key}"
        writer.add_tensor(module + _HALVES[half], np.ascontiguousarray(tensor, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
