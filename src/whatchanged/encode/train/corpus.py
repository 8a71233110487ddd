"""The texts an SAE is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from whatchanged.errors import InputError
from whatchanged.store import fingerprint, sha256_file

__all__ = ["Corpus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents in a fixed, seeded order.

    Attributes:
        prompts: What the text answers; ``None`` where unknown.
        texts: The texts.
        sources: Documents per source and licence, for the card (empty if the file has no such columns).
        dropped: Rows left out, by reason.
        identity: Fingerprint of file and order.
    """

    prompts: tuple[str | None, ...]
    texts: tuple[str, ...]
    sources: Mapping[str, int]
    dropped: Mapping[str, int]
    identity: str

    @classmethod
    def read(cls, path: str | Path, *, seed: int = 0) -> Corpus:
        """Read a ``.parquet``, ``.jsonl`` or ``.csv`` file with a column ``text``.

        A column ``prompt`` is shown to the reader before the text; ``source`` and ``licence`` are
        counted for the card. Empty texts are dropped and counted.

        Raises:
            InputError: If the file cannot be read or has no column ``text``.
        """
        import pandas as pd

        file = Path(path).expanduser()
        if file.suffix not in {".parquet", ".jsonl", ".csv"}:
            raise InputError("a corpus is a .parquet, .jsonl or .csv file; convert it", where=str(file))
        try:
            if file.suffix == ".jsonl":
                table = pd.read_json(file, lines=True)
            elif file.suffix == ".parquet":
                table = pd.read_parquet(file)
            else:
                table = pd.read_csv(file)
        except (OSError, ValueError) as error:
            raise InputError(f"the corpus cannot be read: {error}", where=str(file)) from error
        if "text" not in table.columns:
            raise InputError(
                f"a corpus needs a column 'text'; got {list(table.columns)}; rename the right one",
                where=str(file),
            )
        usable = table["text"].map(lambda t: isinstance(t, str) and bool(t.strip())).to_numpy(dtype=bool)
        kept = table[usable]
        if not len(kept):
            raise InputError("no row has any text", where=str(file))
        order = np.random.default_rng(seed).permutation(len(kept))
        kept = kept.iloc[order]
        prompts: list[str | None] = [None] * len(kept)
        if "prompt" in kept.columns:
            prompts = [p if isinstance(p, str) and p.strip() else None for p in kept["prompt"]]
        named = [c for c in ("source", "licence", "license") if c in kept.columns]
        sources = Counter(" · ".join(str(v) for v in row) for row in kept[named].itertuples(index=False))
        return cls(
            prompts=tuple(prompts),
            texts=tuple(kept["text"]),
            sources=dict(sources.most_common()) if named else {},
            dropped={"empty": int((~usable).sum())} if not usable.all() else {},
            identity=fingerprint({"file": sha256_file(file), "seed": seed}),
        )

    def part(self, start: int, stop: int | None) -> Corpus:
        """Some of the documents, in the same order."""
        return replace(self, prompts=self.prompts[start:stop], texts=self.texts[start:stop])
