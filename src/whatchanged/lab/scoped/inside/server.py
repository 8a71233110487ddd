"""Serves the exposed functions of an interface file over stdin and stdout, one JSON line per call.

The first line it reads is ``{"source", "name", "models"}``; it answers ``{"ready": [names]}``, and from then on every
line ``{"function", "args", "kwargs"}`` with ``{"result"}`` or ``{"error"}``. Calls run one after the other.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the interface and answer calls until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the interface prints goes where errors go

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    start = json.loads(sys.stdin.readline())
    exposed: dict[str, Any] = {}

    def expose(function: Any) -> Any:
        exposed[function.__name__] = function
        return function

    def get_model_path(name: str) -> str:
        if name not in start["models"]:
            raise LookupError(f"no model {name!r} is here; those that are: {sorted(start['models'])}")
        return str(start["models"][name])

    module = types.ModuleType("interface")
    module.__dict__.update(__file__=start["name"], expose=expose, get_model_path=get_model_path)
    sys.modules["interface"] = module
    sys.path.insert(0, str(Path.cwd()))
    try:
        exec(compile(start["source"], start["name"], "exec"), module.__dict__)
    except Exception:  # noqa: BLE001  whatever it raises is told to the person who wrote it
        say({"error": traceback.format_exc(limit=-3)})
        return
    say({"ready": sorted(exposed)})
    for line in sys.stdin:
        say(_answer(exposed, json.loads(line)))


def _answer(exposed: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    name = call["function"]
    if name not in exposed:
        return {"error": f"there is no function {name!r}"}
    try:
        result = exposed[name](*call["args"], **call["kwargs"])
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        json.dumps(result)
    except TypeError as error:
        return {"error": f"TypeError: {error} (results must be JSON: use .tolist() for tensors)"}
    except Exception as error:  # noqa: BLE001  whatever it raises is told to the caller
        return {"error": f"{type(error).__name__}: {error}"}
    return {"result": result}
