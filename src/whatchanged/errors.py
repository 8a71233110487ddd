"""Everything the world can do to us, in one tree.

::

    WhatchangedError                    base of them all
    ├── InputError(also ValueError)     a file or table we were given cannot be read as answers
    ├── MissingExtra(also ImportError)  an optional dependency is not installed; names the command
    ├── ModelError                      a reader or checkpoint cannot be loaded or run
    │   └── CorruptCache                cached weights do not match their checksum and cannot be rebuilt
    ├── SAEError                        a dictionary cannot be read
    │   └── MismatchError               the dictionary does not belong to this model, layer or hook point
    └── StoreError                      a run folder or shard is damaged, locked or from another version

A caller's mistake is a ``ValueError`` or ``TypeError``; a broken invariant is an ``AssertionError``.
"""

from __future__ import annotations

__all__ = [
    "CorruptCache",
    "InputError",
    "MismatchError",
    "MissingExtra",
    "ModelError",
    "SAEError",
    "StoreError",
    "WhatchangedError",
]


class WhatchangedError(Exception):
    """Base of every failure that is the world's and not the caller's."""


class InputError(WhatchangedError, ValueError):
    """Input that cannot be read as prompts and answers.

    Args:
        problem: What is wrong, what came instead, and what to do.
        where: File and line (``answers.jsonl:17``), or a name of the object.
    """

    def __init__(self, problem: str, *, where: str | None = None) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where


class MissingExtra(WhatchangedError, ImportError):
    """An optional dependency is not installed.

    Args:
        package: The import name that failed.
        extra: The extra of this package that installs it.
        purpose: What it is needed for, as the end of "... is needed to".
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{package} is needed to {purpose}, and is not installed; run: pip install 'whatchanged[{extra}]'"
        )
        self.package = package
        self.extra = extra


class ModelError(WhatchangedError):
    """A reader or checkpoint cannot be loaded or run."""


class CorruptCache(ModelError):
    """Cached weights do not match their checksum and could not be rebuilt."""


class SAEError(WhatchangedError):
    """A sparse autoencoder cannot be read."""


class MismatchError(SAEError):
    """A sparse autoencoder that does not belong to this model, layer or hook point."""


class StoreError(WhatchangedError):
    """A run folder or shard that is damaged, in use, or written by another version."""
