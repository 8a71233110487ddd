"""The names of `whatchanged.tables.rows`, where they were before."""

from whatchanged.tables.rows import *  # noqa: F403
