"""The peers as processes of their own, each in the Python it is installed in."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edits import EDITS
from methods import GAP, TOP
from planting import first_prompts, plant
from whatchanged.artifacts import Responses
from whatchanged.encode.encode import Encoder, encode
from whatchanged.encode.registry import embedded_folder
from whatchanged.models.embedded import EMBEDDED, reader_path

__all__ = [
    "BATCH",
    "EMBEDDINGS",
    "EPOCHS",
    "HYPOTHESAES",
    "SELECTORS",
    "SIZES",
    "HypotheSAEs",
    "interp_embed",
]

HYPOTHESAES = "hypothesaes"
EMBEDDINGS = {
    "reader": "mean residual of our reader over the answer's tokens, standardised",
    "words": "TF-IDF of words and marks, 128 dimensions",
}
SIZES = ((64, 4), (256, 8))
"""Neurons and active neurons: the peer's rules of thumb for about 1,000 and about 10,000 texts."""
BATCH, EPOCHS = 64, 300
"""The peer's own 100 epochs in batches of 512 are 200 steps on 600 texts, after which its loss still falls fast."""
SELECTORS = {
    "separation_score": "separation score",
    "correlation": "correlation",
    "lasso": "lasso",
    "paired_correlation": "correlation, pairwise",
    "paired_lasso": "lasso, pairwise",
}
SHORT = 150
HERE = Path(__file__).resolve().parent


class HypotheSAEs:
    """The peer's driver, started when first asked and then asked many times.

    Args:
        python: A Python that can import ``hypothesaes``.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory()

    def draw(
        self, vectors: NDArray[np.float32], old: NDArray[np.int64], *, n: int, m: int, k: int, seed: int
    ) -> dict[str, Any]:
        """Its first neurons by each selector, and which of them the edit moved."""
        return self._ask(vectors, old, n=n, m=m, k=k, seed=seed, top=TOP)

    def null(self, vectors: NDArray[np.float32], *, m: int, k: int, swaps: int, seed: int) -> dict[str, Any]:
        """Its largest scores under swapped labels."""
        n = len(vectors) // 2
        return self._ask(vectors, np.empty(0, np.int64), n=n, m=m, k=k, seed=seed, top=TOP, swaps=swaps)

    def _ask(self, vectors: NDArray[np.float32], old: NDArray[np.int64], **task: Any) -> dict[str, Any]:
        path, log = (Path(self._folder.name) / name for name in ("task.npz", "log"))
        np.savez(path, vectors=vectors, old=old)
        if self._process is None:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    [self.python, str(HERE / "peer_hypothesaes.py")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                )
        assert self._process.stdin is not None, "asked for"
        assert self._process.stdout is not None, "asked for"
        try:
            self._process.stdin.write(
                json.dumps({"path": str(path), "batch": BATCH, "epochs": EPOCHS, **task}) + "\n"
            )
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise SystemExit(
                f"HypotheSAEs in {self.python} ended without an answer: {said[-1] if said else ''}"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> str:
        """End the process; the version of the peer, or nothing where it was never asked."""
        self._folder.cleanup()
        if self._process is None:
            return ""
        self._process.communicate()
        asked = "import importlib.metadata as m; print(m.version('hypothesaes'))"
        done = subprocess.run([self.python, "-c", asked], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def interp_embed(pair: Responses, options: argparse.Namespace) -> dict[str, Any]:
    """interp_embed's own encoding of one small draw, and the published rule on its table and on ours.

    The first edit is made in the first so many (the dose) of the first prompts with short answers: it holds the
    logits of a whole batch in memory. Its way has no prompt before an answer and counts the beginning-of-sequence
    token; ours is asked with and without the prompt.
    """
    if options.sae != EMBEDDED:
        raise SystemExit(f"interp_embed is run on the embedded SAE; got --sae {options.sae}")
    name = options.edits[0]
    long = {a.prompt_id for a in pair.answers if len(a.text.split()) > SHORT}
    short = replace(pair, answers=tuple(a for a in pair.answers if a.prompt_id not in long))
    small = plant(first_prompts(short, options.interp_embed_prompts), {name: EDITS[name]})
    before, after, edited = (small.rows(m) for m in small.models)
    ids = [p for p in before if p in after]
    chosen = set([p for p in ids if p in edited][: max(1, round(options.dose * len(ids)))])
    rows = [before[p][0] for p in ids] + [(edited if p in chosen else after)[p][0] for p in ids]
    texts = [small.answers[i].text for i in rows]
    with tempfile.TemporaryDirectory() as folder:
        pooled = Path(folder) / "pooled.npz"
        given = {
            "texts": texts,
            "reader": str(reader_path()),
            "sae": str(embedded_folder()),
            "pooled": str(pooled),
        }
        done = subprocess.run(
            [options.interp_embed, str(HERE / "encode_interp_embed.py")],
            input=json.dumps(given),
            text=True,
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            return {"failed": f"exit code {done.returncode}"}
        said = json.loads(done.stdout.splitlines()[-1])
        with np.load(pooled) as kept:
            theirs, failed = kept["present"], kept["failed"]
    result = {
        "version": said["version"],
        "edit": name,
        "edited": len(chosen),
        "prompts": len(ids),
        "seconds": round(said["seconds"], 1),
        "peak_gb": round(said["peak"], 2),
        "failed_rows": said["failed"],
        "words_at_most": SHORT,
    }
    # A batch that failed is a row of nothing to it; its prompts take no part.
    pairs = np.flatnonzero(~(failed[: len(ids)] | failed[len(ids) :]))
    both = np.concatenate([pairs, len(ids) + pairs])
    for way, include in (("answer_alone", False), ("prompt_in_context", True)):
        table = encode(small, encoder=Encoder(options.sae, include_prompt=include)).occurrences
        ours = np.zeros((len(table.n_units), table.n_columns), dtype=np.bool_)
        ours[table.row, table.column] = True
        result[way] = _agreement(theirs[both], ours[rows][both], len(pairs))
    return result


def _agreement(theirs: NDArray[np.bool_], ours: NDArray[np.bool_], n: int) -> dict[str, Any]:
    """How much two tables of which feature stands in which answer, and their lists, have in common."""
    gaps = [t[n:].mean(axis=0) - t[:n].mean(axis=0) for t in (theirs, ours)]
    lists = [np.flatnonzero(np.abs(g) > GAP + 1e-12) for g in gaps]
    tops = [set(np.lexsort((np.arange(len(g)), -np.abs(g)))[:TOP].tolist()) for g in gaps]
    return {
        "presences_theirs": int(theirs.sum()),
        "presences_ours": int(ours.sum()),
        "presences_both": int((theirs & ours).sum()),
        "always_on_theirs_only": int((theirs.all(axis=0) & ~ours.all(axis=0)).sum()),
        "listed_theirs": len(lists[0]),
        "listed_ours": len(lists[1]),
        "listed_both": len(np.intersect1d(*lists)),
        "top_both": len(tops[0] & tops[1]),
        "largest_difference_of_gaps": round(float(np.abs(gaps[0] - gaps[1]).max()), 4),
    }
