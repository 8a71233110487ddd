"""Untrusted text in markdown: every value a template prints goes through here.

What is finished is marked as `Markup`, so the template engine does not escape it again for HTML.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from whatchanged.report.visible import visible

__all__ = ["inline", "stretch"]

_MARKS = re.compile(r"([\\`*_{}\[\]#~|$^!])")
_START = re.compile(r"^([-+=>]|\d+[.)])")
_ADDRESS = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(www)(\.)|(@)")


def inline(text: str) -> Markup:
    """Text as it stands within one line or table cell: no markup, no HTML, no link, no line break."""
    flat = visible(text).replace("\n", " \u21b5 ").replace("\t", " ")
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = _MARKS.sub(r"\\\1", flat)
    flat = _ADDRESS.sub(_unlink, flat)
    return Markup(_START.sub(_first, flat.strip()))


def _unlink(found: re.Match[str]) -> str:
    """An address a renderer would turn into a link, with its sign as an entity."""
    if found[5]:
        return "&#64;"
    return f"{found[1]}&#58;" if found[1] else f"{found[3]}&#46;"


def _first(found: re.Match[str]) -> str:
    """A start that would make a list, a heading or a quote, with its sign escaped."""
    return f"{found[1][:-1]}\\{found[1][-1]}"


def stretch(text: str) -> Markup:
    """Like `inline`, but white space at the ends of a token stays."""
    body = text.strip()
    if not body:
        return Markup(visible(text).replace("\n", " ").replace("\t", " "))
    lead, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return Markup(stretch(lead) + inline(body) + stretch(tail)) if lead or tail else inline(body)
