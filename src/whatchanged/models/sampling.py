"""Choose the next token: top-k, temperature, nucleus, then one uniform number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sampling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 takes the most probable token always; higher is more varied.
        top_p: Smallest probability mass to sample from, in (0, 1]; counted among the `top_k` tokens.
        top_k: Most tokens to sample from, at least 1.
        repetition_penalty: Divides the positive logits (multiplies the negative ones) of tokens that the answer
            already holds; 1 is off.

    Raises:
        ValueError: If one of them is out of its range.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 64
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k must be at least 1; got {self.top_k}")
        if not self.temperature >= 0 or not 0 < self.top_p <= 1 or not self.repetition_penalty > 0:
            raise ValueError(
                "temperature must be >= 0, top_p in (0, 1] and repetition_penalty > 0; "
                f"got {self.temperature}, {self.top_p} and {self.repetition_penalty}"
            )

    def choose(
        self, tokens: NDArray[np.int64], logits: NDArray[np.float32], draw: np.random.Generator
    ) -> int:
        """The next token.

        Args:
            tokens: The most probable tokens in any order, at least `top_k` of them or the whole vocabulary.
            logits: Theirs, the penalty applied.
            draw: Gives one number, unless the temperature is 0.
        """
        order = np.lexsort((tokens, -logits))[: self.top_k]
        if self.temperature == 0:
            return int(tokens[order[0]])
        scaled = (logits[order] - logits[order[0]]).astype(np.float64) / self.temperature
        mass = np.cumsum(np.exp(scaled))
        last = int(np.searchsorted(mass, mass[-1] * self.top_p))
        number = draw.random() * mass[min(last, len(mass) - 1)]
        return int(tokens[order[np.searchsorted(mass, number, side="right")]])
