from itertools import combinations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from whatchanged.stats import exchange_test, smallest_exchange


def test_exchanging_an_attribute_is_enumerated():
    """12 units, 5 of them marked, 7 with the attribute, 4 marked ones among these: all 792 exchanges."""
    marked = set(range(5))
    counts = [len(marked & set(c)) for c in combinations(range(12), 7)]
    upper, lower = np.mean([k >= 4 for k in counts]), np.mean([k <= 4 for k in counts])
    numbers = [np.array([v]) for v in (4, 7, 5, 12)]
    p = exchange_test(*numbers)
    assert p[0] == pytest.approx(min(1, 2 * min(upper, lower)))
    assert smallest_exchange(*numbers[1:])[0] == pytest.approx(2 * np.mean([k == 0 for k in counts]))
    one_sided = fisher_exact([[4, 3], [1, 4]], alternative="greater")[1]
    assert p[0] == pytest.approx(2 * one_sided)


def test_p_keeps_its_level_and_no_p_is_below_the_smallest():
    rng = np.random.default_rng(0)
    total, members, marked = (np.full(4000, n) for n in (60, 23, 31))
    hits = rng.hypergeometric(members, total - members, marked)
    p = exchange_test(hits, members, marked, total)
    assert np.mean(p <= 0.05) <= 0.06
    assert (p >= smallest_exchange(members, marked, total)).all()
    # What has the attribute and what lacks it are the same question.
    other = exchange_test(marked - hits, total - members, marked, total)
    np.testing.assert_allclose(p, other)


def test_margins_that_leave_no_choice_give_one():
    assert exchange_test(*(np.array([n]) for n in (4, 4, 9, 9)))[0] == 1
    assert smallest_exchange(*(np.array([n]) for n in (4, 9, 9)))[0] == 1
    assert smallest_exchange(*(np.array([n]) for n in (0, 3, 9)))[0] == 1
