"""Run a script that imports ``src``: ``python -m whatchanged.lab.alias SCRIPT [ARGUMENT ...]``.

In that process ``src`` *is* this lab: ``src.environment`` and the like are the very modules of ``whatchanged.lab``.
Nothing is installed under that name, and no other process is touched.
"""

from __future__ import annotations

import logging
import runpy
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from whatchanged.errors import WhatchangedError

__all__ = ["alias", "main"]

_ALIAS, _REAL = "src", "whatchanged.lab"
_ELSEWHERE = {
    "src.environment.scoped_sandbox": "whatchanged.lab.scoped",
    "src.execution.local_session": "whatchanged.lab.execution",
    "src.execution.notebook_session": "whatchanged.lab.execution",
    "src.harness.agent": "whatchanged.lab.harness",
}
"""Modules that scripts import and that are called otherwise here."""


class _Alias(MetaPathFinder, Loader):
    """Finds ``src`` and what is below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _ALIAS and not fullname.startswith(f"{_ALIAS}."):
            return None
        real = _real(fullname)
        return spec_from_loader(fullname, self) if find_spec(real) is not None else None

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what stands here now for the module, and leaves the real one's own spec alone.
        sys.modules[module.__name__] = import_module(_real(module.__name__))


def _real(name: str) -> str:
    return _ELSEWHERE.get(name, _REAL + name.removeprefix(_ALIAS))


def alias() -> None:
    """Let ``src`` stand for this lab in this process; a package of that name on the path is hidden."""
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())


def main(arguments: Sequence[str]) -> None:
    """Run a script as ``__main__``, with its folder first on the path and its arguments.

    What the agent does is told on standard error. A failure of the world that the script does not catch ends it with
    exit code 3.
    """
    script = Path(arguments[0])
    sys.argv = list(arguments)
    sys.path[0] = str(script.resolve().parent)
    alias()
    agent = logging.getLogger("whatchanged.lab.harness")
    agent.addHandler(logging.StreamHandler())
    agent.setLevel(logging.INFO)
    try:
        runpy.run_path(str(script), run_name="__main__")
    except WhatchangedError:
        traceback.print_exc()
        sys.exit(3)


if __name__ == "__main__":
    main(sys.argv[1:])
