import numpy as np
import pytest
from synthetic import features, null_pair, plant

from whatchanged.diff.compare import contrast_on
from whatchanged.diff.replication import replicate
from whatchanged.diff.units import pair


def _contrast_of(documents, columns):
    made = features(documents, columns)
    return contrast_on(made, [made.occurrences], pair(made.responses, "old", "new"), 0.05)


def test_a_real_change_replicates_and_noise_does_not():
    rng = np.random.default_rng(0)
    documents = null_pair(rng, 120, 30, rate=0.01)
    for i in range(0, 120, 2):
        documents[f"p{i:03}", "new", 0] = plant(documents[f"p{i:03}", "new", 0], 0, [25])
    contrast = _contrast_of(documents, 30)
    result = replicate(contrast, np.arange(30), splits=10, seed=0)
    assert result.share[0] == 1
    assert result.share[1:].mean() < 0.15
    assert result.n >= 20
    assert result.rate > 0.9
    assert result.slope == pytest.approx(1, abs=0.25)


def test_a_change_on_one_half_alone_shrinks():
    """Replication is counted by the half that confirms, so a split-dependent fluke cannot reach 1."""
    rng = np.random.default_rng(1)
    contrast = _contrast_of(null_pair(rng, 60, 40, rate=0.03), 40)
    result = replicate(contrast, np.array([3, 7]), splits=5, seed=2)
    assert ((result.share >= 0) & (result.share <= 0.5)).all()


def test_without_splits_or_discoveries_there_is_no_rate():
    contrast = _contrast_of(null_pair(np.random.default_rng(2), 10, 4), 4)
    result = replicate(contrast, np.array([0]), splits=0, seed=0)
    assert np.isnan(result.share).all()
    assert np.isnan(result.rate)
    assert result.n == 0
    with pytest.raises(ValueError, match="10 is usual"):
        replicate(contrast, np.array([0]), splits=-1, seed=0)
