"""Encodings kept across runs: a folder of shards for every reader, SAE and template.

A shard counts only with its checksum. What is damaged is moved aside and encoded again, and how
many answers that concerned is reported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from whatchanged.encode.shards import keys_of, verify
from whatchanged.store import cache_folder

__all__ = ["EncodingCache", "document_key"]


def document_key(fingerprint: str, prompt: str | None, text: str) -> str:
    """Identity of one encoding: reader, SAE, template and options, then prompt and text."""
    digest = hashlib.sha256(fingerprint.encode())
    for part in (prompt, text):
        raw = b"" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(b"\x00" if part is None else b"\x01" + len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()[:32]


@dataclass(kw_only=True)
class EncodingCache:
    """Where each key's encoding lies.

    Attributes:
        folder: Folder of this fingerprint's shards.
        places: Shard and row of every key that is known whole.
        damaged: Shards that failed their checksum when the cache was opened.
    """

    folder: Path
    places: dict[str, tuple[Path, int]] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)

    @classmethod
    def open(cls, fingerprint: str, folder: Path | None, *, wanted: frozenset[str]) -> EncodingCache:
        """Index the shards that hold any wanted key, verifying their checksums; others are not read."""
        place = folder if folder is not None else cache_folder() / "encodings" / fingerprint
        cache = cls(folder=place)
        if place.exists():
            for shard in sorted(place.glob("shard-*.parquet")):
                noted = keys_of(shard)
                if noted is None or not wanted.isdisjoint(noted):
                    cache.add(shard)
        return cache

    def add(self, shard: Path) -> None:
        """Take a written shard into the index; a damaged one is moved aside and listed."""
        keys = verify(shard)
        if keys is None:
            shard.replace(shard.with_suffix(".damaged"))
            shard.with_suffix(".json").unlink(missing_ok=True)
            self.damaged.append(shard)
            return
        for row, key in enumerate(keys):
            self.places.setdefault(key, (shard, row))
