from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from whatchanged.prompts import bank_entries, prompt_bank


def test_bank_is_large_short_and_without_repetition() -> None:
    entries = bank_entries()
    assert len(entries) >= 160
    assert len({e.id for e in entries}) == len(entries)
    assert len({" ".join(e.text.lower().split()) for e in entries}) == len(entries)
    counts = Counter(e.category for e in entries)
    assert len(counts) >= 10
    assert min(counts.values()) >= 10
    for e in entries:
        assert (e.reveals or "").strip(), f"{e.id} says what it is meant to reveal"
        assert e.text == e.text.strip()
        assert len(e.text.split()) <= 35, e.id
        assert e.id.rsplit("-", 1)[0] == str(e.category).replace("_", "-")


@pytest.mark.parametrize("n", [1, 15, 40, 150])
def test_samples_are_balanced(n: int) -> None:
    counts = Counter(p.category for p in prompt_bank(n, seed=3))
    sizes = [counts[c] for c in {e.category for e in bank_entries()}]
    assert sum(sizes) == n
    assert max(sizes) - min(sizes) <= 1


def test_samples_are_seeded_and_nested() -> None:
    def ids(n: int | None, seed: int) -> list[str]:
        return [p.id for p in prompt_bank(n, seed=seed)]

    assert ids(50, 1) == ids(50, 1)
    assert ids(50, 1) != ids(50, 2)
    for small, large in pairwise((10, 33, 34, 90, None)):
        assert set(ids(small, 5)) <= set(ids(large, 5))
    assert ids(None, 0) == ids(None, 9) == [e.id for e in bank_entries()]


@pytest.mark.parametrize("n", [0, -1, 10_000])
def test_too_many_or_too_few_names_the_range(n: int) -> None:
    with pytest.raises(ValueError, match=r"ask for 1 to \d+"):
        prompt_bank(n)
