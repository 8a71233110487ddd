"""Rules judged on answers with known counts, and their error rates."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gate_world import answers

import whatchanged as wc
from whatchanged.gate import Rules, check
from whatchanged.stats import tango


def one(responses: wc.Responses, **rule: object):
    return check(responses, Rules.model_validate({"rule": [{"name": "r", **rule}]}))[0]


SORRY = {"pattern": r"^sorry"}


def test_a_change_beyond_the_tolerance_fails_with_its_interval() -> None:
    verdict = one(answers(10, 40, 0, 150), **SORRY, direction="up", tolerance=0.05)
    assert (verdict.failed, verdict.shown) == (True, "beyond")
    assert (verdict.n, verdict.n_after, verdict.n_before, verdict.delta) == (200, 40, 0, 0.2)
    assert verdict.lo == pytest.approx(float(tango(40, 0, 200, alpha=0.1)[0]))
    assert "40 prompts more, 0 less, of 200" in verdict.message


def test_the_other_direction_is_not_guarded() -> None:
    verdict = one(answers(10, 0, 40, 150), **SORRY, direction="up", tolerance=0.05)
    assert (verdict.failed, verdict.shown) == (False, "within")
    assert one(answers(10, 0, 40, 150), **SORRY, direction="down", tolerance=0.05).failed
    assert one(answers(10, 0, 40, 150), **SORRY, direction="any", tolerance=0.05).failed


def test_too_little_data_pass_one_kind_of_rule_and_fail_the_other() -> None:
    few = answers(2, 3, 2, 53)
    lenient = one(few, **SORRY, tolerance=0.02)
    strict = one(few, **SORRY, tolerance=0.02, proof="of-no-change")
    assert (lenient.failed, lenient.shown) == (False, "unknown")
    assert (strict.failed, strict.shown) == (True, "unknown")
    # (1.645 + 1.645)^2 * (5 / 60) / .02^2 = 2254.8
    assert strict.needed == 2255
    assert "about 2,255 prompts would tell" in strict.message


def test_no_change_is_shown_by_enough_prompts() -> None:
    verdict = one(answers(100, 10, 10, 880), **SORRY, tolerance=0.02, proof="of-no-change")
    assert (verdict.failed, verdict.shown) == (False, "within")
    assert -0.02 < verdict.lo < 0 < verdict.hi < 0.02


def test_fewer_prompts_than_the_rule_asks_for_cannot_tell() -> None:
    verdict = one(answers(0, 20, 0, 0), **SORRY, tolerance=0.0, minimum_prompts=30)
    assert (verdict.failed, verdict.shown) == (False, "unknown")
    assert "asks for 30 prompts, there are 20" in verdict.message


def test_swapping_baseline_and_candidate_negates_every_number() -> None:
    world = answers(10, 30, 5, 100)
    there = one(world, **SORRY, tolerance=0.02)
    back = one(world.swapped(), **SORRY, tolerance=0.02)
    assert (back.delta, back.n_after, back.n_before) == (-there.delta, there.n_before, there.n_after)
    assert (back.lo, back.hi) == (-there.hi, -there.lo)


def test_an_observable_and_a_count_are_guarded() -> None:
    world = answers(0, 60, 0, 60, mark="- one\n- two\n\n")
    assert one(world, observable="bullets", direction="up", tolerance=0.1).failed
    more = answers(60, 0, 0, 0, mark="- one\n")
    longer = [
        wc.Answer(prompt_id=a.prompt_id, model=a.model, text=a.text + "\n- two" * (a.model == "new"))
        for a in more.answers
    ]
    world = wc.Responses(prompts=more.prompts, models=more.models, answers=tuple(longer))
    assert not one(world, observable="bullets", tolerance=0.1).failed  # all have bullets on both sides
    assert one(world, observable="bullets", tolerance=0.1, statistic="log_count").failed


def test_length_is_guarded_relative_to_the_baseline() -> None:
    rng = np.random.default_rng(0)
    world = answers(0, 0, 0, 80)
    grown = tuple(
        wc.Answer(
            prompt_id=a.prompt_id,
            model=a.model,
            text=" ".join(["word"] * int((130 if a.model == "new" else 100) + rng.integers(-5, 6))),
        )
        for a in world.answers
    )
    world = wc.Responses(prompts=world.prompts, models=world.models, answers=grown)
    verdict = one(world, length=True, direction="up", tolerance=0.2)
    assert verdict.failed
    assert verdict.delta == pytest.approx(0.3, abs=0.03)
    assert not one(world, length=True, direction="up", tolerance=0.4).failed
    assert one(world, length=True, direction="up", tolerance=0.4, proof="of-no-change").shown == "within"
    # 30 % longer one way is 23 % shorter the other way: the same rule holds after a swap
    assert one(world.swapped(), length=True, direction="down", tolerance=0.2).failed


def test_a_group_of_features_is_present_when_any_of_them_is() -> None:
    from whatchanged.artifacts import Features, Occurrences

    world = answers(0, 0, 0, 40)
    new = [a.model == "new" for a in world.answers]
    # feature 1 in every other new answer, feature 2 in the others, feature 0 everywhere
    columns = [[0, 1 + (i // 2) % 2] if n else [0] for i, n in enumerate(new)]
    flat = [c for row in columns for c in row]
    ones = np.ones(len(flat))
    features = Features(
        responses=world,
        occurrences=Occurrences(
            kind="feature", n_columns=3, n_units=np.full(len(new), 5, np.int32),
            indptr=np.cumsum([0, *map(len, columns)]).astype(np.int64), column=np.array(flat, np.int32),
            maximum=ones.astype(np.float32), count=ones.astype(np.int32), total=ones.astype(np.float32),
            first=ones.astype(np.int32), last=ones.astype(np.int32),
        ),
        reader={}, sae={}, fingerprint="x", cut=np.zeros(len(new), np.bool_), masked=np.zeros(len(new), np.int32),
        shards=(), shard=np.zeros(len(new), np.int32), shard_row=np.zeros(len(new), np.int32),
    )  # fmt: skip
    group = Rules.model_validate({"rule": [{"name": "g", "features": [1, 2], "tolerance": 0.1}]})
    verdict = check(world, group, features=features)[0]
    assert (verdict.n_after, verdict.n_before, verdict.failed) == (40, 0, True)
    with pytest.raises(ValueError, match="encode the answers first"):
        check(world, group)
    wide = Rules.model_validate({"rule": [{"name": "g", "features": [3], "tolerance": 0.1}]})
    with pytest.raises(ValueError, match="the SAE has 0 to 2"):
        check(world, wide, features=features)


def test_error_rates_hold_at_the_edge_of_the_tolerance() -> None:
    """True changes of exactly the tolerance: alarms and wrong acceptances each stay near their level."""
    rng = np.random.default_rng(7)
    n, tolerance, draws = 300, 0.05, 4000
    # more in the candidate with probability .15, less with .10: a true change of .05
    counts = rng.multinomial(n, [0.15, 0.10, 0.75], size=draws)
    low = tango(counts[:, 0], counts[:, 1], n, alpha=2 * 0.05)
    alarms, accepted = (low[0] > tolerance).mean(), (low[1] < tolerance).mean()
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
    assert alarms <= bound
    assert accepted <= bound
    assert alarms > 0.02


def test_verdicts_are_json() -> None:
    verdict = one(answers(10, 0, 40, 150), **SORRY, direction="up", tolerance=0.05)
    assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False))["lo"] is None
