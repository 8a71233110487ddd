"""The features of a run folder: its shards, the pooled table and what they were made with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from whatchanged.artifacts import Features, Occurrences, Responses
from whatchanged.errors import StoreError
from whatchanged.store import atomic, link_or_copy, read_json, sha256_file, write_json

__all__ = ["open_features", "save_features"]

_ARRAYS = ("n_units", "indptr", "column", "maximum", "count", "total", "first", "last")


def save_features(features: Features, folder: Path) -> Features:
    """Write features under ``folder/features``; shards are linked, not copied, where that is possible.

    Returns:
        The same features, reading their shards from the run folder.
    """
    place = folder / "features"
    shards = []
    for shard in features.shards:
        link_or_copy(shard, place / shard.name)
        link_or_copy(shard.with_suffix(".json"), place / shard.with_suffix(".json").name)
        shards.append(place / shard.name)
    pooled = place / "pooled.npz"
    with atomic(pooled) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            **{name: getattr(features.occurrences, name) for name in _ARRAYS},
            **{name: getattr(features, name) for name in ("cut", "masked", "shard", "shard_row")},
        )
    write_json(
        place / "features.json",
        {
            "reader": dict(features.reader),
            "sae": dict(features.sae),
            "fingerprint": features.fingerprint,
            "health": dict(features.health),
            "encoded": features.encoded,
            "n_columns": features.occurrences.n_columns,
            "shards": [s.name for s in shards],
            "pooled_sha256": sha256_file(pooled),
            "answers": len(features.responses.answers),
        },
    )
    return replace(features, shards=tuple(shards))


def open_features(folder: Path, responses: Responses) -> Features:
    """Read features back.

    Raises:
        StoreError: If they are missing, damaged, or belong to other answers.
    """
    place = folder / "features"
    facts = read_json(place / "features.json")
    if facts["answers"] != len(responses.answers):
        raise StoreError(
            f"{place} holds features of {facts['answers']} answers, the run has {len(responses.answers)}; "
            "encode again"
        )
    pooled = place / "pooled.npz"
    if not pooled.exists() or sha256_file(pooled) != facts["pooled_sha256"]:
        raise StoreError(f"{pooled} is missing or damaged; encode again")
    with np.load(pooled, allow_pickle=False) as arrays:
        occurrences = Occurrences(
            kind="feature", n_columns=facts["n_columns"], **{name: arrays[name] for name in _ARRAYS}
        )
        rest = {name: arrays[name] for name in ("cut", "masked", "shard", "shard_row")}
    return Features(
        responses=responses,
        occurrences=occurrences,
        reader=facts["reader"],
        sae=facts["sae"],
        fingerprint=facts["fingerprint"],
        shards=tuple(place / name for name in facts["shards"]),
        encoded=facts["encoded"],
        health=facts["health"],
        **rest,
    )
