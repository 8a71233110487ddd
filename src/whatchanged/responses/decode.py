"""The names of `whatchanged.tables.decode`, where they were before."""

from whatchanged.tables.decode import *  # noqa: F403
