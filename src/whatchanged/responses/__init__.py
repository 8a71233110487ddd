"""Answers in: loaded from files, kept in a run folder, screened before they are compared."""

from __future__ import annotations

from whatchanged.responses.folder import open_folder, save
from whatchanged.responses.load import load
from whatchanged.responses.truncated import without_truncated
from whatchanged.tables.rows import Source
from whatchanged.text.screen import Screen, SideScreen, screen

__all__ = ["Screen", "SideScreen", "Source", "load", "open_folder", "save", "screen", "without_truncated"]
