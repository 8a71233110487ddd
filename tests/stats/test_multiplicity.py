import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from whatchanged.stats import benjamini_hochberg, budget_weights, simes

values = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@settings(deadline=None)
@given(values)
def test_agrees_with_statsmodels(p):
    np.testing.assert_allclose(
        benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-12, atol=1e-300
    )


@settings(deadline=None)
@given(values, st.randoms())
def test_order_does_not_matter(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    np.testing.assert_array_equal(benjamini_hochberg(np.array(p)[order]), benjamini_hochberg(p)[order])


def test_untested_rows_do_not_count():
    q = benjamini_hochberg([0.01, np.nan, 0.04])
    np.testing.assert_allclose(q, [0.02, np.nan, 0.04])
    assert np.isnan(benjamini_hochberg([np.nan])).all()
    assert benjamini_hochberg([]).shape == (0,)


def test_simes_by_hand():
    # 3 × .01, 3/2 × .015, 3/3 × .9
    assert simes([0.9, 0.015, 0.01]) == pytest.approx(0.0225)
    assert np.isnan(simes([np.nan]))


def test_a_p_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([0.2, 1.5])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=60))
def test_weights_divide_p_first(rows):
    p, weight = np.array(rows).T
    weight = weight / weight.mean()
    expected = multipletests(np.minimum(p / weight, 1), method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p, weight), expected, rtol=1e-12, atol=1e-300)


def test_equal_weights_change_nothing():
    p = [0.01, np.nan, 0.04]
    np.testing.assert_array_equal(benjamini_hochberg(p, [1.0, 7.0, 1.0]), benjamini_hochberg(p))


@pytest.mark.parametrize("weight", [[1.0, 1.5], [2.0, 0.0], [3.0, -1.0]])
def test_weights_without_mean_one_are_refused(weight):
    with pytest.raises(ValueError, match="mean 1"):
        benjamini_hochberg([0.1, 0.2], weight)


def test_rows_that_are_not_given_count_as_rows_with_p_one():
    p, weight = np.array([0.001, np.nan, 0.02, 0.4]), np.array([2.0, 1.0, 0.5, 3.0])
    padded = benjamini_hochberg(np.concatenate([p[[0, 2, 3]] / weight[[0, 2, 3]], np.ones(37)]))[:3]
    q = benjamini_hochberg(p, weight, tested=40)
    np.testing.assert_allclose(q[[0, 2, 3]], padded)
    assert np.isnan(q[1])
    with pytest.raises(ValueError, match="3 p were given for 2 rows"):
        benjamini_hochberg(p, tested=2)


def test_each_group_has_its_share():
    group = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])
    tested = np.array([True] * 6 + [True, False, False])
    weight = budget_weights(group, tested, np.array([0.5, 0.25, 0.25]))
    # group 2 has no tested row: 2/3 of 7 over six rows, 1/3 of 7 on one
    np.testing.assert_allclose(weight, [7 * 2 / 3 / 6] * 6 + [7 / 3] * 2 + [1.0])
    assert weight[tested].mean() == pytest.approx(1.0)
    np.testing.assert_array_equal(
        budget_weights(group, np.zeros(9, bool), np.array([0.5, 0.25, 0.25])), np.ones(9)
    )


def test_weighted_rows_keep_the_rate():
    """A thousand families of 90 + 10 null rows: any discovery in no more than 5 % of them."""
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], [90, 10])
    weight = budget_weights(group, np.ones(100, bool), np.array([0.5, 0.5]))
    found = [(benjamini_hochberg(rng.random(100), weight) <= 0.05).any() for _ in range(2000)]
    assert 0.03 < np.mean(found) < 0.065
