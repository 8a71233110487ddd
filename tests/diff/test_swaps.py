import numpy as np
import pytest
from synthetic import features, null_pair, plant

from whatchanged.diff import compare, discovered, label_swaps
from whatchanged.diff.compare import contrast_on
from whatchanged.diff.swaps import swap_labels
from whatchanged.diff.units import pair
from whatchanged.stats import sign_test

QUICK = {"extra": [], "draws": 20, "splits": 1}


def test_a_swap_equals_a_report_on_swapped_answers():
    """The dense look-up against `compare` on documents whose labels were exchanged for real."""
    rng = np.random.default_rng(0)
    documents = null_pair(rng, 25, 15, rate=0.05)
    made = features(documents, 15)
    contrast = contrast_on(made, [made.occurrences], pair(made.responses, "old", "new"), 0.05)
    swaps = swap_labels(contrast, draws=6, seed=3)
    flips = np.random.default_rng(3).integers(0, 2, size=(6, 25), dtype=np.int8) * 2 - 1
    for draw, flip in enumerate(flips):
        exchanged = {}
        for i in range(25):
            old, new = documents[f"p{i:03}", "old", 0], documents[f"p{i:03}", "new", 0]
            exchanged[f"p{i:03}", "old", 0] = new if flip[i] < 0 else old
            exchanged[f"p{i:03}", "new", 0] = old if flip[i] < 0 else new
        diff = compare(features(exchanged, 15), **QUICK)
        assert swaps.smallest[draw] == diff.table["p"].min()
        assert swaps.discovered[draw] == bool((diff.table["q"] <= 0.05).any())


def test_swapped_reports_discover_at_most_the_nominal_rate():
    """A world with strong planted changes: on the true labels much is found, on swapped ones nothing is."""
    rng = np.random.default_rng(1)
    documents = null_pair(rng, 60, 120, rate=0.01)
    for i in range(0, 60, 2):
        documents[f"p{i:03}", "new", 0] = plant(documents[f"p{i:03}", "new", 0], 0, [22])
    diff = compare(features(documents, 120), **QUICK)
    swaps = label_swaps(diff, draws=1000, seed=7)
    assert discovered(diff)[0]
    assert swaps.draws == 1000
    assert swaps.lower() <= 0.05
    assert swaps.lower(found=True) <= swaps.lower()
    assert not (swaps.found & ~swaps.discovered).any()


def test_the_smallest_p_of_one_row_is_its_exact_distribution():
    """Twelve discordant units, one test: P(p <= x) is the binomial tail."""
    quiet = np.zeros((40, 1), dtype=np.float32)
    documents = {}
    for i in range(12):
        # Mid-answer, equally strong: presence, count and maximum agree, opening and closing are silent.
        documents[f"p{i}", "old", 0] = quiet
        documents[f"p{i}", "new", 0] = plant(np.zeros((60, 1), dtype=np.float32), 0, [20])
    diff = compare(features(documents, 1), **QUICK)
    assert diff.summary["tests_per_row"] == 3
    swaps = label_swaps(diff, draws=20_000, length=False)
    assert np.mean(swaps.smallest <= 3 * sign_test(10, 2)) == pytest.approx(
        float(sign_test(10, 2)), abs=0.004
    )


def test_the_floor_is_a_curve_in_the_discordant_count():
    diff = compare(
        features(null_pair(np.random.default_rng(2), 50, 60, rate=0.03), 60), **(QUICK | {"draws": 200})
    )
    noise, tests = diff.noise, diff.summary["tests_per_row"]
    assert noise.discordant.tolist() == list(range(1, 51))
    assert noise.draws == 200
    for k, delta in zip(noise.discordant, noise.delta, strict=True):
        net = round(delta * 50)
        if delta == 1 and net > k:
            assert tests * sign_test(k, 0) > noise.p  # even one-sided it would be chance
        else:
            assert tests * sign_test((k + net) // 2, (k - net) // 2) <= noise.p
            if net >= 2:
                assert tests * sign_test((k + net) // 2 - 1, (k - net) // 2 + 1) > noise.p


def test_the_same_seed_gives_the_same_floor():
    made = features(null_pair(np.random.default_rng(3), 30, 40, rate=0.03), 40)
    one, other = compare(made, **QUICK), compare(made, **QUICK)
    assert one.noise.p == other.noise.p
    again = compare(made, **QUICK, seed=1)
    np.testing.assert_array_equal(one.table["q"], again.table["q"])


def test_findings_need_the_length_rule():
    diff = compare(features(null_pair(np.random.default_rng(4), 20, 5), 5), **QUICK)
    with pytest.raises(ValueError, match="length=True"):
        label_swaps(diff, draws=5, length=False).lower(found=True)
