"""The names of `whatchanged.tables.cells`, where they were before."""

from whatchanged.tables.cells import *  # noqa: F403
