from itertools import combinations

import numpy as np
import pytest
from synthetic import features, null_pair, plant

from whatchanged.artifacts import Prompt
from whatchanged.diff import compare
from whatchanged.diff.slices import heterogeneity
from whatchanged.stats import tango

QUICK = {"extra": [], "draws": 20, "splits": 1}


def test_heterogeneity_agrees_with_full_enumeration():
    """Three slices of 5, 4 and 3 discordant units, seven of them upwards: all 792 arrangements."""
    sizes, up = np.array([5, 4, 3]), np.array([5, 2, 0])

    def distance(counts):
        expected = sizes * up.sum() / sizes.sum()
        return ((counts - expected) ** 2 / sizes).sum()

    label = np.repeat([0, 1, 2], sizes)
    everything = [np.bincount(label[list(c)], minlength=3) for c in combinations(range(12), 7)]
    exact = np.mean([distance(c) >= distance(up) - 1e-12 for c in everything])
    p = heterogeneity(up[None], sizes[None], seed=0, permutations=20_000)
    assert p[0] == pytest.approx(exact, abs=0.004)


def test_swapping_sides_draws_the_same_numbers():
    rng = np.random.default_rng(0)
    size = rng.integers(0, 9, (20, 4))
    up = rng.integers(0, size + 1)
    np.testing.assert_array_equal(heterogeneity(up, size, seed=1), heterogeneity(size - up, size, seed=1))


def test_uniform_change_is_homogeneous_and_p_is_calibrated():
    rng = np.random.default_rng(1)
    size = np.full((600, 3), 15)
    p = heterogeneity(rng.binomial(size, 0.8), size, seed=2, permutations=500)
    assert np.mean(p <= 0.05) < 0.08
    # All one-sided: every arrangement is the same.
    assert heterogeneity(np.array([[4, 6]]), np.array([[4, 6]]), seed=0)[0] == 1
    assert np.isnan(heterogeneity(np.array([[4, 0]]), np.array([[6, 0]]), seed=0)[0])


def test_slices_show_where_a_change_lives():
    rng = np.random.default_rng(2)
    documents = null_pair(rng, 90, 10, rate=0.002)
    names = ["code", "prose", None]
    for i in range(90):
        side = "new" if i % 3 == 0 else "old"
        if i % 3 == 0 or (i % 3 == 1 and i % 4 == 0):
            documents[f"p{i:03}", side, 0] = plant(documents[f"p{i:03}", side, 0], 0, [20, 21])
    prompts = [Prompt(id=f"p{i:03}", text=f"text {i}", category=names[i % 3]) for i in range(90)]
    prompts[2] = Prompt(id="p002", text="text 2", category="rare")
    diff = compare(features(documents, 10, prompts=prompts), **QUICK)
    row = diff.slices[diff.slices["feature"] == "0"].set_index("category")
    assert sorted(row.index) == ["code", "prose"]  # one prompt is no slice
    assert row.loc["code", "n"] == 30
    assert row.loc["code", "delta"] > 0.5
    assert row.loc["prose", "delta"] < 0.1
    assert (row["p_heterogeneity"] < 0.01).all()
    assert row.loc["code", "lo"] <= row.loc["code", "delta"] <= row.loc["code", "hi"]
    up = round(row.loc["code", "delta"] * 30)
    assert row.loc["code", "hi"] <= tango(up, 0, 30)[1] + 0.1


def test_without_categories_there_are_no_slices():
    diff = compare(features(null_pair(np.random.default_rng(3), 20, 4), 4), **QUICK)
    assert list(diff.slices.columns)[:3] == ["kind", "feature", "category"]
    assert len(diff.slices) == 0
