"""What E2 says of the peers: recall and precision as they come, and at a false rate of 5 %."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from methods import METHODS, TOP
from peers import EMBEDDINGS, HYPOTHESAES, SELECTORS, SIZES
from section import Bar, Grid, Section
from whatchanged.stats import wilson

__all__ = ["OURS", "section"]

OURS = ("report_behaviour", "report", "features_behaviour", "features", "presence", "lexical", "published",
        "published_calibrated")  # fmt: skip
TESTS = {
    "significant": "its significance (joint regression, Bonferroni)",
    "separated": "each hypothesis alone (t-test), the same cut",
}
_DRAWS = 4000

Outcome = tuple[str, bool, int, int]
"""Edit, whether it has a hit, how many are listed among the first ten, how many of these are attributable."""


def section(result: dict[str, Any]) -> Section:
    """The results as text."""
    s = result["settings"]
    peers = list(_peers(result))
    ours = _ours(result, "report_behaviour")
    edits = {e for e, *_ in ours}
    bars = []
    if edits and peers:
        best = max(peers, key=lambda p: _recall(p.same))
        for method in ("report_behaviour", "report"):
            point, low, high = _paired(_ours(result, method), best.same)
            bars.append(
                Bar(
                    claim=f"recall@{TOP} of the {METHODS[method]} minus the best peer's at a false rate of 5 % "
                    f"({best.title})",
                    wanted="> 0",
                    got=f"{point:+.3f} [{low:+.3f}, {high:+.3f}]",
                    met=True if low > 0 else False if point <= 0 else None,
                )
            )
    lines = [
        f"{s['pair'][0]} against {s['pair'][1]}, {s['prompts']} prompts, {100 * s['dose']:g} % of them edited, "
        f"{len(edits)} edits, {len(ours)} draws, the same for all. SAE {s['sae']['name']} "
        f"({s['sae']['fingerprint']}), {s['dtype']}, seed {s['seed']}. A hit: of what stands among the first {TOP}, "
        "at least one has half or more of its net change from the edit (a neuron's change: of its mean activation).",
        f"What has no test is given a threshold: the smallest that at most 5 % of {s['swaps']} reports on swapped "
        "labels of the unedited pair exceed. The best peer is picked on these very draws, which favours it. "
        "Interval: 95 % bootstrap over edits.",
    ]
    if result.get(HYPOTHESAES):
        trained = s["peer_training"]
        sizes = " and ".join(f"{m} neurons of which {k} active" for m, k in SIZES)
        lines.append(
            f"HypotheSAEs {result[HYPOTHESAES]}: an SAE ({sizes}) trained for each draw on the embeddings of both sides "
            f"({trained['epochs']} epochs in batches of {trained['batch']}; its default, 100 epochs in batches of 512, "
            "leaves it hardly trained on so few texts). Its scores for *after* against *before* are of texts and, as in "
            "its authors' pairwise experiment, of differences between the two answers to a prompt. No hub was asked for "
            "an embedder; "
            f"it is given {EMBEDDINGS['reader']} (layer {s['embedding_layer']}, the answer alone), "
            f"and {EMBEDDINGS['words']}. Texts are shuffled, because its separation score takes them as they come "
            "where a neuron has fewer than 100 active ones. Its significance (Bonferroni, p < .1 over the "
            "hypotheses) is asked on the half of the prompts that did not choose the neurons, where the neuron's "
            "activity stands for an LLM's annotation."
        )
    else:
        lines.append("HypotheSAEs was not run: name a Python that has it (`--hypothesaes PYTHON`).")
    if left := result.get("left_out"):
        lines.append(
            "Edits that apply to too few prompts: " + ", ".join(f"{k} ({v})" for k, v in left.items()) + "."
        )
    lines.append(_interp_embed(result.get("interp_embed")))
    return Section(
        name="E2 (peers)",
        title="planted edits: the peers on the same draws",
        lines=tuple(lines),
        bars=tuple(bars),
        grids=(_ours_grid(result), *_peer_grids(peers)),
    )


def _ours(result: dict[str, Any], method: str) -> list[Outcome]:
    return [
        (e, d["ours"][method]["top_attributable"] > 0, d["ours"][method]["top"], d["ours"][method]["top_attributable"])
        for e, draws in result["draws"].items()
        for d in draws
        if "ours" in d
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    """One peer's outcomes on the same draws.

    Attributes:
        title: What it is.
        same: At the threshold that keeps null reports to 5 %.
        raw: As it comes.
        null: How many null reports list anything as it comes.
        tested: By its own significance, and how many null reports have any, by name.
    """

    title: str
    same: list[Outcome]
    raw: list[Outcome]
    null: str
    tested: dict[str, tuple[list[Outcome], str]]


def _peers(result: dict[str, Any]) -> Iterator[_Peer]:
    null = result["null"]
    if "published" in null:
        yield _Peer(
            title="presence gap (interp_embed's rule)",
            same=_ours(result, "published_calibrated"),
            raw=_ours(result, "published"),
            null=f"{null['published']['any']} of {null['published']['swaps']}",
            tested={},
        )
    for key in (f"{embedding}|{m}" for embedding in EMBEDDINGS for m, _ in SIZES):
        draws = [(edit, d[key]) for edit, kept in result["draws"].items() for d in kept if key in d]
        if key not in null or not draws:
            continue
        for method, title in SELECTORS.items():
            at = null[key][method]
            same = [
                [a for a, x in zip(d[method]["attributable"], d[method]["scores"], strict=True)
                 if abs(x) > at["threshold"]]
                for _, d in draws
            ]  # fmt: skip
            edits = [edit for edit, _ in draws]
            yield _Peer(
                title=f"HypotheSAEs, {key.replace('|', ', ')} neurons, {title}",
                same=_outcomes(edits, same),
                raw=_outcomes(edits, [d[method]["attributable"] for _, d in draws]),
                null=f"{at['any']} of {at['swaps']}",
                tested={
                    name: (
                        _outcomes(edits, [d[method][name] for _, d in draws]),
                        f"{at[name]} of {at['swaps']}",
                    )
                    for name in TESTS
                },
            )


def _outcomes(edits: list[str], listed: list[list[bool]]) -> list[Outcome]:
    return [(e, any(x), len(x), sum(x)) for e, x in zip(edits, listed, strict=True)]


def _recall(outcomes: list[Outcome]) -> float:
    return sum(hit for _, hit, _, _ in outcomes) / len(outcomes) if outcomes else 0.0


def _said(outcomes: list[Outcome]) -> tuple[str, str]:
    """Recall with Wilson's interval over draws; precision, and how many draws list nothing."""
    if not outcomes:
        return "", ""
    hits, listed = sum(hit for _, hit, _, _ in outcomes), sum(n for _, _, n, _ in outcomes)
    low, high = wilson(hits, len(outcomes))
    good, silent = sum(g for *_, g in outcomes), sum(n == 0 for _, _, n, _ in outcomes)
    precision = f"{good / listed:.2f}" if listed else "-"
    return f"{hits / len(outcomes):.2f} [{low:.2f}, {high:.2f}]", precision + (
        f" ({silent} list nothing)" if silent else ""
    )


