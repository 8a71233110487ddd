"""What prompts have in common: their category, their length, the words they use."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Responses
from whatchanged.diff.units import Pairing
from whatchanged.text.lexical import occurrences_of_terms

__all__ = ["Attributes", "attributes"]

FEWEST = 5
"""Units that must have an attribute, and that must lack it."""

MOST_WORDS = 200
"""Words that are looked at: those found in the most prompts."""

_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Yes-or-no properties of units; of near-duplicate prompts the first speaks.

    Attributes:
        names: What each is: ``category``, ``length`` or ``word``, and which.
        member: Which units have it, ``[attributes, units]``.
    """

    names: tuple[tuple[str, str], ...]
    member: NDArray[np.bool_]


def attributes(responses: Responses, pairing: Pairing) -> Attributes:
    """The attributes that at least 5 units have and at least 5 lack.

    * each category;
    * the shortest and the longest third of the prompts, by words;
    * each word found in at least 5 % of the prompts, at most the 200 commonest.

    Of attributes with the very same units only the first is kept. Nothing here looks at an answer, so the
    choice is free: it costs no error rate.
    """
    first = np.searchsorted(pairing.prompt_unit, np.arange(pairing.n_units))
    texts = [responses.prompts.by_id[pairing.prompts[int(i)]].text for i in first]
    having: dict[tuple[str, str], NDArray[np.bool_]] = {}
    labels = np.array([c or "" for c in pairing.category], dtype=np.object_)
    for category in sorted({c for c in pairing.category if c is not None}):
        having["category", category] = labels == category
    size = np.array([len(text.split()) for text in texts])
    low, high = np.quantile(size, [1 / 3, 2 / 3], method="inverted_cdf")
    having["length", "short"] = size <= low
    having["length", "long"] = size > high
    having |= _words(texts)

    kept: dict[bytes, tuple[str, str]] = {}
    for name, member in having.items():
        if min(int(member.sum()), int((~member).sum())) >= FEWEST:
            kept.setdefault(np.packbits(member).tobytes(), name)
    names = tuple(kept.values())
    rows = [having[name] for name in names]
    return Attributes(names=names, member=np.array(rows, dtype=np.bool_).reshape(len(names), pairing.n_units))


def _words(texts: list[str]) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Which texts use each of the commonest words."""
    units: defaultdict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        terms = {term for term, _, _ in occurrences_of_terms(text)}
        # Of terms only the single words: no pairs, openings, marks or numbered items.
        for word in (t for t in terms if t[0].isalnum() and t[-1].isalnum() and " " not in t):
            units[word].append(i)
    enough = [w for w, found in units.items() if len(found) >= _SHARE * len(texts)]
    found = {}
    for word in sorted(enough, key=lambda w: (-len(units[w]), w))[:MOST_WORDS]:
        member = np.zeros(len(texts), dtype=np.bool_)
        member[units[word]] = True
        found["word", word] = member
    return found
