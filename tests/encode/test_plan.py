"""The batch plan depends on each text's own length, and covers everything once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatchanged.encode.hook import HookPoint
from whatchanged.encode.plan import SHARD_DOCUMENTS, bucket, shards
from whatchanged.errors import SAEError


@given(st.integers(1, 2048))
def test_bucket_is_long_enough_and_wastes_little(length: int) -> None:
    padded = bucket(length, limit=2048)
    assert length <= padded <= 2048
    assert padded - length < max(16, length / 8 + 1)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=700), st.randoms(use_true_random=False))
def test_every_document_is_planned_once_whatever_the_order(lengths: list[int], random: object) -> None:
    keys = [f"k{i:04d}" for i in range(len(lengths))]
    plan = list(shards(lengths, keys, batch_tokens=1024, limit=500))
    planned = [i for part in plan for batch in part for i in batch.documents]
    assert sorted(planned) == list(range(len(lengths)))
    assert all(sum(len(b.documents) for b in part) <= SHARD_DOCUMENTS for part in plan)
    for part in plan:
        for batch in part:
            assert {bucket(lengths[i], limit=500) for i in batch.documents} == {batch.tokens}
            assert len(batch.documents) * batch.tokens <= max(1024, batch.tokens)
    order = list(range(len(lengths)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = shards([lengths[i] for i in order], [keys[i] for i in order], batch_tokens=1024, limit=500)
    named = [[[keys[i] for i in b.documents] for b in part] for part in plan]
    assert [[[keys[order[i]] for i in b.documents] for b in part] for part in again] == named


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("blocks.9.hook_resid_post", 9),
        ("blocks.9.hook_resid_pre", 8),
        ("model.layers.19", 19),
        ("transformer.h.3", 3),
    ],
)
def test_hook_names(name: str, layer: int) -> None:
    assert HookPoint.parse(name).layer == layer


@pytest.mark.parametrize("name", ["blocks.0.hook_resid_pre", "blocks.3.hook_mlp_out", "", "embed"])
def test_other_hook_points_are_refused(name: str) -> None:
    with pytest.raises(SAEError, match=r"layer|residual"):
        HookPoint.parse(name)
