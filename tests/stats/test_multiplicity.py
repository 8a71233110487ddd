import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from whatchanged.stats import benjamini_hochberg, simes

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
