"""Everything the world can do to us, in one tree.

::

    WhatchangedError                    base of them all
    ├── InputError(also ValueError)     a file or table we were given cannot be read as answers
    ├── MissingExtra(also ImportError)  an optional dependency is not installed; names the command
    ├── ModelError                      a reader or checkpoint cannot be loaded or run
    │   └── CorruptCache                cached weights do not match their checksum and cannot be rebuilt
    ├── LLMError                        a chat model did not answer one request
    │   ├── RateLimited                 it asked us to slow down (429)
    │   ├── Unavailable                 it could not be reached, failed or took too long (5xx, reset, timeout)
    │   ├── BadReply                    it sent something that is no answer (malformed, empty choices)
    │   ├── ContentRefused              its API refused to answer this prompt (content filter)
    │   ├── RequestRejected             it will never accept this request (400, 413, 422)
    │   ├── AccessDenied                no key, a wrong one, no credit, or no such model (401-404)
    │   └── BudgetExhausted             the next request could pass the limit of cost or time; nothing was sent
    ├── SAEError                        a dictionary cannot be read
    │   └── MismatchError               the dictionary does not belong to this model, layer or hook point
    ├── LabError                        the lab could not do its work
    │   ├── KernelError                 a notebook's kernel cannot be started, or was shut down
    │   ├── CellError(also RuntimeError)  a cell of a notebook did not end well
    │   ├── PlanFailed                  an answer was not what an agent's recorded plan expects
    │   └── SandboxError                a sandbox cannot be had or used
    │       ├── SecretMissing           a secret it was asked for is not there
    │       ├── RepoError               git could not clone a repository, or its install failed
    │       ├── PackageError            pip or the system lacks a package
    │       ├── IsolationUnavailable    this machine cannot isolate it
    │       ├── SandboxFileError(also OSError)  a file in it cannot be read or written
    │       └── SandboxEnded            it is over
    │           ├── TimeLimit           its time was up
    │           └── ResourceLimit       it took more memory, disk or processes than allowed
    └── StoreError                      a run folder or shard is damaged, locked or from another version

A caller's mistake is a ``ValueError`` or ``TypeError``; a broken invariant is an ``AssertionError``.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AccessDenied",
    "BadReply",
    "BudgetExhausted",
    "CellError",
    "ContentRefused",
    "CorruptCache",
    "InputError",
    "IsolationUnavailable",
    "KernelError",
    "LLMError",
    "LabError",
    "MismatchError",
    "MissingExtra",
    "ModelError",
    "PackageError",
    "PlanFailed",
    "RateLimited",
    "RepoError",
    "RequestRejected",
    "ResourceLimit",
    "SAEError",
    "SandboxEnded",
    "SandboxError",
    "SandboxFileError",
    "SecretMissing",
    "StoreError",
    "TimeLimit",
    "Unavailable",
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


class LLMError(WhatchangedError):
    """A chat model did not answer one request.

    The message never holds a secret: it is redacted before it is raised.

    Args:
        problem: What happened, and what to do.
        status: HTTP status, where there was one.
        retry_after: Seconds the server asked to wait, where it said so.
        usage: What the provider counted all the same (``prompt_tokens``, ``completion_tokens``,
            ``cost``), where it said so.
        free: Whether the provider certainly charged nothing: it refused, or was never reached.
    """

    retryable = False
    """Whether the same request may succeed later."""

    kind = "failed"
    """Short name of the failure in logs and counts."""

    def __init__(
        self,
        problem: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        usage: Mapping[str, float | None] | None = None,
        free: bool = False,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.retry_after = retry_after
        self.usage = usage
        self.free = free


class RateLimited(LLMError):
    """The server asked us to slow down."""

    retryable = True
    kind = "rate_limited"


class Unavailable(LLMError):
    """The server could not be reached, failed, or took too long."""

    retryable = True
    kind = "unavailable"


class BadReply(LLMError):
    """The server sent something that is no answer: malformed, cut off, without choices, or of another model."""

    retryable = True
    kind = "bad_reply"


class ContentRefused(LLMError):
    """The API refused to answer this prompt; asking again will not help."""

    kind = "content_refused"


class RequestRejected(LLMError):
    """The server will never accept this request."""

    kind = "request_rejected"


class AccessDenied(LLMError):
    """No key, a wrong one, no credit, or no such model: every further request would fail as well."""

    kind = "access_denied"


class BudgetExhausted(LLMError):
    """The next request could pass the limit of cost or time, so it was not sent."""

    kind = "budget_exhausted"


class SAEError(WhatchangedError):
    """A sparse autoencoder cannot be read."""


class MismatchError(SAEError):
    """A sparse autoencoder that does not belong to this model, layer or hook point."""


class LabError(WhatchangedError):
    """The lab could not do its work."""


class KernelError(LabError):
    """A notebook's kernel cannot be started, or was shut down."""


class CellError(LabError, RuntimeError):
    """A cell of a notebook raised, was interrupted, or ended with its kernel.

    Args:
        problem: Name and message of the exception, without secrets.
        result: The cell (a `whatchanged.lab.execution.CellResult`); its outputs hold the traceback.
    """

    def __init__(self, problem: str, *, result: object) -> None:
        super().__init__(problem)
        self.result = result


class PlanFailed(LabError):
    """A tool's answer was not what an agent's recorded plan expects; holds the end of the answer."""


class SandboxError(LabError):
    """A sandbox cannot be had or used. The message holds no value of a secret."""


class SecretMissing(SandboxError):
    """A secret that was asked for is neither in the environment nor in ``.env``; nothing was started."""


class RepoError(SandboxError):
    """git could not clone a repository or find the ref, or its ``install`` command failed; holds their own words."""


class PackageError(SandboxError):
    """A package could not be installed; holds pip's own words, or the name the system lacks."""


class IsolationUnavailable(SandboxError):
    """This machine cannot isolate a sandbox as asked."""


class SandboxFileError(SandboxError, OSError):
    """A file in the sandbox that does not exist, is a folder, is forbidden, or too large."""


class SandboxEnded(SandboxError):
    """The sandbox is over: it was terminated, or died."""


class TimeLimit(SandboxEnded):
    """The sandbox passed its wall-clock limit, and every process in it was ended."""


class ResourceLimit(SandboxEnded):
    """The sandbox took more memory, disk or processes than allowed, and every process in it was ended."""


class StoreError(WhatchangedError):
    """A run folder or shard that is damaged, in use, or written by another version."""
