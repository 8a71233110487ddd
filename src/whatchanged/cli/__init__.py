"""The command line: ``whatchanged VERB``. The verbs are those of the library.

Exit codes: 0 fine (changes found or not), 1 only from ``check`` and ``report --verify``, 2 a mistake in the
call, 3 the world failed.
"""

from whatchanged.cli import stages, series, collect, prompts, check, demo, sae, lab  # noqa: F401, I001  (importing registers; this is the order of --help)
from whatchanged.cli.app import app, main

__all__ = ["app", "main"]
