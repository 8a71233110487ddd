"""Secrets by name: found before anything starts, or nothing starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from whatchanged.errors import SecretMissing
from whatchanged.llm.keys import secret

__all__ = ["find_secrets"]


def find_secrets(names: Sequence[str], *, held: Collection[str] = ()) -> dict[str, str]:
    """Values of secrets in the environment, else in ``.env`` of the working folder.

    Args:
        names: Their names.
        held: Names that the backend keeps itself and that the host need not have.

    Raises:
        SecretMissing: Naming every one that is set nowhere.
    """
    found = {name: value for name in names if (value := secret(name)) is not None}
    missing = [name for name in names if name not in found and name not in held]
    if missing:
        raise SecretMissing(
            f"the sandbox is to get {', '.join(missing)}, which is not set; set it in the environment or in a file "
            ".env in the working folder, or take it out of secrets"
        )
    return found
