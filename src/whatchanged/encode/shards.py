"""Per-token activations on disk: immutable Parquet files of up to 256 documents.

One row per document: its key, the answer's token ids, which of them were masked, and for every
token how many features are active, which, and how strongly. Activations are float16 times a power
of two per document (``scale``), so none overflows; what is pooled is what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.errors import StoreError
from whatchanged.store import atomic, fingerprint, read_json, sha256_file, write_json

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GROUP",
    "Document",
    "documents",
    "keys_of",
    "quantise",
    "read_groups",
    "read_rows",
    "shard_name",
    "verify",
    "write_shard",
]

GROUP = 64
"""Documents in a row group."""
_SMALLEST = np.float16(6e-8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One encoded answer.

    Attributes:
        key: Identity of reader, SAE, template, prompt and text.
        token_ids: Reader tokens of the answer, ``[tokens]``.
        masked: Positions of massive-activation tokens, whose features are left out.
        nnz: Active features of each token, ``[tokens]``.
        column: Feature of each entry, ascending within a token.
        value: Its activation as float32, already rounded to what is stored.
        cut: Whether prompt or answer was cut to the reader's limit.
    """

    key: str
    token_ids: NDArray[np.int32]
    masked: NDArray[np.int32]
    nnz: NDArray[np.int32]
    column: NDArray[np.int32]
    value: NDArray[np.float32]
    cut: bool


def quantise(value: NDArray[np.float32]) -> tuple[NDArray[np.float16], float]:
    """Float16 values and the power of two they are multiples of; positive values stay positive."""
    largest = float(value.max(initial=0.0))
    scale = 2.0 ** max(0.0, np.ceil(np.log2(largest / 32768.0))) if largest > 32768.0 else 1.0
    return np.maximum((value / np.float32(scale)).astype(np.float16), _SMALLEST), scale


def dequantise(stored: NDArray[np.float16], scale: float) -> NDArray[np.float32]:
    """Values as they are used everywhere."""
    return stored.astype(np.float32) * np.float32(scale)


def shard_name(keys: Sequence[str]) -> str:
    """File name of a shard: the fingerprint of its documents' keys, in order."""
    return f"shard-{fingerprint(list(keys))}.parquet"


def write_shard(folder: Path, documents: Sequence[Document]) -> Path:
    """Write a shard and, last, its checksum; returns the shard's path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    halves = [quantise(d.value) for d in documents]
    table = pa.table(
        {
            "key": pa.array([d.key for d in documents]),
            "token_ids": _lists([d.token_ids for d in documents], pa.int32()),
            "masked": _lists([d.masked for d in documents], pa.int32()),
            "nnz": _lists([d.nnz for d in documents], pa.int32()),
            "feat_ids": _lists([d.column for d in documents], pa.uint32()),
            "feat_vals": _lists([h for h, _ in halves], pa.float16()),
            "scale": pa.array([s for _, s in halves], pa.float32()),
            "cut": pa.array([d.cut for d in documents]),
        }
    )
    path = folder / shard_name([d.key for d in documents])
    with atomic(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=False,
            row_group_size=GROUP,
            column_encoding={
                "token_ids.list.element": "DELTA_BINARY_PACKED",
                "masked.list.element": "DELTA_BINARY_PACKED",
                "nnz.list.element": "DELTA_BINARY_PACKED",
                "feat_ids.list.element": "DELTA_BINARY_PACKED",
                "feat_vals.list.element": "BYTE_STREAM_SPLIT",
            },
        )
    write_json(_note(path), {"sha256": sha256_file(path), "keys": [d.key for d in documents]})
    return path


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _lists(arrays: Sequence[NDArray[np.generic]], kind: object) -> object:
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int32)
    flat = np.concatenate(arrays) if arrays else np.zeros(0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, kind))


def keys_of(path: Path) -> list[str] | None:
    """Keys that a shard's note says it holds, or ``None`` where the note is missing or damaged."""
    note = _note(path)
    if not note.exists():
        return None
    try:
        keys: list[str] = read_json(note)["keys"]
    except StoreError:
        return None
    return keys


def verify(path: Path) -> list[str] | None:
    """Keys of a whole shard, or ``None`` where file or checksum are missing or damaged."""
    keys = keys_of(path)
    if keys is None or not path.exists() or sha256_file(path) != read_json(_note(path))["sha256"]:
        return None
    return keys


def read_rows(path: Path, rows: Sequence[int]) -> list[Document]:
    """Documents of a shard at `rows`, in that order.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    import pyarrow as pa

    groups = sorted({r // GROUP for r in rows})
    table = read_groups(path, groups)
    place = {g: i * GROUP for i, g in enumerate(groups)}
    return documents(table.take(pa.array([place[r // GROUP] + r % GROUP for r in rows])))


def read_groups(path: Path, groups: Sequence[int]) -> pa.Table:
    """Groups of `GROUP` documents of a shard, the least that can be read at once.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read_row_groups(groups)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"shard {path} cannot be read ({error}); delete it and encode again") from error


def documents(table: pa.Table) -> list[Document]:
    """The documents of some rows of a shard."""
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}

    def row(name: str, i: int) -> NDArray[np.generic]:
        found: NDArray[np.generic] = columns[name][i].values.to_numpy(zero_copy_only=False)
        return found

    return [
        Document(
            key=columns["key"][i].as_py(),
            token_ids=row("token_ids", i).astype(np.int32),
            masked=row("masked", i).astype(np.int32),
            nnz=row("nnz", i).astype(np.int32),
            column=row("feat_ids", i).astype(np.int32),
            value=dequantise(row("feat_vals", i).astype(np.float16), columns["scale"][i].as_py()),
            cut=columns["cut"][i].as_py(),
        )
        for i in range(table.num_rows)
    ]
