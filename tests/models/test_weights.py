"""Weights are found by name, and a GGUF becomes the very model it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import MODEL_ARCH, GGUFWriter
from gguf.tensor_mapping import get_tensor_name_map
from tokenizers import pre_tokenizers
from transformers import Qwen2Config, Qwen2ForCausalLM

from whatchanged.errors import ModelError
from whatchanged.models.embedded import EMBEDDED, GGUF_SHA256
from whatchanged.models.lora import load_checkpoint
from whatchanged.models.weights import find_gguf, find_weights, pick_device

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"


def tiny_gguf(path: Path) -> Any:
    """A random Qwen2 of two layers with a byte-level tokenizer, written as GGUF."""
    tokens = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(tokens), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    writer = GGUFWriter(path, "qwen2")
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    writer.add_chat_template(TEMPLATE)
    names = get_tensor_name_map(MODEL_ARCH.QWEN2, 2)
    for key, tensor in model.state_dict().items():
        name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert name is not None
        writer.add_tensor(name, np.ascontiguousarray(tensor.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def test_a_gguf_is_read_to_the_bit_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.gguf"
    original = tiny_gguf(path).state_dict()
    found = find_gguf(path)
    loaded = load_checkpoint(found.path)
    assert loaded.model.state_dict().keys() == original.keys()
    assert all(torch.equal(value, original[key]) for key, value in loaded.model.state_dict().items())
    assert loaded.tokenizer.chat_template == TEMPLATE
    assert loaded.tokenizer("cab").input_ids == loaded.tokenizer.convert_tokens_to_ids(["c", "ab"])
    made = (Path(found.path) / "complete.json").stat().st_mtime_ns
    assert find_gguf(path) == found
    assert (Path(found.path) / "complete.json").stat().st_mtime_ns == made
    assert [p.name for p in (tmp_path / "cache" / "readers").iterdir()] == [Path(found.path).name]


@pytest.mark.parametrize("kept", [0, 20, 3000, -100])
def test_a_damaged_gguf_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setenv("WHATCHANGED_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.gguf"
    tiny_gguf(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"tiny\.gguf.*cannot be read as a causal language model"):
        find_gguf(path)
    assert not list((tmp_path / "cache" / "readers").iterdir())


def test_wrong_names_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        find_weights(str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="there is no folder"):
        find_weights("./nowhere")
    with pytest.raises(ModelError, match=r"holds no weights"):
        find_weights(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"an adapter without its base; write BASE\+"):
        find_weights(str(tmp_path))
    with pytest.raises(ModelError, match=r"give the path of a \.gguf file"):
        find_gguf(tmp_path / "no.gguf")


def test_identities_follow_the_content(tiny_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny_model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert find_weights(str(copy)).identity == find_weights(str(tiny_model)).identity
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert find_weights(str(copy)).identity != find_weights(str(tiny_model)).identity
    assert find_weights("owner/model").identity == "hub:owner/model"


@pytest.mark.reader
def test_the_embedded_reader_has_a_name(reader_folder: Path) -> None:
    found = find_weights(EMBEDDED)
    assert (found.path, found.identity) == (str(reader_folder), f"gguf:{GGUF_SHA256}")


def test_devices_are_checked() -> None:
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in {"cpu", "cuda", "mps"}
    with pytest.raises(ValueError, match="device must be"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            pick_device("cuda")
