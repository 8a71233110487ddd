"""API keys: from the environment, or from a ``.env`` file in the working directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from whatchanged.errors import AccessDenied

__all__ = ["Key", "dotenv", "find_key", "secret"]


class Key(NamedTuple):
    """A key and the variable it came from.

    Attributes:
        name: Name of the variable.
        value: The secret.
    """

    name: str
    value: str

    def __repr__(self) -> str:
        return f"Key(name={self.name!r}, value=...)"


def secret(name: str) -> str | None:
    """The value of a variable in the environment, else in ``.env``; ``None`` if it is unset or blank."""
    return os.environ.get(name, "").strip() or dotenv().get(name, "").strip() or None


def find_key(*names: str, purpose: str) -> Key:
    """The first key that is set.

    Args:
        *names: Variables, best first.
        purpose: What it is needed for, as the end of "... is needed to".

    Raises:
        AccessDenied: None is set, or what is set cannot be sent in a header. The message names the
            variable and never its value.
    """
    for name in names:
        value = secret(name)
        if value is None:
            continue
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise AccessDenied(
                f"{name} holds a line end, a blank or another character that no key has; copy the key again"
            )
        return Key(name, value)
    raise AccessDenied(
        f"{' or '.join(names)} is needed to {purpose}, and is not set; set it in the environment or write "
        f"{names[0]}=... into a file .env in the working directory"
    )


def dotenv(path: Path | None = None) -> Mapping[str, str]:
    """The variables of a ``.env`` file; nothing if there is none.

    Lines are ``NAME=value``; a leading ``export``, quotes around the value, comments after ``#`` at
    the beginning of a line or after a blank, and blank lines are understood; nothing is expanded.
    """
    try:
        text = (path or Path.cwd() / ".env").read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or name.startswith("#"):
            continue
        if value[:1] in {"'", '"'} and (end := value.find(value[0], 1)) > 0:
            value = value[1:end]
        else:
            value = value.split(" #", 1)[0].strip()
        found[name] = value
    return found
