"""The application: its name, its version, and what becomes of failures."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whatchanged.errors import InputError, WhatchangedError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What changed between two checkpoints of a language model, with evidence a sceptic accepts.",
)


def main() -> None:
    """Entry point: run a verb, turn failures into messages and exit codes."""
    try:
        app()
    except InputError as error:
        _fail(error, 2)
    except WhatchangedError as error:
        _fail(error, 3)
    except (ValueError, TypeError) as error:
        _fail(error, 2)


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"whatchanged: {error}", err=True)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("whatchanged"))
        raise typer.Exit
