"""Reading a report as a browser or a Markdown renderer would: elements, words, and what is more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from markdown_it import MarkdownIt

LIVELY = {"html_block", "html_inline", "link_open", "image", "fence", "code_block", "code_inline"}


class Element:
    """An element of a parsed page."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element | str] = []

    def all(self, tag: str = "", **wanted: str) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                names = {k.rstrip("_").replace("_", "-"): v for k, v in wanted.items()}
                if tag in {"", child.tag} and all(
                    v in (child.attributes.get(k) or "").split() for k, v in names.items()
                ):
                    yield child
                yield from child.all(tag, **wanted)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    @property
    def words(self) -> str:
        return re.sub(r"[ \n]+", " ", self.text).strip()


class Parser(HTMLParser):
    """Builds elements with the standard library's parser."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.now = Element("root", {}, None)
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs}, self.now)
        self.now.children.append(element)
        if tag not in self.VOID:
            self.now = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.now.children.append(Element(tag, {k: v or "" for k, v in attrs}, self.now))

    def handle_endtag(self, tag: str) -> None:
        assert self.now.tag == tag, f"</{tag}> closes <{self.now.tag}>"
        assert self.now.parent is not None
        self.now = self.now.parent

    def handle_data(self, data: str) -> None:
        self.now.children.append(data)


def pp(value: float) -> str:
    """Percentage points, written here a second time, by hand."""
    return f"{100 * value:+.1f}".replace("-", "−")


def one(page: Element, tag: str, **wanted: str) -> Element:
    (element,) = page.all(tag, **wanted)
    return element


def lively_markdown(text: str) -> set[str]:
    """Kinds of Markdown that do more than show text; none in a report, whatever models wrote."""
    kinds = set()
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        kinds |= {token.type} | {child.type for child in token.children or ()}
    return kinds & LIVELY
