"""Answers in: loaded from files, kept in a run folder, screened before they are compared."""

from __future__ import annotations

from whatchanged.responses.folder import open_folder, save
from whatchanged.responses.load import load
from whatchanged.responses.screen import Screen, SideScreen, screen
from whatchanged.tables.rows import Source

__all__ = ["Screen", "SideScreen", "Source", "load", "open_folder", "save", "screen"]
