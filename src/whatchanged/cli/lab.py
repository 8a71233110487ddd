"""The lab."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from whatchanged.cli.app import app

_lab = typer.Typer(no_args_is_help=True, help="An agent's sandbox, notebook and task.")
app.add_typer(_lab, name="lab")


@_lab.callback()
def _group() -> None:
    """An agent's sandbox, notebook and task."""


@_lab.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def run(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="A script that makes a sandbox and a session.")],
    backend: Annotated[
        str | None, typer.Option("--backend", help="local or modal, where the script does not say.")
    ] = None,
) -> None:
    """Run a script; in it, `src.environment` and the like are this lab, so scripts for Seer run unchanged.

    What follows the script's name are its own arguments.
    """
    if not script.is_file():
        raise ValueError(f"there is no script {script}; name a Python file")
    if backend not in {None, "local", "modal"}:
        raise ValueError(f"backend is local or modal; got {backend!r}")
    if backend:
        os.environ["WHATCHANGED_BACKEND"] = backend
    sys.stdout.flush()
    # In place of this process: the script then has its own exit code, signals and tracebacks.
    command = [sys.executable, "-m", "whatchanged.lab.alias", str(script), *context.args]
    os.execv(sys.executable, command)
