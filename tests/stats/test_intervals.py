import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm, quantile_test
from statsmodels.stats.proportion import proportion_confint

from whatchanged.stats import clopper_pearson, median_interval, newcombe_paired, tango, wilson

Z = norm.isf(0.025)


@pytest.mark.parametrize(("function", "method"), [(wilson, "wilson"), (clopper_pearson, "beta")])
def test_shares_agree_with_statsmodels(function, method):
    x = np.array([0, 1, 3, 10, 19, 20])
    low, high = function(x, 20)
    expected = proportion_confint(x, 20, method=method)
    np.testing.assert_allclose(low, expected[0], atol=1e-12)
    np.testing.assert_allclose(high, expected[1], atol=1e-12)


def test_one_sided_bounds_spend_all_of_alpha():
    low, high = clopper_pearson(0, 59, side="upper")
    assert low == 0
    assert high == pytest.approx(1 - 0.05 ** (1 / 59))  # the rule of three, exactly
    low, high = clopper_pearson(20, 20, side="lower")
    assert low == pytest.approx(0.05 ** (1 / 20))
    assert high == 1


def test_nothing_looked_at_says_nothing():
    for function in (wilson, clopper_pearson):
        assert tuple(map(float, function(0, 0))) == (0.0, 1.0)
    assert tuple(map(float, tango(0, 0, 0))) == (-1.0, 1.0)
    assert tuple(map(float, newcombe_paired(0, 0, 0, 0))) == (-1.0, 1.0)


def test_tango_published_values():
    """Airway reactivity, Fagerland et al. (2014): 1 against 7 of 21 children, -0.517 to -0.026."""
    low, high = tango(1, 7, 21)
    assert round(float(low), 3) == -0.517
    assert round(float(high), 3) == -0.026
    # R: PropCIs::scoreci.mp(25, 28, 618) at 90 %, its difference being the second minus the first.
    low, high = tango(28, 25, 618, alpha=0.10)
    assert round(float(low), 4) == -0.0148
    assert round(float(high), 4) == 0.0247


def test_newcombe_published_value():
    """Newcombe (1998), 36, 12, 2 and 0 of 50: method 10 gives 0.0569 to 0.3404."""
    low, high = newcombe_paired(36, 12, 2, 0)
    assert round(float(low), 4) == 0.0569
    assert round(float(high), 4) == 0.3404


def _score(delta, b, c, n):
    """The score statistic with the restricted maximum likelihood found by brute force."""

    def loss(share):  # share of before-only units; after-only is share + delta
        cells = np.array([share + delta, share, 1 - 2 * share - delta])
        counts = np.array([b, c, n - b - c])
        return -np.sum(counts * np.log(np.maximum(cells, 1e-300)))

    share = minimize_scalar(
        loss, bounds=(max(0, -delta), (1 - delta) / 2), method="bounded", options={"xatol": 1e-13}
    ).x
    return (b - c - n * delta) / np.sqrt(n * (2 * share + delta * (1 - delta)))


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (5, 1, 30), (3, 9, 25), (1, 0, 44), (20, 20, 90)])
def test_tango_inverts_the_score_test(b, c, n):
    low, high = tango(b, c, n)
    estimate = (b - c) / n
    assert high == pytest.approx(brentq(lambda d: _score(d, b, c, n) + Z, estimate, 0.999), abs=2e-6)
    assert low == pytest.approx(brentq(lambda d: _score(d, b, c, n) - Z, -0.999, estimate), abs=2e-6)


def test_tango_without_discordant_units_and_with_nothing_else():
    low, high = tango(0, 0, 44)
    assert high == pytest.approx(Z**2 / (44 + Z**2))
    assert low == -high
    low, high = tango(50, 0, 50)
    assert high == 1
    assert low == pytest.approx((50 - Z**2) / (50 + Z**2))


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_tango_swap_negates_and_holds_the_estimate(b, c, rest):
    n = b + c + rest
    low, high = tango(b, c, n)
    swapped = tango(c, b, n)
    assert (swapped[0], swapped[1]) == (-high, -low)
    if n:
        assert -1 <= low <= (b - c) / n <= high <= 1


def test_errors_name_the_remedy():
    with pytest.raises(ValueError, match=r"use 0\.05"):
        wilson(1, 2, alpha=5)
    with pytest.raises(ValueError, match="more discordant units"):
        tango(5, 5, 9)
    with pytest.raises(ValueError, match="exceed"):
        clopper_pearson(3, 2)


@pytest.mark.parametrize(("n", "alpha"), [(8, 0.05), (9, 0.1), (40, 0.05), (101, 0.01)])
def test_the_median_interval_agrees_with_scipy(n: int, alpha: float) -> None:
    values = np.random.default_rng(n).normal(size=n)
    expected = quantile_test(values, q=0, p=0.5).confidence_interval(1 - alpha)
    assert median_interval(values, alpha=alpha) == pytest.approx(tuple(expected))


def test_too_few_values_bound_no_median() -> None:
    assert median_interval([1.0, 2.0, 3.0]) == (-np.inf, np.inf)
