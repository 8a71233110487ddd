"""HypotheSAEs on our answers; run by ``benchmarks/planted_peers.py --hypothesaes PYTHON`` in the peer's own Python.

It imports nothing of ours. One line of JSON on standard input is one task: ``path`` of an ``.npz`` file with
``vectors`` (embeddings of the before-answers, the after-answers, then unedited versions of some after-answers) and
``old`` (which after-answers these are), ``n`` (answers a side), ``m``, ``k``, ``batch``, ``epochs``, ``seed``,
``top`` and, for the null, ``swaps``. One line of JSON on standard output is its result. The peer's own functions
do the work: `train_sae`, `select_neurons` by each of its scores, on texts and on differences within pairs, and
`score_hypotheses` for its significance.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from typing import Any

import numpy as np

METHODS = {
    "separation_score": ("separation_score", False),
    "correlation": ("correlation", False),
    "lasso": ("lasso", False),
    "paired_correlation": ("correlation", True),
    "paired_lasso": ("lasso", True),
}
"""Its selectors on texts, and on differences between the two answers to a prompt (its way with pairs)."""


def main() -> None:
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        task = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            found = null(task) if "swaps" in task else draw(task)
        print(json.dumps(found), flush=True)


def activations(task: dict[str, Any], vectors: np.ndarray) -> np.ndarray:
    """Train the peer's SAE on both sides' embeddings and apply it to all of them."""
    import torch
    from hypothesaes.quickstart import train_sae

    torch.manual_seed(task["seed"])
    sae = train_sae(
        embeddings=vectors[: 2 * task["n"]],
        M=task["m"],
        K=task["k"],
        batch_size=task["batch"],
        n_epochs=task["epochs"],
        show_progress=False,
    )
    return sae.get_activations(vectors, show_progress=False)


class View:
    """The rows a method looks at: all texts, or one difference per prompt, with the label to be told.

    Texts are in random order: the separation score takes rows as they come where too few activate a neuron. Which
    answer of a pair is taken from which is random, as in the peer's own pairwise experiment.

    Args:
        acts: Activations of all before-answers, then of all after-answers.
        n: Answers a side.
        seed: Of the order.
        flip: 1 for prompts whose answers exchange their labels.
        paired: Whether to look at differences.
    """

    def __init__(self, acts: np.ndarray, n: int, seed: int, flip: np.ndarray, paired: bool) -> None:
        generator = np.random.default_rng(seed)
        present = (acts > 0).astype(float)
        if paired:
            sign = 1.0 - 2.0 * generator.integers(0, 2, n)
            self.acts, self.said = (sign[:, None] * (x[n : 2 * n] - x[:n]) for x in (acts, present))
            self.target, self.prompt = ((sign * (1 - 2 * flip)) > 0).astype(float), np.arange(n)
        else:
            order = generator.permutation(2 * n)
            self.acts, self.said = acts[: 2 * n][order], present[: 2 * n][order]
            self.target, self.prompt = np.concatenate([flip, 1 - flip])[order], order % n
        self.paired = paired
        self.first = (np.random.default_rng([seed, 1]).permutation(n) < n // 2)[self.prompt]

    def select(self, selector: str, top: int, rows: np.ndarray | slice = slice(None)) -> tuple[list, list]:
        """The peer's first neurons and their scores, without those that have none."""
        from hypothesaes.select_neurons import select_neurons

        neurons, scores = select_neurons(
            activations=self.acts[rows],
            target=self.target[rows],
            n_select=top,
            method=selector,
            classification=self.paired,
        )
        kept = [(n, s) for n, s in zip(neurons, scores, strict=True) if np.isfinite(s) and s != 0]
        return [int(n) for n, _ in kept], [float(s) for _, s in kept]

    def significant(self, selector: str, top: int) -> dict[str, list[int]]:
        """Its hypotheses that pass its Bonferroni rule, chosen on half of the prompts and tested on the other.

        An LLM would say which texts have the concept; here the neuron itself does, which is as good as it can be.
        The peer counts p of the joint regression (useless where neurons repeat each other or separate perfectly);
        its table also has p of each hypothesis alone, to which the same cut is applied.
        """
        from hypothesaes.evaluation import score_hypotheses

        neurons, _ = self.select(selector, top, self.first)
        held = ~self.first
        said = {n: self.said[held, n] for n in neurons}
        said = {n: s for n, s in said.items() if s.min() < s.max()}
        if not said:
            return {"significant": [], "separated": []}
        metrics, table = score_hypotheses(
            {str(n): s for n, s in said.items()}, self.target[held], classification=True
        )
        cut, listed = metrics["Significant"][2], {}
        for name, column in (("significant", "regression_pval"), ("separated", "separation_pval")):
            passed = set(table["hypothesis"][table[column] < cut].astype(int))
            listed[name] = [n for n in neurons if n in passed]
        return listed


def draw(task: dict[str, Any]) -> dict[str, Any]:
    """Each method's neurons in order, and how much of each one's change the edit made."""
    with np.load(task["path"]) as given:
        vectors, old = given["vectors"], given["old"]
    n = task["n"]
    acts = activations(task, vectors)
    before, after = acts[:n].mean(axis=0), acts[n : 2 * n].mean(axis=0)
    unedited = acts[n : 2 * n].copy()
    unedited[old] = acts[2 * n :]
    net, was = after - before, unedited.mean(axis=0) - before
    share = np.where(net != 0, (net - was) / np.where(net != 0, net, 1.0), 0.0)
    result = {}
    for method, (selector, paired) in METHODS.items():
        view = View(acts, n, task["seed"], np.zeros(n), paired)
        neurons, scores = view.select(selector, task["top"])
        result[method] = {
            "scores": [round(s, 6) for s in scores],
            "attributable": [bool(share[i] >= 0.5) for i in neurons],
            **{
                name: [bool(share[i] >= 0.5) for i in listed]
                for name, listed in view.significant(selector, task["top"]).items()
            },
        }
    return result


def null(task: dict[str, Any]) -> dict[str, Any]:
    """The largest score, and whether anything is significant, when the labels of prompts are swapped."""
    with np.load(task["path"]) as given:
        vectors = given["vectors"]
    n = task["n"]
    acts = activations(task, vectors)
    generator = np.random.default_rng([task["seed"], 2])
    result: dict[str, Any] = {m: {"largest": [], "significant": 0, "separated": 0} for m in METHODS}
    for _ in range(task["swaps"]):
        flip = generator.integers(0, 2, n).astype(float)
        for method, (selector, paired) in METHODS.items():
            view = View(acts, n, task["seed"], flip, paired)
            _, scores = view.select(selector, task["top"])
            result[method]["largest"].append(round(max(map(abs, scores), default=0.0), 6))
            for name, listed in view.significant(selector, task["top"]).items():
                result[method][name] += len(listed) > 0
    return result


if __name__ == "__main__":
    main()
