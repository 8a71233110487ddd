"""Scoped access: an agent calls chosen functions of a sandbox it cannot otherwise reach."""

from whatchanged.lab.scoped.sandbox import ScopedSandbox

__all__ = ["ScopedSandbox"]
