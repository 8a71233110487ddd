"""The notebook on disk: nbformat 4.5, written as a whole or not at all after every change that counts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whatchanged import store

__all__ = ["HIDDEN", "SKIPPED", "TOLERATED", "Notebook"]

HIDDEN = "whatchanged-setup"
"""Tag of the set-up cells: shown collapsed, run again with the rest."""
TOLERATED = "raises-exception"
"""Tag of cells that ended with an error; a notebook that is run again goes on after them."""
SKIPPED = "skip-execution"
"""Tag of cells that did not end by themselves (killed, interrupted): running them again would end no better."""


class Notebook:
    """Cells in the order in which a reader sees them.

    Args:
        path: Its file. A notebook that stands there is never overwritten: the name gets a number.
        title: Its name in the metadata.
    """

    def __init__(self, path: Path, *, title: str) -> None:
        self.path = _unused(path)
        self._cells: list[dict[str, Any]] = []
        self._metadata: dict[str, Any] = {
            "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
            "language_info": {"name": "python"},
            "title": title,
        }

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def cells(self) -> tuple[dict[str, Any], ...]:
        """The cells as they stand; treat them as read-only."""
        return tuple(self._cells)

    def add_markdown(self, text: str) -> dict[str, Any]:
        """A new markdown cell at the end."""
        return self._add({"cell_type": "markdown", "metadata": {}, "source": text})

    def add_code(self, source: str, *, hidden: bool = False) -> dict[str, Any]:
        """A new code cell at the end, not yet run; a hidden one is collapsed."""
        metadata: dict[str, Any] = {}
        if hidden:
            metadata = {"tags": [HIDDEN], "jupyter": {"source_hidden": True, "outputs_hidden": True}}
        return self._add({
            "cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None,
        })  # fmt: skip

    def remove(self, cell: dict[str, Any]) -> None:
        """Take a cell out again."""
        del self._cells[self.index(cell)]

    def code_cells(self) -> list[dict[str, Any]]:
        """The code cells a reader sees, in their order."""
        return [cell for cell in self._cells if cell["cell_type"] == "code" and not is_hidden(cell)]

    def index(self, cell: dict[str, Any]) -> int:
        """Place of a cell among all."""
        return next(place for place, other in enumerate(self._cells) if other is cell)

    def describe_language(self, language: dict[str, Any]) -> None:
        """Keep what the kernel says of itself."""
        self._metadata["language_info"] = {"name": "python"} | language

    def save(self) -> None:
        """Write the file, whole or not at all."""
        store.write_json(self.path, {
            "nbformat": 4, "nbformat_minor": 5, "metadata": self._metadata, "cells": list(self._written()),
        })  # fmt: skip

    def _written(self) -> Iterator[dict[str, Any]]:
        for cell in self._cells:
            yield {key: value for key, value in cell.items() if not key.startswith("_")}

    def _add(self, cell: dict[str, Any]) -> dict[str, Any]:
        cell = {"id": uuid.uuid4().hex[:12], **cell}
        self._cells.append(cell)
        return cell


def is_hidden(cell: dict[str, Any]) -> bool:
    """Whether it is a set-up cell."""
    return HIDDEN in cell["metadata"].get("tags", ())


def tag(cell: dict[str, Any], name: str | None) -> None:
    """Set the one tag that says how a cell ended; ``None`` removes it."""
    tags = [one for one in cell["metadata"].get("tags", ()) if one not in {TOLERATED, SKIPPED}]
    if name:
        tags.append(name)
    if tags:
        cell["metadata"]["tags"] = tags
    else:
        cell["metadata"].pop("tags", None)


def _unused(path: Path) -> Path:
    number = 1
    unused = path
    while unused.exists():
        number += 1
        unused = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return unused
