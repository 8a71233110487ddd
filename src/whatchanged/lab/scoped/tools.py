"""Exposed functions as MCP tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from whatchanged.lab.execution import Toolbox
from whatchanged.lab.scoped.interface import Exposed
from whatchanged.lab.scoped.service import Service

__all__ = ["ServedTools"]


class ServedTools(Toolbox):
    """Tools over one interface.

    Args:
        name: Its name.
        exposed: The functions.
        service: Where the calls go.
    """

    def __init__(self, name: str, exposed: Sequence[Exposed], service: Service) -> None:
        self.instructions = f"Functions of {name}; they run in a sandbox of their own."
        self._name = name
        self._exposed = tuple(exposed)
        self._service = service

    def tools(self) -> Sequence[Callable[..., str]]:
        """One function per exposed one, with its name, parameters and docstring."""
        return tuple(self._tool(one) for one in self._exposed)

    def progress(self) -> str:
        """Nothing is known of how far a call is."""
        return f"{self._name} is working"

    def _tool(self, one: Exposed) -> Callable[..., str]:
        left = one.left_to_the_function()

        def call(**given: Any) -> str:
            passed = {name: value for name, value in given.items() if not (name in left and value is None)}
            answer = self._service.call(one.name, [], passed)
            if "error" in answer:
                raise ValueError(answer["error"])
            result = answer["result"]
            return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)

        signature = one.signature()
        call.__name__ = call.__qualname__ = one.name
        call.__doc__ = one.docs or one.name
        call.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        call.__signature__ = signature.replace(return_annotation=str)  # type: ignore[attr-defined]
        return call
