"""The names of `whatchanged.tables.delimited`, where they were before."""

from whatchanged.tables.delimited import *  # noqa: F403
