"""Is the model that answered the one that was asked?"""

from __future__ import annotations

import re

__all__ = ["another_model"]

_FAMILIES = frozenset(
    ("claude", "command", "deepseek", "gemini", "gemma", "glm", "gpt", "grok", "kimi", "llama", "mistral")
) | {"mixtral", "nova", "phi", "qwen", "smollm"}
_TIERS = frozenset(
    ("flash", "haiku", "large", "lite", "medium", "mini", "nano", "opus", "pro", "small", "sonnet", "ultra")
)
_SIZE = re.compile(r"\d+(?:\.\d+)?[bm]")
_VERSION = re.compile(r"[a-z]?\d{1,2}(?:\.\d{1,2})?[a-z]?")


def another_model(asked: str, served: str) -> bool:
    """Whether two names clearly stand for different models.

    Only a clear contradiction counts: two different known families, or within one family different
    versions, sizes or tiers. Dates, builds, ``latest``, paths and names nobody knows are no
    contradiction, since a server may call a model what it likes.
    """
    a, b = _words(asked), _words(served)
    if not a or not b or a == b:
        return False
    families = _families(a), _families(b)
    if families[0] and families[1]:
        if not families[0] & families[1]:
            return True
    elif a[0] != b[0]:
        return False
    if _differ({w for w in a if _SIZE.fullmatch(w)}, {w for w in b if _SIZE.fullmatch(w)}):
        return True
    if _differ(_versions(a), _versions(b)):
        return True
    return bool(families[0] and families[1]) and {*a} & _TIERS != {*b} & _TIERS


def _words(name: str) -> list[str]:
    """The name's parts: no path, no vendor, no variant after a colon, versions written with a dot."""
    last = name.lower().rstrip("/").rsplit("/", 1)[-1].split(":", 1)[0].removesuffix(".gguf")
    last = re.sub(r"(?<![\d.])(\d)[-_](\d)(?![\d.a-z])", r"\1.\2", last)
    return [word for word in re.split(r"[-_@ ]+", last) if word]


def _families(words: list[str]) -> set[str]:
    return {family for word in words if (family := word.rstrip("0123456789.")) in _FAMILIES}


def _versions(words: list[str]) -> set[str]:
    found = {w.removeprefix("v") for w in words if _VERSION.fullmatch(w) and not _SIZE.fullmatch(w)}
    glued = {m[1] for w in words if (m := re.fullmatch(r"[a-z]{2,}(\d{1,2}(?:\.\d{1,2})?)", w))}
    return {version.removesuffix(".0") for version in found | glued}


def _differ(a: set[str], b: set[str]) -> bool:
    return bool(a) and bool(b) and not a & b