def _paired(ours: list[Outcome], theirs: list[Outcome]) -> tuple[float, float, float]:
    """Difference of recall, with a bootstrap over edits."""
    common = sorted({e for e, *_ in ours} & {e for e, *_ in theirs})
    share = [np.array([_recall([o for o in x if o[0] == e]) for e in common]) for x in (ours, theirs)]
    difference = share[0] - share[1]
    drawn = difference[np.random.default_rng(0).integers(0, len(common), (_DRAWS, len(common)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)


def _ours_grid(result: dict[str, Any]) -> Grid:
    false = result["null"].get("ours", {})
    said = {
        "report_behaviour": f"{false.get('finding')} of {false.get('swaps')}",
        "report": f"{false.get('any')} of {false.get('swaps')}",
    }
    rows = tuple(
        (title, said.get(method, ""), *_said(_ours(result, method)))
        for method, title in METHODS.items()
        if method in OURS and method != "published"
    )
    return Grid(
        title="with tests",
        head=("method", "null reports with anything", f"recall@{TOP}", f"precision@{TOP}"),
        rows=rows,
    )


def _peer_grids(peers: list[_Peer]) -> tuple[Grid, ...]:
    if not peers:
        return ()
    head = (
        "method",
        "null reports with anything",
        f"recall@{TOP}",
        f"precision@{TOP}",
        f"recall@{TOP} at 5 % null reports",
        f"precision@{TOP}",
    )
    rows = tuple((p.title, p.null, *_said(p.raw), *_said(p.same)) for p in peers)
    grids = [Grid(title="peers, as they come and at the same false rate",
                  head=head, rows=rows)]  # fmt: skip
    head = ("method", "null reports with anything", f"recall@{TOP}", f"precision@{TOP}")
    for name, title in TESTS.items():
        tested = tuple((p.title, p.tested[name][1], *_said(p.tested[name][0])) for p in peers if p.tested)
        if tested:
            grids.append(Grid(title=f"HypotheSAEs: {title}", head=head, rows=tested))
    return tuple(grids)


def _interp_embed(found: dict[str, Any] | None) -> str:
    if found is None:
        return "interp_embed itself was not run: name a Python that has it (`--interp-embed PYTHON`)."
    if "failed" in found:
        return f"interp_embed itself was run and failed: {found['failed']}."

    def told(way: str) -> str:
        a = found[way]
        return (
            f"{a['presences_both']:,} of its {a['presences_theirs']:,} and our {a['presences_ours']:,} presences are "
            f"the same, {a['listed_both']:,} of its {a['listed_theirs']:,} and our {a['listed_ours']:,} listed features, "
            f"{a['top_both']} of the first {TOP}; {a['always_on_theirs_only']} features are on in every answer "
            f"for it alone; gaps differ by at most {a['largest_difference_of_gaps']:g}"
        )

    return (
        f"interp_embed {found['version']} itself, on our reader and SAE (fp32), {found['prompts']} prompts whose "
        f"answers have {found['words_at_most']} words at most, "
        f"{found['edited']} of them edited ({found['edit']}), took {found['seconds']:g} s and {found['peak_gb']:g} GB; "
        f"{found['failed_rows']} answers failed. The package has no diff of its own; its authors' script lists features "
        "whose share of texts differs by more than 3 points, which is the rule above. Against ours with the answer "
        f"alone: {told('answer_alone')}. With the prompt in context, as everywhere else here: "
        f"{told('prompt_in_context')}."
    )
