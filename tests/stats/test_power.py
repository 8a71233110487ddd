import pytest

from whatchanged.stats import benjamini_hochberg, exact_limit, sign_test


@pytest.mark.parametrize(
    ("rows", "alone", "ten", "noisy"), [(4096, 18, 14, 32), (16384, 20, 16, 35), (65536, 22, 18, 38)]
)
def test_known_limits(rows, alone, ten, noisy):
    assert exact_limit(rows) == alone
    assert exact_limit(rows, together=10) == ten
    assert exact_limit(rows, background=20) == noisy


@pytest.mark.parametrize("rows", [1, 7, 1000, 4096])
def test_the_limit_is_where_discovery_begins(rows):
    k = exact_limit(rows)
    for count, found in ((k - 1, False), (k, True)):
        p = [float(sign_test(count, 0)), *[1.0] * (rows - 1)]
        assert (benjamini_hochberg(p)[0] <= 0.05) == found


def test_degenerate_and_wrong_arguments():
    assert exact_limit(0) == 0
    with pytest.raises(ValueError, match="alpha between 0 and 1"):
        exact_limit(10, alpha=0)
