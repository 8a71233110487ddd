"""Stretches of answers that show a finding, from both checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Evidence
from whatchanged.interpret.activity import ActivityReader
from whatchanged.text.words import Span

__all__ = ["evidence"]

REACH = 12  # tokens (or words) to either side of the peak
TRIED = 4  # answers opened per stretch wanted, before giving up on more

Stretch = tuple[tuple[str, ...], tuple[float, ...], bool, bool]


def evidence(
    diff: Diff, reader: ActivityReader, i: int, signs: NDArray[np.int8], *, examples: int = 6
) -> tuple[Evidence, ...]:
    """Strongest stretches of a candidate: half from the side with more of it, half from the other.

    A side that has too few leaves its places to the other. Prompts do not repeat, and neither do texts.
    On the gaining side, prompts that moved the way the finding says come first.

    Args:
        diff: The diff.
        reader: Reads the answers.
        i: Index of the candidate.
        signs: On which prompts each candidate moved, ``[candidates, prompts]``.
        examples: Most stretches.
    """
    c = reader.chosen[i]
    moved = signs[i] == c.direction
    first = _ranked(diff, reader, i, c.gaining, moved)
    second = _ranked(diff, reader, i, c.losing, np.zeros_like(moved))
    used: set[str] = set()
    texts: set[tuple[str, ...]] = set()
    losing = _take(diff, reader, i, second, examples // 2, set(), set())
    gaining = _take(diff, reader, i, first, examples - len(losing), used, texts)
    # the other side again, now that its prompts must differ from those shown
    rest = _take(diff, reader, i, second, examples - len(gaining), used, texts)
    return (*gaining, *rest)


def _ranked(diff: Diff, reader: ActivityReader, i: int, model: str, moved: NDArray[np.bool_]) -> list[int]:
    """Answers of one checkpoint in which the candidate is active, discordant ones first, then by strength."""
    c, answers = reader.chosen[i], diff.responses.answers
    family, position = diff.family(c.kind), diff.responses.prompts.position
    found = []
    for entry in np.flatnonzero(family.column == c.column):
        answer = int(family.row[entry])
        if answers[answer].model == model:
            here = bool(moved[position[answers[answer].prompt_id]])
            found.append((not here, -float(family.maximum[entry]), answer))
    return [answer for *_, answer in sorted(found)]


def _take(
    diff: Diff,
    reader: ActivityReader,
    i: int,
    ranked: Sequence[int],
    most: int,
    used: set[str],
    texts: set[tuple[str, ...]],
) -> tuple[Evidence, ...]:
    shown: list[Evidence] = []
    opened = 0
    for answer in ranked:
        if len(shown) >= most or opened >= TRIED * most:
            break
        a = diff.responses.answers[answer]
        if a.prompt_id in used:
            continue
        opened += 1
        stretch = _stretch(reader, i, answer)
        if stretch is None or stretch[0] in texts:
            continue
        tokens, activations, left, right = stretch
        used.add(a.prompt_id)
        texts.add(tokens)
        shown.append(
            Evidence(
                model=a.model,
                prompt_id=a.prompt_id,
                sample=a.sample,
                tokens=tokens,
                activations=activations,
                cut_left=left,
                cut_right=right,
            )
        )
    return tuple(shown)


def _stretch(reader: ActivityReader, i: int, answer: int) -> Stretch | None:
    """Tokens around the strongest occurrence; ``None`` where the candidate has no place in the text."""
    side = reader.read(answer)
    mine = np.flatnonzero(side.candidate == i)
    shown = mine[side.relevant[mine]]
    if not len(shown):
        return None
    peak = shown[np.lexsort((side.unit[shown], -side.value[shown]))[0]]
    if reader.chosen[i].kind == "feature":
        at = int(side.unit[peak])
        lo, hi = max(0, at - REACH), min(len(side.tokens), at + REACH + 1)
        activation = np.zeros(len(side.tokens))
        activation[side.unit[mine]] = side.value[mine]
        return side.tokens[lo:hi], tuple(activation[lo:hi].tolist()), lo > 0, hi < len(side.tokens)
    layout, at = side.layout, int(side.word[peak])
    lo, hi = max(0, at - REACH), min(len(layout), at + REACH + 1)
    window = (int(layout.start[lo]), int(layout.start[hi]) if hi < len(layout) else len(layout.text))
    c = reader.chosen[i]
    spans = reader.spans(answer).get((c.kind, c.name), [])
    tokens, activations = _pieces(layout.text, layout.start[lo:hi].tolist(), window, spans)
    return tokens, activations, lo > 0, hi < len(layout)


def _pieces(
    text: str, starts: Sequence[int], window: Span, spans: Sequence[Span]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The window cut at its words and at the ends of the matches; 1 on what matched, 0 elsewhere."""
    lo, hi = window
    inside = [(max(s, lo), min(e, hi)) for s, e in spans if s < hi and e > lo]
    edges = sorted({lo, hi, *starts, *(p for span in inside for p in span)})
    cuts = list(pairwise(edges))
    matched = [any(s <= a and b <= e for s, e in inside) for a, b in cuts]
    return tuple(text[a:b] for a, b in cuts), tuple(float(m) for m in matched)
