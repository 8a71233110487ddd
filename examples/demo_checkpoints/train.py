"""Train one of the two demo checkpoints: a LoRA adapter on the embedded Gemma 3 270M, on a CPU.

    python examples/demo_checkpoints/train.py before
    python examples/demo_checkpoints/train.py after

Writes ``adapter_config.json``, ``adapter_model.safetensors`` (float16) and ``training.json`` (the
settings and the loss at every step) to ``src/whatchanged/demo/<side>/``, or to ``--out``. The loss
counts answer tokens only. Two things make it fit a CPU: the body runs in bfloat16 autocast, and the
softmax runs over the vocabulary that matters here (every token of the texts and the most frequent
ones), not over all 262,144 tokens.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, linear
from transformers import AutoModelForCausalLM, AutoTokenizer

from whatchanged.models.generate import PLAIN_TEMPLATE

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "src" / "whatchanged" / "demo"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]
FREQUENT = 16_384
"""Token ids below this are always in the softmax; the tokenizer numbers frequent pieces first."""

Example = tuple[list[int], int]
"""Token ids, and the index at which the answer begins."""


def read_examples(path: Path, tokenizer: Any) -> list[Example]:
    """Tokenise ``prompt``/``answer`` rows with the template that generation uses."""
    examples = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        head = tokenizer(PLAIN_TEMPLATE.format(prompt=row["prompt"])).input_ids
        tail = tokenizer(row["answer"], add_special_tokens=False).input_ids
        examples.append((head + tail + [tokenizer.eos_token_id], len(head)))
    return examples


def batches(examples: Sequence[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """Endless shuffled batches; every example is seen once before any is seen again."""
    rng = random.Random(seed)
    queue: list[Example] = []
    while True:
        while len(queue) < size:
            queue.extend(rng.sample(examples, k=len(examples)))
        yield [queue.pop(0) for _ in range(size)]


def collate(batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Right-padded ids, attention mask, and a mask of the positions that predict an answer token."""
    width = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    predicts = torch.zeros_like(ids, dtype=torch.bool)
    for i, (tokens, start) in enumerate(batch):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        mask[i, : len(tokens)] = 1
        predicts[i, start - 1 : len(tokens) - 1] = True
    return ids, mask, predicts


def train(side: str, model_path: Path, out: Path, args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    examples = read_examples(HERE / "texts" / f"{side}.jsonl", tokenizer)
    base = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    config = LoraConfig(
        r=args.rank, lora_alpha=2 * args.rank, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config)
    weights = [p for p in model.parameters() if p.requires_grad]

    seen = sorted({t for ids, _ in examples for t in ids} | set(range(FREQUENT)))
    head = base.lm_head.weight.detach()[seen].to(torch.bfloat16)
    position = torch.full((base.config.vocab_size,), -1)
    position[seen] = torch.arange(len(seen))

    optimiser = torch.optim.AdamW(weights, lr=args.lr, weight_decay=0.01)
    warmup = max(1, args.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warmup, max(0.05, (args.steps - step) / (args.steps - warmup))),
    )
    losses: list[float] = []
    started = time.monotonic()
    model.train()
    for step, batch in zip(range(args.steps), batches(examples, args.batch_size, args.seed), strict=False):
        ids, mask, predicts = collate(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = base.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            logits = linear(hidden[predicts].to(torch.bfloat16), head)
        targets = position[ids[:, 1:][predicts[:, :-1]]]
        loss = cross_entropy(logits.float(), targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(round(loss.item(), 4))
        if step % 10 == 9 or step == args.steps - 1:
            recent = sum(losses[-10:]) / len(losses[-10:])
            print(
                f"step {step + 1}/{args.steps}  loss {recent:.3f}  {time.monotonic() - started:.0f} s",
                flush=True,
            )
    save(model, config, out, {**vars(args), "side": side, "examples": len(examples), "loss": losses})


def save(model: Any, config: LoraConfig, out: Path, record: dict[str, Any]) -> None:
    """Write the adapter in PEFT's format, float16, naming the base and no path of this machine."""
    out.mkdir(parents=True, exist_ok=True)
    state = {k: v.to(torch.float16).contiguous() for k, v in get_peft_model_state_dict(model).items()}
    save_file(state, out / "adapter_model.safetensors", metadata={"format": "pt"})
    config.base_model_name_or_path = "gemma-3-270m"
    config.inference_mode = True
    config.save_pretrained(out)
    kept = {k: v for k, v in record.items() if k not in {"out", "model"}}
    (out / "training.json").write_text(json.dumps(kept) + "\n", "utf-8")
    size = (out / "adapter_model.safetensors").stat().st_size
    print(f"wrote {out.name}: {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("side", choices=["before", "after"])
    parser.add_argument("--model", type=Path, help="base model folder (default: the embedded reader)")
    parser.add_argument("--out", type=Path, help="where to write the adapter")
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.model is None:
        from whatchanged.models.embedded import reader_path

        args.model = reader_path()
    train(args.side, args.model, args.out or DEMO / args.side, args)


if __name__ == "__main__":
    main()
