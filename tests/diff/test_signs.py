"""The sparse signs against the definition, written out document by document."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import features, write

from whatchanged.artifacts import Prompt
from whatchanged.diff import family as family_module
from whatchanged.diff.family import STATISTICS, turn
from whatchanged.diff.signs import signs, tallies
from whatchanged.diff.units import pair


def _value(statistic, document, column, threshold):
    activity = document[:, column]
    at = np.flatnonzero(activity > 0)
    if not len(at):
        return 0
    return {
        "presence": 1,
        "high_presence": int(activity.max() > threshold),
        # logarithms are compared in steps of 1/65,536, so that equal means cancel
        "log_count": round(math.log1p(len(at)) * 2**16),
        "log_maximum": round(math.log1p(float(activity.max())) * 2**16),
        "opening": int(at[0] < 16),
        "closing": int(at[-1] >= len(activity) - 24),
    }[statistic]


def _mean(values):
    return Fraction(sum(values), len(values))


def _expected(documents, units, columns):
    """Sign of the mean within-prompt difference per unit, from the definition."""
    found = np.zeros((len(STATISTICS), columns, len(units)), dtype=int)
    for c in range(columns):
        maxima = sorted(float(d[:, c].max()) for d in documents.values() if d[:, c].max() > 0)
        threshold = maxima[math.ceil(0.8 * len(maxima)) - 1] if maxima else math.inf
        for s, name in enumerate(STATISTICS):
            for u, members in enumerate(units):
                difference = Fraction(0)
                for p in members:
                    sides = {
                        m: [
                            _value(name, d, c, threshold) for key, d in documents.items() if key[:2] == (p, m)
                        ]
                        for m in ("old", "new")
                    }
                    difference += _mean(sides["new"]) - _mean(sides["old"])
                found[s, c, u] = (difference > 0) - (difference < 0)
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), before=st.integers(1, 3), after=st.integers(1, 3))
def test_signs_follow_the_definition(seed, before, after):
    rng = np.random.default_rng(seed)
    columns, prompts = 5, 6
    documents = {}
    for i in range(prompts):
        for model, samples in (("old", before), ("new", after)):
            for s in range(samples):
                documents[f"p{i}", model, s] = write(rng, columns, low=5, high=60, rate=0.05)
    # The last two prompts are the same words and make one unit.
    texts = [Prompt(id=f"p{i}", text=f"text {min(i, prompts - 2)}") for i in range(prompts)]
    made = features(documents, columns, prompts=texts)
    pairing = pair(made.responses, "old", "new")
    found = signs([turn(made.occurrences, pairing)])
    dense = np.stack([found.matrix(s).toarray() for s in range(len(STATISTICS))])
    units = [[f"p{i}"] for i in range(prompts - 2)] + [[f"p{prompts - 2}", f"p{prompts - 1}"]]
    np.testing.assert_array_equal(dense, _expected(documents, units, columns))


def test_blocks_of_columns_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    documents = {(f"p{i}", m, 0): write(rng, 12, rate=0.03) for i in range(9) for m in ("old", "new")}
    made = features(documents, 12)
    pairing = pair(made.responses, "old", "new")
    turned = turn(made.occurrences, pairing)
    whole, sums = signs([turned]), tallies(turned)
    monkeypatch.setattr(family_module, "_CHUNK", 7)
    assert len(list(turned.chunks())) > 3
    again, sums_again = signs([turned]), tallies(turned)
    np.testing.assert_array_equal(whole.sign, again.sign)
    np.testing.assert_array_equal(whole.unit, again.unit)
    np.testing.assert_array_equal(sums.answers_before, sums_again.answers_before)
    np.testing.assert_array_equal(sums.units_after, sums_again.units_after)


def test_ungraded_tables_do_not_repeat_the_count():
    rng = np.random.default_rng(1)
    documents = {(f"p{i}", m, 0): write(rng, 4, rate=0.1) for i in range(8) for m in ("old", "new")}
    made = features(documents, 4)
    object.__setattr__(made.occurrences, "graded", False)
    found = signs([turn(made.occurrences, pair(made.responses, "old", "new"))])
    for name in ("high_presence", "log_maximum"):
        assert not found.sign[STATISTICS.index(name)].any()
    assert found.sign[STATISTICS.index("log_count")].any()


def test_a_table_over_other_answers_is_refused():
    rng = np.random.default_rng(1)
    documents = {(f"p{i}", m, 0): write(rng, 2) for i in range(3) for m in ("old", "new")}
    made, fewer = features(documents, 2), features(dict(list(documents.items())[:4]), 2)
    with pytest.raises(ValueError, match="same responses"):
        turn(fewer.occurrences, pair(made.responses, "old", "new"))
