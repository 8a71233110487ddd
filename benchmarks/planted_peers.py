"""E2 with the peers: the same planted draws, judged by the same rule, at the same false rate.

    python benchmarks/planted_peers.py --data alpaca_eval/results --hypothesaes PYTHON --out planted_peers.json

Every draw of `planted.py` (same pair, edits, seed) is also given to the published rule (presence gap over 3 %)
and to HypotheSAEs, which runs in the Python named (a venv with ``pip install hypothesaes``) on two embeddings made
here (see `embeddings`). What has no test is also given a threshold: the smallest that at most 5 % of reports on
swapped labels of the unedited pair exceed. ``--interp-embed PYTHON`` also runs interp_embed itself on one
small draw, beside the rule as implemented here. Results are written draw by draw: run it again to resume.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edits import EDITS
from embeddings import ReaderEmbedder, standardised, word_embedding
from methods import GAP, judge, listings, published
from peers import BATCH, EMBEDDINGS, EPOCHS, HYPOTHESAES, SIZES, HypotheSAEs, interp_embed
from planted_peers_section import OURS, section
from planting import Bench, EditedPair, contrast_of, differences, load_pair, plant
from program import ALPHA, Reading, bar, finish, opened, options_of, settings_of
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.swaps import swap_labels
from whatchanged.store import fingerprint, write_json

NULL_PAIR = ("vicuna-13b-v1.5", "vicuna-13b-v1.5-togetherai")

Embedder = Callable[[list[str], int], NDArray[np.float32]]


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    pair = load_pair(options.data, *options.pair, prompts=options.prompts)
    planted = plant(pair, {name: EDITS[name] for name in options.edits})
    settings = settings_of(options) | {
        "pair": list(options.pair),
        "prompts": len(pair.prompts),
        "answers": fingerprint([[a.prompt_id, a.model, a.text] for a in pair.answers]),
        "dose": options.dose,
        "swaps": options.swaps,
        "embedding_layer": options.layer,
        "peer_training": {"batch": BATCH, "epochs": EPOCHS},
    }
    result = opened(options.out, settings, null={}, draws={})
    bench = Bench.of(Reading(options, console)(planted), alpha=ALPHA)
    work = _Work(bench, options, result, console)
    began = time.perf_counter()
    work.null()
    with bar(console) as shown:
        for name in shown.track(options.edits, description="edits"):
            work.edit(name)
    work.close()
    if options.interp_embed and "interp_embed" not in result:
        result["interp_embed"] = interp_embed(pair, options)
    result["timing"]["last_run_s"] = round(time.perf_counter() - began, 1)
    write_json(options.out, result)
    finish(section(result), options.out, console)


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.set_defaults(prompts=300)
    parser.add_argument("--pair", nargs=2, default=NULL_PAIR, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--dose", type=float, default=0.2)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--edits", nargs="+", default=list(EDITS), choices=list(EDITS), metavar="EDIT")
    parser.add_argument("--swaps", type=int, default=200, help="label swaps that set the thresholds")
    parser.add_argument("--hypothesaes", metavar="PYTHON", help="a Python that can import hypothesaes")
    parser.add_argument("--layer", type=int, default=12, help="reader layer whose mean is the embedding")
    parser.add_argument("--interp-embed", metavar="PYTHON", help="a Python that can import interp_embed")
    parser.add_argument("--interp-embed-prompts", type=int, default=40)
    options = parser.parse_args()
    if not 0 < options.dose <= 1 or options.draws < 1 or options.swaps < 20:
        parser.error("the dose lies between 0 and 1, draws are at least 1 and swaps at least 20")
    return options


class _Work:
    """One run: what is encoded, who is asked, and where results go."""

    def __init__(
        self, bench: Bench, options: argparse.Namespace, result: dict[str, Any], console: Console
    ) -> None:
        self.bench, self.options, self.result, self.console = bench, options, result, console
        self.edited = max(1, round(options.dose * bench.pairing.n_units))
        self.peer = HypotheSAEs(options.hypothesaes) if options.hypothesaes else None
        self.reader = ReaderEmbedder(
            options.sae, options.layer, dtype=options.dtype, path=options.out.with_suffix(".embeddings.npz")
        )
        self.embedders: Mapping[str, Embedder] = dict(
            zip(
                EMBEDDINGS,
                (
                    lambda texts, fitted: standardised(self.reader(texts), fitted),
                    lambda texts, fitted: word_embedding(texts, fitted, seed=options.seed),
                ),
                strict=True,
            )
        )
        pairing, answers = bench.pairing, bench.responses.answers
        self.before, self.after = (
            [answers[i].text for i in pairing.answers[pairing.side == s]] for s in (-1, 1)
        )
        self.prompt_row = {pairing.prompts[p]: i for i, p in enumerate(pairing.prompt[pairing.side > 0])}

    def null(self) -> None:
        """Thresholds from swapped labels of the unedited pair."""
        null, swaps, seed = self.result["null"], self.options.swaps, self.options.seed
        if "published" not in null:
            pair = self.bench.edited(None)
            found = contrast_of(pair.families, pair.pairing, self.bench.signs, self.bench.alpha)
            largest = _largest_gaps(found, swaps, seed)
            null["published"] = {
                "threshold": threshold(largest),
                "any": int((largest > GAP + 1e-9).sum()),
                "swaps": swaps,
            }
            swapped = swap_labels(found, draws=swaps, seed=seed, length=True)
            assert swapped.found is not None, "asked for"
            null["ours"] = {
                "any": int(swapped.discovered.sum()),
                "finding": int(swapped.found.sum()),
                "swaps": swapped.draws,
            }
            write_json(self.options.out, self.result)
        if self.peer is None:
            return
        self._read(self.before + self.after)
        for embedding, embed in self.embedders.items():
            for m, k in SIZES:
                key = f"{embedding}|{m}"
                if key in null:
                    continue
                texts = self.before + self.after
                found = self.peer.null(embed(texts, len(texts)), m=m, k=k, swaps=swaps, seed=seed)
                null[key] = {
                    method: {
                        "threshold": threshold(np.array(x["largest"])),
                        "any": sum(score > 0 for score in x["largest"]),
                        "significant": x["significant"],
                        "separated": x["separated"],
                        "swaps": len(x["largest"]),
                    }
                    for method, x in found.items()
                }
                write_json(self.options.out, self.result)

    def edit(self, name: str) -> None:
        """All draws of one edit."""
        pair = self.bench.edited(name)
        kept = self.result["draws"].setdefault(name, [])
        if pair.applies < self.edited:
            self.result.setdefault("left_out", {})[name] = pair.applies
            return
        chosen = [pair.chosen(self.edited, seed=self.options.seed, draw=d) for d in range(self.options.draws)]
        kept += [{} for _ in range(len(chosen) - len(kept))]
        if any("ours" not in d for d in kept):
            plain = contrast_of(pair.families, pair.pairing, self.bench.signs, self.bench.alpha).families
            for at, draw in zip(chosen, kept, strict=False):
                if "ours" not in draw:
                    draw["ours"] = self._ours(pair, at, plain)
                    write_json(self.options.out, self.result)
        wanted = [f"{e}|{m}" for e in EMBEDDINGS for m, _ in SIZES]
        if self.peer is None or all(k in d for k in wanted for d in kept):
            return
        rows = self.bench.responses.rows(name)
        texts = {p: self.bench.responses.answers[rows[p][0]].text for p in pair.prompts}
        self._read([texts[pair.prompts[i]] for i in np.unique(np.concatenate(chosen))])
        for number, (at, draw) in enumerate(zip(chosen, kept, strict=False)):
            if any(k not in draw for k in wanted):
                self._theirs([pair.prompts[i] for i in at], texts, draw, number)

    def _ours(self, pair: EditedPair, chosen: NDArray[np.int64], plain: Any) -> dict[str, Any]:
        found = contrast_of(pair.families, pair.with_edits(chosen), self.bench.signs, self.bench.alpha)
        listed = listings(found)
        listed["published_calibrated"] = published(found, self.result["null"]["published"]["threshold"])
        return judge(found, {name: listed[name] for name in OURS}, plain)

    def _theirs(
        self, prompts: list[str], texts: Mapping[str, str], draw: dict[str, Any], number: int
    ) -> None:
        assert self.peer is not None, "asked only where there is one"
        old = np.array([self.prompt_row[p] for p in prompts], dtype=np.int64)
        after = list(self.after)
        for p, row in zip(prompts, old, strict=True):
            after[row] = texts[p]
        every = [*self.before, *after, *(self.after[row] for row in old)]
        for embedding, embed in self.embedders.items():
            vectors = embed(every, 2 * len(after))
            for m, k in SIZES:
                seed = self.options.seed + number
                draw[f"{embedding}|{m}"] = self.peer.draw(vectors, old, n=len(after), m=m, k=k, seed=seed)
        write_json(self.options.out, self.result)

    def _read(self, texts: list[str]) -> None:
        began = time.perf_counter()
        self.reader.read(texts, lambda done, all_: None)
        spent = self.result["timing"].get("embedding_s", 0.0) + time.perf_counter() - began
        self.result["timing"]["embedding_s"] = round(spent, 1)

    def close(self) -> None:
        """End the peer's process and keep its version."""
        if self.peer is not None:
            self.result[HYPOTHESAES] = self.peer.close() or self.result.get(HYPOTHESAES, "")


def threshold(largest: NDArray[np.float64]) -> float:
    """The smallest value that no more than 5 % of the null reports exceed."""
    return float(np.sort(largest)[::-1][int(ALPHA * len(largest))])


def _largest_gaps(found: Contrast, draws: int, seed: int) -> NDArray[np.float64]:
    """Largest absolute presence gap of any feature when the labels of units are swapped."""
    features = np.arange(int(found.start[1]))
    change = differences(found, features, np.zeros_like(features), found.families)
    pairing = found.pairing
    prompts = np.bincount(pairing.prompt_unit, minlength=pairing.n_units) / pairing.scale
    change = change * (prompts / len(pairing.prompts))
    flips = np.random.default_rng(seed).integers(0, 2, size=(pairing.n_units, draws)) * 2.0 - 1
    largest: NDArray[np.float64] = np.zeros(draws)
    for start in range(0, len(features), 1024):
        largest = np.maximum(largest, np.abs(change[start : start + 1024] @ flips).max(axis=0))
    return largest


if __name__ == "__main__":
    main()
