"""Time and peak memory of the contrast at full width.

    python benchmarks/contrast.py --prompts 800 --columns 65536 --present 1500 --draws 1000

Answers are random with realistic sparsity: column frequencies follow a power law and each answer has
about ``--present`` columns; ``--planted`` columns are added to after-answers at ``--dose``.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from whatchanged.artifacts import Answer, Features, Occurrences, Prompt, PromptSet, Responses
from whatchanged.diff import compare, discovered


def occurrences(
    answers: int, columns: int, present: int, planted: int, dose: float, seed: int
) -> Occurrences:
    rng = np.random.default_rng(seed)
    rate = 1.0 / (1.0 + np.arange(columns)) ** 0.7
    for _ in range(20):
        rate = np.minimum(rate * present / rate.sum(), 0.98)
    rng.shuffle(rate)
    rate[:planted] = 0.02
    length = np.maximum(30, rng.lognormal(5.3, 0.5, answers)).astype(np.int32)
    indptr, found = [0], []
    for i in range(answers):
        mask = rng.random(columns) < rate
        if i % 2:
            mask[:planted] |= rng.random() < dose
        found.append(np.flatnonzero(mask).astype(np.int32))
        indptr.append(indptr[-1] + len(found[-1]))
    column = np.concatenate(found)
    units = np.repeat(length, np.diff(indptr))
    first = (rng.random(len(column)) * units).astype(np.int32)
    last = (first + rng.random(len(column)) * (units - first)).astype(np.int32)
    count = np.minimum(rng.geometric(0.4, len(column)), last - first + 1).astype(np.int32)
    maximum = rng.lognormal(1, 0.6, len(column)).astype(np.float32)
    return Occurrences(
        kind="feature", n_columns=columns, n_units=length, indptr=np.array(indptr, dtype=np.int64),
        column=column, maximum=maximum, count=count, total=maximum * count, first=first, last=last,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (
        ("prompts", 800),
        ("columns", 65536),
        ("present", 1500),
        ("draws", 1000),
        ("planted", 16),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dose", type=float, default=0.1)
    options = parser.parse_args()
    prompts = PromptSet(
        prompts=tuple(Prompt(id=f"p{i:05}", text=f"question {i}") for i in range(options.prompts))
    )
    responses = Responses(
        prompts=prompts,
        models=("before", "after"),
        answers=tuple(
            Answer(prompt_id=p.id, model=m, text="x") for p in prompts for m in ("before", "after")
        ),
    )
    table = occurrences(
        2 * options.prompts, options.columns, options.present, options.planted, options.dose, seed=0
    )
    answers = len(responses.answers)
    features = Features(
        responses=responses, occurrences=table, reader={}, sae={}, fingerprint="benchmark",
        cut=np.zeros(answers, dtype=np.bool_), masked=np.zeros(answers, dtype=np.int32), shards=(),
        shard=np.zeros(answers, dtype=np.int32), shard_row=np.arange(answers, dtype=np.int32),
    )  # fmt: skip
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(table.column):,} entries, {held:.2f} GB before the contrast")
    start = last = time.perf_counter()
    stages: list[tuple[str, float]] = []

    def progress(line: str) -> None:
        stages.append((line, time.perf_counter()))

    diff = compare(features, extra=[], draws=options.draws, progress=progress)
    end = time.perf_counter()
    for (line, begun), (_, until) in zip(stages, [*stages[1:], ("end", end)], strict=True):
        print(f"{line:28} {until - begun:7.2f} s")
    last = end - start
    mask = discovered(diff)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    s, planted = diff.summary, options.planted
    print(f"compare {last:.1f} s, peak {peak:.2f} GB, tested {s['tested']}, tests {s['tests_per_row']}")
    print(f"planted found {int(mask[:planted].sum())} of {planted}, others {int(mask[planted:].sum())}")
    print(f"label swaps with any discovery {diff.noise.any_discovery:.3f}, floor p {diff.noise.p:.2e}")


if __name__ == "__main__":
    main()
