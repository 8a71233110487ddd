"""Write the answers of a demo checkpoint to the demo's prompts.

python examples/demo_checkpoints/answer.py before
python examples/demo_checkpoints/answer.py after
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from whatchanged.demo import answers_paths, generate_answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["before", "after"])
    parser.add_argument("--model", type=Path, help="base model folder (default: the embedded reader)")
    parser.add_argument("--adapter", type=Path, help="adapter folder (default: the shipped one)")
    parser.add_argument("--out", type=Path, help="file to write (default: the shipped one)")
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--batch-size", type=int, default=52)
    args = parser.parse_args()
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        if done % 16 == 0 or done == total:
            print(f"{done}/{total} answers, {time.monotonic() - started:.0f} s", flush=True)

    rows = generate_answers(
        args.side, model_path=args.model, adapter=args.adapter, temperature=args.temperature,
        batch_size=args.batch_size, progress=progress,
    )  # fmt: skip
    before, after = answers_paths()
    out = args.out or (before if args.side == "before" else after)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
