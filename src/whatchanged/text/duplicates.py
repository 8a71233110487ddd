"""Near-duplicate prompts, which must not count as independent ones."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

__all__ = ["clusters", "jaccard", "near_duplicates", "shingles"]

_SHINGLE = 5
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
_IGNORED = frozenset(".,!?;:'\"()“”‘’…")
_FILLER = frozenset({"a", "an", "the", "please", "kindly", "just", "hi", "hello", "hey", "thanks", "thank"})
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-–](?=[^\W\d_])")


def _tokens(text: str) -> list[str]:
    """Words and meaningful symbols; case, spacing, sentence punctuation and fillers are gone."""
    folded = _HYPHEN.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    tokens = [t for t in _TOKEN.findall(folded) if t not in _IGNORED]
    return [t for t in tokens if t not in _FILLER] or tokens


def _shingles(tokens: Sequence[str]) -> frozenset[str]:
    joined = " ".join(tokens)
    return frozenset(joined[i : i + _SHINGLE] for i in range(max(len(joined) - _SHINGLE + 1, 1)))


def shingles(text: str) -> frozenset[str]:
    """All five-character shingles of the normalised text; a text shorter than that is its own."""
    return _shingles(_tokens(text))


def jaccard(a: str, b: str) -> float:
    """Shared over all five-character shingles of two normalised texts, 0 to 1; 1 for two empty ones."""
    x, y = shingles(a), shingles(b)
    return len(x & y) / len(x | y)


def _one_letter_apart(a: str, b: str) -> bool:
    """Whether two words of at least four letters differ by one letter put in, left out or changed."""
    if min(len(a), len(b)) < 4 or abs(len(a) - len(b)) > 1 or not (a.isalpha() and b.isalpha()):
        return False
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    return a[i + 1 :] == b[i + 1 :] or a[i:] == b[i + 1 :] or a[i + 1 :] == b[i:]


def _same_content(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether the words by which two texts differ pair off as spelling variants."""
    x, y = Counter(a), Counter(b)
    right = list((y - x).elements())
    for word in (x - y).elements():
        twin = next((w for w in right if _one_letter_apart(word, w)), None)
        if twin is None:
            return False
        right.remove(twin)
    return not right


def near_duplicates(texts: Sequence[str], *, threshold: float = 0.7) -> Iterator[tuple[int, int]]:
    """All pairs of near-duplicates, each once, by a prefix-filtered inverted index (exact).

    See `clusters` for what counts as one.

    Raises:
        ValueError: The threshold is not in (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1; got {threshold}; 0.7 is the default")
    tokens = [_tokens(text) for text in texts]
    sets = [_shingles(t) for t in tokens]
    frequency = Counter(gram for grams in sets for gram in grams)
    index: dict[str, list[int]] = {}
    for i in sorted(range(len(texts)), key=lambda i: (len(sets[i]), i)):
        rare_first = sorted(sets[i], key=lambda gram: (frequency[gram], gram))
        # Two sets with Jaccard >= t share one of the rarest |x| - ceil(t |x|) + 1 shingles of each.
        prefix = rare_first[: len(rare_first) - _ceil(threshold * len(rare_first)) + 1]
        for j in sorted({j for gram in prefix for j in index.get(gram, ())}):
            if len(sets[j]) < threshold * len(sets[i]):
                continue
            shared = len(sets[i] & sets[j])
            union = len(sets[i]) + len(sets[j]) - shared
            if shared >= threshold * union and _same_content(tokens[i], tokens[j]):
                yield (min(i, j), max(i, j))
        for gram in prefix:
            index.setdefault(gram, []).append(i)


def _ceil(value: float) -> int:
    """Smallest whole number not below, rounding errors forgiven downwards (a longer prefix is safe)."""
    return int(-(-(value - 1e-9) // 1))


def clusters(texts: Sequence[str], *, threshold: float = 0.7) -> list[int]:
    """Numbers the clusters of near-duplicate texts.

    Case, spacing, sentence punctuation and fillers (articles, *please*, greetings) are passed over.
    Two texts are near-duplicates when their five-character shingles have a Jaccard similarity of at
    least ``threshold`` *and* the words they do not share pair off as spelling variants, one letter
    apart.
    The second condition keeps apart what merely shares a template, however long: *translate "cat"*
    and *translate "dog"*, ``17 + 25`` and ``17 + 26``. A chain of near-duplicates is one cluster.

    Args:
        texts: The texts.
        threshold: Least Jaccard similarity, in (0, 1].

    Returns:
        For each text the position of the first text of its cluster.

    Raises:
        ValueError: The threshold is not in (0, 1].
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in near_duplicates(texts, threshold=threshold):
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    return [root(i) for i in range(len(texts))]
