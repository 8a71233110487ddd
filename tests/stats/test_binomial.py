import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from whatchanged.stats import SignTestTable, sign_test, smallest_attainable, upper_tail
from whatchanged.stats import testable as tarone


@pytest.mark.parametrize(
    ("after", "before"), [(0, 0), (1, 0), (7, 2), (3, 3), (40, 61), (790, 0), (400, 390)]
)
def test_sign_test_agrees_with_scipy(after, before):
    expected = binomtest(after, after + before).pvalue if after + before else 1.0
    assert sign_test(after, before) == pytest.approx(expected, rel=1e-12)


def test_hand_worked_tails():
    # Eighteen to none: two outcomes in 2^18. Seven to two: 2 * (1 + 9 + 36) / 2^9.
    assert sign_test(18, 0) == pytest.approx(2 / 2**18, rel=1e-14)
    assert sign_test(7, 2) == pytest.approx(92 / 512, rel=1e-14)
    assert upper_tail(3, 4) == pytest.approx(5 / 16, rel=1e-14)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_upper_tail_agrees_with_the_survival_function(hits, misses):
    total = hits + misses
    assert upper_tail(hits, total) == pytest.approx(binom.sf(hits - 1, total, 0.5), rel=1e-10)


def test_far_tails_never_reach_zero():
    p = sign_test(5000, 0)
    assert p > 0
    assert math.isfinite(math.log(p))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20))
def test_table_equals_the_test_bit_for_bit_and_is_symmetric(pairs):
    after, before = np.array(pairs).T
    table = SignTestTable.up_to(60)
    np.testing.assert_array_equal(table.lookup(after, before), sign_test(after, before))
    np.testing.assert_array_equal(table.lookup(after, before), table.lookup(before, after))


def test_smallest_attainable_is_the_one_sided_outcome():
    d = np.arange(1, 40)
    np.testing.assert_allclose(smallest_attainable(d), sign_test(d, 0 * d), rtol=1e-13)
    assert smallest_attainable(0) == 1


@pytest.mark.parametrize(
    ("discordant", "kept"),
    [
        ([5, 0, 0], [False, False, False]),  # 2^-4 > .05
        ([6, 0, 0], [True, False, False]),  # 2^-5 = .031
        ([6, 6, 0], [False, False, False]),  # two tests at .031 cannot reach .025 each
        ([7, 6, 0], [True, False, False]),  # 2^-6 = .0156 reaches .025, .031 does not
        ([7, 7, 0], [True, True, False]),
        ([8, 7, 7], [True, True, True]),  # .0156 reaches .05 / 3 = .0167
    ],
)
def test_tarone_by_hand(discordant, kept):
    assert tarone(np.array(discordant)[:, None], 0.05)[:, 0].tolist() == kept


def test_minimum_over_kept_tests_is_valid_by_enumeration():
    """Three independent tests on 9, 7 and 4 discordant units: P(row p <= x) <= x for every x."""
    d = np.array([9, 7, 4])
    kept = tarone(d[:, None], 0.05)[:, 0]
    outcome = np.stack(np.meshgrid(*[np.arange(n + 1) for n in d], indexing="ij")).reshape(3, -1)
    weight = np.prod([binom.pmf(outcome[i], d[i], 0.5) for i in range(3)], axis=0)
    p = np.where(kept[:, None], sign_test(outcome, d[:, None] - outcome), np.inf).min(axis=0)
    row_p = np.minimum(1, p * kept.sum())
    for x in np.unique(row_p):
        assert weight[row_p <= x].sum() <= x * (1 + 1e-9)


def test_errors_name_the_remedy():
    with pytest.raises(ValueError, match="pass counts"):
        sign_test(-1, 3)
    with pytest.raises(ValueError, match="order of arguments"):
        upper_tail(5, 3)
