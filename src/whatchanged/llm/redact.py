"""Secrets taken out of whatever could be read later: messages, logs, notebooks, exception chains."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

__all__ = ["Redactor"]

_BUILT_IN = ("object", "filename", "filename2", "strerror", "text", "msg")
"""Where Python's own exceptions keep text outside of their arguments."""

_SHORTEST = 4
_SHORTEST_CODED = 8


class Redactor:
    """Replaces secrets by ``[NAME]``, also where they were encoded on the way.

    Known forms: plain; base64 and its URL-safe alphabet, at any place within a longer encoded text;
    hex in either case; these also backwards; percent-encoded; escaped as in JSON, ``repr`` and HTML. Secrets
    of fewer than 4 characters are left alone, and so are encoded forms of fewer than 8, which would hit
    ordinary text. For texts that hold secrets in pieces see `whatchanged.llm.scattered`.

    Args:
        secrets: Values by the names that stand in their place. Empty values are passed over.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        forms: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _forms(value):
                forms.setdefault(form, f"[{name}]")
        self._forms = dict(sorted(forms.items(), key=lambda item: -len(item[0])))

    def __call__(self, text: str) -> str:
        """The text without secrets. Redact before cutting: half a secret is not recognised."""
        for form, name in self._forms.items():
            if form in text:
                text = text.replace(form, name)
        return text

    def inside(self, text: str) -> bool:
        """Whether the text holds a secret in any of its forms."""
        return any(form in text for form in self._forms)

    @property
    def forms(self) -> Mapping[str, str]:
        """Every form that is looked for, longest first, and what stands in its place."""
        return self._forms

    @property
    def longest(self) -> int:
        """Length of the longest form; who redacts a stream keeps so many characters back."""
        return max(map(len, self._forms), default=0)

    def scrub(self, error: BaseException) -> None:
        """Redact an exception in place, with its notes, its causes and contexts, and members of groups."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            one.args = tuple(self._value(value) for value in one.args)
            for name in (*vars(one), *_BUILT_IN):
                value = getattr(one, name, None)
                if name != "args" and isinstance(value, str | bytes | list | tuple | dict):
                    setattr(one, name, self._value(value))
            waiting += [one.__cause__, one.__context__]
            if isinstance(one, BaseExceptionGroup):
                waiting += one.exceptions

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, bytes):
            found = self(value.decode("utf-8", "surrogateescape"))
            return found.encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return {self._value(key): self._value(item) for key, item in value.items()}
        if type(value) in {list, tuple}:
            assert isinstance(value, list | tuple)
            return type(value)(self._value(item) for item in value)
        return value


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < _SHORTEST:
        return
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    every = "".join(f"%{byte:02X}" for byte in raw)
    for coded in (
        quote(secret, safe="", errors="surrogateescape"),
        quote_plus(secret, errors="surrogateescape"),
        every,
    ):
        yield coded
        yield _lower_escapes(coded)
    for escaped in (json.dumps(secret), repr(secret)):
        yield escaped[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield html.escape(secret)
    yield secret[::-1]
    for coded in (raw.hex(), raw.hex().upper(), *_base64(raw)):
        if len(coded) >= _SHORTEST_CODED:
            yield coded
            yield coded[::-1]


def _lower_escapes(text: str) -> str:
    parts = text.split("%")
    return parts[0] + "".join("%" + part[:2].lower() + part[2:] for part in parts[1:])


def _base64(raw: bytes) -> Iterator[str]:
    """What of the base64 text depends on the secret alone, at each of the three alignments."""
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * offset + raw).decode()[first:whole]
