"""The page's values through the templates: HTML with autoescape, markdown with its own escape."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from whatchanged.report import numbers, visible, words
from whatchanged.report.escape import inline, stretch
from whatchanged.report.view import Page

__all__ = ["html", "markdown", "notebook"]

_FILTERS = {
    "dollars": numbers.dollars,
    "measure": numbers.measure,
    "number": numbers.number,
    "percent": numbers.percent,
    "pixel": numbers.pixel,
    "points": numbers.points,
    "probability": numbers.probability,
    "signed": numbers.signed,
}
_WORDS = {"kinds": words.KINDS, "length_words": words.LENGTH, "verdicts": words.VERDICTS}


@cache
def _assets() -> dict[str, str]:
    folder = files("whatchanged.report") / "assets"
    return {a.name: a.read_text(encoding="utf-8").rstrip("\n") for a in folder.iterdir() if a.is_file()}


def _spelled(value: Any) -> Any:
    """Every text that is not markup already is made visible before it is escaped."""
    return visible.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _html_environment() -> Environment:
    environment = Environment(
        loader=DictLoader(_assets()),
        autoescape=True,
        finalize=_spelled,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _FILTERS | {
        "line": visible.line,
        "first_words": visible.first_words,
        "show_space": visible.show_space,
    }
    environment.globals |= _WORDS
    return environment


def _finished(value: Any) -> Any:
    """Every text that no filter has finished is escaped for markdown."""
    return inline(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _markdown_environment() -> Environment:
    environment = Environment(
        loader=DictLoader(_assets()),
        autoescape=True,
        finalize=_finished,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: _safe(write) for name, write in _FILTERS.items()} | {
        "line": visible.line,
        "first_words": visible.first_words,
        "show_space": visible.show_space,
        "stretch": stretch,
    }
    environment.globals |= _WORDS
    return environment


def _safe(write: Any) -> Any:
    """A number's filter whose result needs no escape: digits, signs and units only."""
    return lambda value: Markup(write(value))


def _script_hash() -> str:
    """The one script the page may run, as a CSP source."""
    digest = hashlib.sha256(_assets()["report.js"].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def html(page: Page) -> str:
    """The page as one self-contained file: no request leaves it, and only its own script may run."""
    return _html_environment().get_template("report.html.j2").render(page=page, script_source=_script_hash())


def notebook(document: str, title: str) -> str:
    """The document in a sandboxed frame, for a notebook's output cell."""
    return _html_environment().get_template("notebook.html.j2").render(document=document, title=title)


def markdown(page: Page, *, figures: bool = False) -> str:
    """The same content in markdown.

    Args:
        page: The page.
        figures: Whether ``figures/*.png`` stand beside the file, and are shown.
    """
    template = _markdown_environment().get_template("report.md.j2")
    return template.render(page=page, figures=figures).rstrip("\n") + "\n"
