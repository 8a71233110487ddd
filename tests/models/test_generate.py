"""A tiny random model stands in for a checkpoint: the laws do not depend on what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LogitsProcessorList,
    PreTrainedTokenizerFast,
    RepetitionPenaltyLogitsProcessor,
)

from whatchanged.errors import ModelError
from whatchanged.models.generate import PLAIN_TEMPLATE, generate
from whatchanged.models.lora import Checkpoint, load_checkpoint
from whatchanged.models.sampling import Sampling

# PEFT 0.21 reads an attribute that transformers 5.2 has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

WORDS = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"w{i}" for i in range(60))]
PROMPTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10", "w11 w12", "w1 w2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(3)
    config = Gemma3TextConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, sliding_window=16,
        layer_types=["sliding_attention", "full_attention"], tie_word_embeddings=False, eos_token_id=1,
        pad_token_id=0, bos_token_id=2, max_position_embeddings=256,
    )  # fmt: skip
    model = Gemma3ForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(std=0.5)
        model.lm_head.weight.normal_(std=0.5)  # sharp enough that answers differ
        model.lm_head.weight[:4] = 0  # and special tokens are never the most probable
    model.save_pretrained(path)
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<eos>", bos_token="<bos>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(5)
    config = LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(load_checkpoint(folder).model, config)
    state = {k: torch.randn_like(v) for k, v in get_peft_model_state_dict(model).items()}
    save_file(state, path / "adapter_model.safetensors")
    config.save_pretrained(path)
    return path


def test_order_of_prompts_changes_nothing(checkpoint: Checkpoint) -> None:
    options = {"max_new_tokens": 12, "temperature": 1.0, "batch_size": 2, "seed": 7}
    straight = generate(checkpoint, None, PROMPTS, **options)
    order = [3, 0, 4, 2, 1]
    shuffled = generate(checkpoint, None, [PROMPTS[i] for i in order], **options)
    assert shuffled == [straight[i] for i in order]
    assert len({g.text for g in straight}) > 1


def test_greedy_does_not_depend_on_the_batch_and_agrees_with_transformers(checkpoint: Checkpoint) -> None:
    alone = generate(checkpoint, None, PROMPTS, max_new_tokens=10, temperature=0, batch_size=1)
    together = generate(checkpoint, None, PROMPTS, max_new_tokens=10, temperature=0, batch_size=5)
    assert alone == together
    for prompt, answer in zip(PROMPTS, together, strict=True):
        ids = torch.tensor([checkpoint.tokenizer(PLAIN_TEMPLATE.format(prompt=prompt)).input_ids])
        theirs = checkpoint.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False
        )
        assert answer.text == checkpoint.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)


def test_seed_and_sample_draw_anew_and_repeat(checkpoint: Checkpoint) -> None:
    def draw(seed: int, sample: int) -> list[str]:
        answers = generate(
            checkpoint, None, PROMPTS, max_new_tokens=8, temperature=1.5, seed=seed, sample=sample
        )
        return [a.text for a in answers]

    assert draw(0, 0) == draw(0, 0)
    assert draw(0, 0) != draw(1, 0)
    assert draw(0, 0) != draw(0, 1)


def test_end_token_stops_and_the_limit_is_named(checkpoint: Checkpoint) -> None:
    # The greedy second token is declared an end token: the answer must stop right before it.
    limit = generate(checkpoint, None, PROMPTS[:1], max_new_tokens=6, temperature=0)[0]
    assert limit.finish_reason == "length"
    words = limit.text.split()
    assert len(words) == 6
    end = next(w for w in words if w != words[0])
    checkpoint.model.generation_config.eos_token_id = [1, WORDS.index(end)]
    try:
        stopped = generate(checkpoint, None, PROMPTS[:1], max_new_tokens=6, temperature=0)[0]
    finally:
        checkpoint.model.generation_config.eos_token_id = 1
    assert stopped.finish_reason == "stop"
    assert stopped.text.split() == words[: words.index(end)]


def test_sampler_follows_the_nucleus() -> None:
    tokens = np.array([7, 3, 5, 1])
    logits = np.log(np.array([0.15, 0.5, 0.3, 0.05], dtype=np.float32))
    draw = np.random.default_rng(0)

    def shares(sampling: Sampling) -> list[float]:
        drawn = [sampling.choose(tokens, logits, draw) for _ in range(4000)]
        return [drawn.count(token) / 4000 for token in (3, 5, 7, 1)]

    # 0.5 + 0.3 is the first mass that reaches 0.75: renormalised to 5/8 and 3/8.
    assert shares(Sampling(temperature=1.0, top_p=0.75)) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    few = Sampling(temperature=1.0, top_p=1.0, top_k=3)
    assert shares(few) == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0], abs=0.03)
    assert shares(Sampling(temperature=0)) == [1, 0, 0, 0]
    # Of equally probable tokens the first of the vocabulary is taken.
    assert Sampling(temperature=0).choose(tokens, np.zeros(4, np.float32), draw) == 1


def test_the_penalty_is_that_of_transformers(checkpoint: Checkpoint) -> None:
    ids = torch.tensor([checkpoint.tokenizer("w1 w2").input_ids])
    ours = generate(
        checkpoint,
        None,
        ["w1 w2"],
        template="{prompt}",
        max_new_tokens=12,
        temperature=0,
        repetition_penalty=1.7,
    )[0]
    theirs = checkpoint.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
        logits_processor=LogitsProcessorList(
            [RepetitionPenaltyLogitsProcessor(1.7, prompt_ignore_length=ids.shape[1])]
        ),
    )  # fmt: skip
    assert ours.text == checkpoint.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)
    assert (
        ours
        != generate(checkpoint, None, ["w1 w2"], template="{prompt}", max_new_tokens=12, temperature=0)[0]
    )


def test_adapter_changes_the_answers_as_peft_applies_it(folder: Path, adapter: Path) -> None:
    from peft import PeftModel

    merged = load_checkpoint(folder, adapter).model
    theirs = PeftModel.from_pretrained(load_checkpoint(folder).model, str(adapter)).eval()
    ids = torch.tensor([[4, 5, 6, 7]])
    with torch.no_grad():
        ours, reference, base = (
            m(input_ids=ids).logits for m in (merged, theirs, load_checkpoint(folder).model)
        )
    torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(ours, base, atol=1e-2)


def test_progress_counts_every_answer(checkpoint: Checkpoint) -> None:
    seen: list[tuple[int, int]] = []
    generate(
        checkpoint, None, PROMPTS, max_new_tokens=2, batch_size=2, progress=lambda *state: seen.append(state)
    )
    assert seen == [(i + 1, 5) for i in range(5)]


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"max_new_tokens": 0}, "at least 1"),
        ({"temperature": -1.0}, "temperature must be >= 0"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0.0}, r"top_p in \(0, 1\]"),
        ({"template": "no slot"}, r"must contain \{prompt\}"),
    ],
)
def test_bad_options_name_the_remedy(checkpoint: Checkpoint, options: dict[str, object], remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        generate(checkpoint, None, PROMPTS, **options)  # type: ignore[arg-type]


def test_foreign_or_broken_adapters_are_refused(folder: Path, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(ModelError, match=r"no adapter_config\.json"):
        load_checkpoint(folder, tmp_path)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="safe_serialization=True"):
        load_checkpoint(folder, tmp_path)
    state = load_file(adapter / "adapter_model.safetensors")
    key = next(k for k in state if k.endswith("lora_A.weight"))
    save_file(state | {key: torch.zeros(2, 99)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"does not fit this base.*load the base"):
        load_checkpoint(folder, tmp_path)
    save_file(
        {"base_model.model.nowhere.lora_A.weight": torch.zeros(2, 16)}, tmp_path / "adapter_model.safetensors"
    )
    with pytest.raises(ModelError, match=r"which this base lacks.*load the base"):
        load_checkpoint(folder, tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(folder, tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "IA3"}))
    with pytest.raises(ModelError, match="only LoRA"):
        load_checkpoint(folder, tmp_path)


def test_missing_base_names_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Hugging Face format"):
        load_checkpoint(tmp_path)
