"""Which texts are read together: buckets of equal padded length, fixed by each text alone.

A text is always padded to the length of its bucket, and the reader's arithmetic on one row of a
batch does not depend on the other rows or on their number (the tests hold this to the bit). So a
text's features do not depend on its neighbours, on what the cache already holds, or on where an
earlier run was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["SHARD_DOCUMENTS", "Batch", "bucket", "shards"]

SHARD_DOCUMENTS = 256
_STEP = 16


def bucket(length: int, *, limit: int) -> int:
    """Padded length of a sequence: next multiple of 16 up to 256, then of an eighth of its power of two.

    Padding is at most 12.5 % beyond 128 tokens.
    """
    step = _STEP if length <= 256 else 1 << ((length - 1).bit_length() - 4)
    return min(limit, -(-length // step) * step)


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents read in one forward pass.

    Attributes:
        documents: Positions in the list that was planned.
        tokens: Padded length of every row.
    """

    documents: tuple[int, ...]
    tokens: int


def shards(
    lengths: Sequence[int], keys: Sequence[str], *, batch_tokens: int, limit: int
) -> Iterator[list[Batch]]:
    """Plan the reading of documents, a shard (256 documents) at a time.

    Args:
        lengths: Tokens of each document.
        keys: A stable name of each document; order of the documents does not matter.
        batch_tokens: Padded tokens of a batch, at most (a batch has at least one row).
        limit: Longest padded length.
    """
    order = sorted(range(len(keys)), key=lambda i: (bucket(lengths[i], limit=limit), keys[i]))
    for start in range(0, len(order), SHARD_DOCUMENTS):
        batches: list[Batch] = []
        members = order[start : start + SHARD_DOCUMENTS]
        while members:
            tokens = bucket(lengths[members[0]], limit=limit)
            rows = max(1, batch_tokens // tokens)
            same = [i for i in members[:rows] if bucket(lengths[i], limit=limit) == tokens]
            batches.append(Batch(tuple(same), tokens))
            members = members[len(same) :]
        yield batches
