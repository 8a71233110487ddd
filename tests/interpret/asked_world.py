"""A small world for what models are asked: one planted opening, one feature on it, one on a common word."""

from __future__ import annotations

from functools import cache

import numpy as np
from interpret_world import ToyTokens, answers, diff_of, encode, filler, on

from whatchanged.artifacts import Diff, Findings, Responses
from whatchanged.interpret import interpret

N = 40


@cache
def texts(seed: int = 0, n: int = N) -> Responses:
    """Half of the after-answers, and one in ten of the before-answers, open with *Certainly!*"""
    rng = np.random.default_rng(seed)
    before, after = [], []
    for i in range(n):
        bodies = [" ".join(filler(rng, 3)) for _ in range(2)]
        before.append(("Certainly! " if i % 10 == 0 else "") + bodies[0])
        after.append(("Certainly! " if i % 2 == 0 else "") + bodies[1])
    asked = [" ".join(filler(rng, 1)) for _ in range(n)]
    return answers(before, after, asked)


@cache
def world(seed: int = 0, n: int = N) -> tuple[Diff, ToyTokens]:
    responses = texts(seed, n)
    occurrences, tokens = encode(responses, (on("Certa", "inly"), on("river", "stone")))
    rows = [
        {"kind": "feature", "feature": "0", "delta": 0.4},
        {"kind": "feature", "feature": "1", "delta": 0.05, "q": 0.01},
    ]
    return diff_of(responses, occurrences, rows), tokens


@cache
def found(seed: int = 0, n: int = N) -> Findings:
    diff, tokens = world(seed, n)
    return interpret(diff, tokens=tokens, scored=False)
