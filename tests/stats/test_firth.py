import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

from whatchanged.stats import firth_pairs


def _penalised(beta, x):
    """Penalised log likelihood of pairs ``[n, 2]``, written out plainly."""
    prob = expit(x @ beta)
    information = x.T @ (x * (prob * (1 - prob))[:, None])
    return np.sum(np.log(prob)) + 0.5 * np.linalg.slogdet(information)[1]


def _brute(d, z):
    x = np.stack([d, z], axis=1)
    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000}
    full = minimize(lambda b: -_penalised(b, x), [0.0, 0.0], method="Nelder-Mead", options=options)
    null = minimize(
        lambda g: -_penalised(np.array([0.0, g[0]]), x), [0.0], method="Nelder-Mead", options=options
    )
    return full.x, chi2.sf(2 * (null.fun - full.fun), 1)


@pytest.mark.parametrize("case", ["noise", "effect", "one-sided", "separated by length"])
def test_agrees_with_a_brute_force_maximiser(case):
    rng = np.random.default_rng(3)
    d = rng.integers(-1, 2, 60).astype(float)
    z = rng.normal(0.1, 0.5, 60)
    if case == "effect":
        d = np.where(rng.random(60) < 0.7, np.abs(d), d) + 0.3 * z
    if case == "one-sided":
        d = np.abs(d)
    if case == "separated by length":
        z = np.abs(z) + 0.01
    fit = firth_pairs(d[None], z)
    beta, p = _brute(d, z)
    assert fit.converged.all()
    np.testing.assert_allclose([fit.effect[0], fit.nuisance[0]], beta, atol=1e-5)
    assert fit.p[0] == pytest.approx(p, abs=1e-7, rel=1e-6)


def test_closed_form_of_orthogonal_pairs():
    """Where no pair moves in both, Firth adds half a pair to each outcome of either covariate."""
    up, down = 9, 2
    d = np.array([1.0] * up + [-1.0] * down + [0.0] * 8)
    z = np.array([0.0] * (up + down) + [1.0, -1.0] * 4)
    fit = firth_pairs(d[None], z)
    more, less = up + 0.5, down + 0.5
    share = more / (more + less)
    ratio = 2 * (more * np.log(2 * share) + less * np.log(2 * (1 - share)))
    assert fit.effect[0] == pytest.approx(np.log(more / less), abs=1e-8)
    assert fit.nuisance[0] == pytest.approx(0, abs=1e-8)
    assert fit.p[0] == pytest.approx(chi2.sf(ratio, 1), rel=1e-8)


def test_rows_do_not_touch_each_other_and_scale_does_not_matter():
    rng = np.random.default_rng(5)
    d, z = rng.normal(size=(7, 40)), rng.normal(size=40)
    together = firth_pairs(d, z)
    alone = firth_pairs(1000 * d[3:4], z)
    assert together.p[3] == pytest.approx(alone.p[0], rel=1e-9)
    assert together.effect[3] == pytest.approx(1000 * alone.effect[0], rel=1e-7)
    np.testing.assert_array_equal(firth_pairs(d, z, chunk=2).p, together.p)


def test_swapping_sides_negates():
    rng = np.random.default_rng(6)
    d, z = rng.normal(0.3, 1, (5, 50)), rng.normal(size=50)
    one, other = firth_pairs(d, z), firth_pairs(-d, -z)
    np.testing.assert_array_equal(one.effect, -other.effect)
    np.testing.assert_array_equal(one.p, other.p)


def test_calibrated_when_only_length_differs():
    rng = np.random.default_rng(8)
    n, rows = 120, 400
    longer = rng.normal(0, 0.5, n)
    # Which answer is after depends on length alone; the effect follows length with noise of its own.
    swap = np.where(rng.random(n) < expit(2 * longer), 1, -1)
    d = np.sign(longer + rng.normal(0, 0.7, (rows, n))) * (rng.random((rows, n)) < 0.5)
    p = firth_pairs(d * swap, longer * swap).p
    assert np.mean(p <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / rows) + 0.02


def test_degenerate_rows_are_values_without_p():
    z = np.array([0.2, -0.4, 0.3, 0.1])
    fit = firth_pairs(np.stack([np.zeros(4), 3 * z]), z)
    assert np.isnan(fit.p).all()
    assert not fit.converged.any()
    assert np.isnan(firth_pairs(np.ones((1, 4)), np.zeros(4)).p).all()


def test_errors_name_the_remedy():
    with pytest.raises(ValueError, match=r"\[rows, pairs\]"):
        firth_pairs(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="leave such pairs out"):
        firth_pairs(np.array([[np.nan, 1.0]]), np.ones(2))
