"""A hypothesis decided on the paired prompts, by counting or by a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from whatchanged.artifacts import Responses
from whatchanged.diff.units import Pairing
from whatchanged.errors import LLMError
from whatchanged.gate.claims import Claim
from whatchanged.interpret.judge import ask_judge, count_pairs
from whatchanged.interpret.verdicts import unit_counts

if TYPE_CHECKING:
    from whatchanged.interpret import Asker

__all__ = ["decided"]


def decided(
    claim: Claim, responses: Responses, pairing: Pairing, *, judges: Mapping[str, Asker], seed: int = 0
) -> tuple[int, int, int, int]:
    """Units decided, those with more in the candidate, those with less, and those without a decision.

    Counting looks at all samples of a prompt; a judge sees the first of each checkpoint.

    Args:
        claim: The hypothesis.
        responses: The answers.
        pairing: Which stand against which.
        judges: Whom to ask, by name.
        seed: Of the order of the two answers and of the prompts that are asked about.

    Raises:
        LLMError: The judge cannot be asked, or decided nothing: a gate that nobody stands at must not open.
    """
    both = {pairing.before, pairing.after}
    others = tuple(m for m in responses.models if m not in both)
    pair = replace(responses, models=(pairing.before, pairing.after, *others))
    if claim.found is not None:
        counts = count_pairs(claim.found, pair, pairing.prompts)
        return unit_counts(claim.found.sense * counts, pairing.prompt_unit)
    assert claim.judge is not None, "a claim is counted or judged"
    kept = np.arange(len(pairing.prompts))
    if claim.pairs is not None and claim.pairs < len(kept):
        kept = np.sort(np.random.default_rng(seed).permutation(len(kept))[: claim.pairs])
    judge = judges[claim.judge]
    [decision] = ask_judge([claim.behaviour], pair, [pairing.prompts[i] for i in kept], judge, seed=seed)
    counted = unit_counts(decision, pairing.prompt_unit[kept])
    if not counted[0]:
        reasons = ", ".join(f"{n} {kind}" for kind, n in sorted(judge.failures.items()))
        raise LLMError(
            f"{claim.judge} decided none of {len(kept)} pairs ({reasons or 'no reply was the JSON asked for'}); "
            "nothing was checked. Run it again later, or name another judge"
        )
    return counted
