"""Near-duplicate texts: prompts that must not count as independent ones, answers that come again."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache

__all__ = ["clusters", "jaccard", "near_duplicates", "overlap", "repeated", "shingles"]

_SHINGLE = 5
_BITS = 4096
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
    return overlap(shingles(a), shingles(b))


def overlap(x: frozenset[str], y: frozenset[str]) -> float:
    """Jaccard similarity of two sets of `shingles`, 0 to 1."""
    shared = len(x & y)
    return shared / (len(x) + len(y) - shared)


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


def _alike(
    sets: Sequence[frozenset[str]], threshold: float, wanted: Callable[[int, int], bool]
) -> Iterator[tuple[int, int]]:
    """All pairs of sets with at least this Jaccard similarity that are wanted, by a prefix-filtered index (exact).

    ``wanted`` is asked just before a pair is compared, so it may depend on the pairs found so far.
    """

    @cache
    def bits(i: int) -> int:
        found = bytearray(_BITS // 8)
        for gram in sets[i]:
            place = hash(gram) % _BITS
            found[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(found, "little")

    frequency = Counter(gram for grams in sets for gram in grams)
    index: dict[str, list[int]] = {}
    for i in sorted(range(len(sets)), key=lambda i: (len(sets[i]), i)):
        rare_first = sorted(sets[i], key=lambda gram: (frequency[gram], gram))
        # Two sets with Jaccard >= t share one of the rarest |x| - ceil(t |x|) + 1 shingles of each.
        prefix = rare_first[: len(rare_first) - _ceil(threshold * len(rare_first)) + 1]
        for j in sorted(set[int]().union(*(index.get(gram, ()) for gram in prefix))):
            if len(sets[j]) < threshold * len(sets[i]) or not wanted(i, j):
                continue
            # Jaccard >= t leaves at most (1 - t) / (1 + t) of |x| + |y| to differ, and bits differ no more than sets.
            apart = (1 - threshold) / (1 + threshold) * (len(sets[i]) + len(sets[j]))
            if (bits(i) ^ bits(j)).bit_count() > apart + 1e-9:
                continue
            shared = len(sets[i] & sets[j])
            union = len(sets[i]) + len(sets[j]) - shared
            if shared >= threshold * union:
                yield (min(i, j), max(i, j))
        for gram in prefix:
            index.setdefault(gram, []).append(i)


def near_duplicates(texts: Sequence[str], *, threshold: float = 0.7) -> Iterator[tuple[int, int]]:
    """All pairs of near-duplicates, each once.

    See `clusters` for what counts as one.

    Raises:
        ValueError: The threshold is not in (0, 1].
    """
    _check(threshold)
    tokens = [_tokens(text) for text in texts]
    for i, j in _alike([_shingles(t) for t in tokens], threshold, lambda i, j: True):
        if _same_content(tokens[i], tokens[j]):
            yield i, j


def repeated(
    texts: Sequence[frozenset[str]], groups: Sequence[Hashable], *, threshold: float = 0.9
) -> list[bool]:
    """Which texts come again, in the same or nearly the same words, in another group.

    Args:
        texts: The `shingles` of the texts, such as the answers of one checkpoint.
        groups: Group of each text, such as the prompt it answers; likeness within a group does not count.
        threshold: Least Jaccard similarity, in (0, 1]; see `jaccard`.

    Raises:
        ValueError: The threshold is not in (0, 1].
    """
    _check(threshold)
    members: dict[frozenset[str], set[Hashable]] = {}  # equal texts are compared once
    for text, group in zip(texts, groups, strict=True):
        members.setdefault(text, set()).add(group)
    distinct = list(members)
    found = [len(members[text]) > 1 for text in distinct]

    def wanted(i: int, j: int) -> bool:
        return not (found[i] and found[j]) and len(members[distinct[i]] | members[distinct[j]]) > 1

    for i, j in _alike(distinct, threshold, wanted):
        found[i] = found[j] = True
    again = dict(zip(distinct, found, strict=True))
    return [again[text] for text in texts]


def _check(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(
            f"threshold must be above 0 and at most 1; got {threshold}; 0.7 suits prompts, 0.9 answers"
        )


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

    first: dict[str, int] = {}  # equal texts are compared once
    for i, text in enumerate(texts):
        parent[i] = first.setdefault(text, i)
    places = list(first.values())
    for i, j in near_duplicates(list(first), threshold=threshold):
        a, b = sorted((root(places[i]), root(places[j])))
        parent[b] = a
    return [root(i) for i in range(len(texts))]
