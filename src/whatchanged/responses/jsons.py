"""The names of `whatchanged.tables.jsons`, where they were before."""

from whatchanged.tables.jsons import *  # noqa: F403
