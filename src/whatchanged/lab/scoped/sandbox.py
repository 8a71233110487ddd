"""A sandbox of which an agent sees chosen functions, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

from whatchanged.errors import LabError
from whatchanged.lab.environment import Sandbox, Snapshot
from whatchanged.lab.execution import Bridge
from whatchanged.lab.scoped.interface import read_interface
from whatchanged.lab.scoped.served_library import ServedLibrary, served_library
from whatchanged.lab.scoped.service import Service
from whatchanged.lab.scoped.tools import ServedTools
from whatchanged.lab.workspace import Library

__all__ = ["ScopedSandbox"]


class ScopedSandbox(Sandbox):
    """A sandbox whose functions are served one by one.

    An interface file runs in it. What the file marks with ``@expose`` can be called by an agent that works elsewhere: in
    another sandbox, on this machine, or with nothing but these tools. ``expose`` and ``get_model_path(name)`` (the folder
    of one of `SandboxConfig.models`) need no import there. Arguments and results are JSON. Calls go over pipes of
    the two sandboxes and a Unix socket between processes of the agent's; no port is opened.
    """

    @overload
    def serve(
        self, file: str | Path, expose_as: Literal["library"] = "library", name: str | None = None
    ) -> Library: ...

    @overload
    def serve(
        self, file: str | Path, expose_as: Literal["mcp"], name: str | None = None
    ) -> dict[str, dict[str, Any]]: ...

    def serve(
        self,
        file: str | Path,
        expose_as: Literal["library", "mcp"] = "library",
        name: str | None = None,
    ) -> Library | dict[str, dict[str, Any]]:
        """Load an interface file in the sandbox, and serve its exposed functions.

        Args:
            file: The file, on this machine.
            expose_as: ``library`` gives a `Library` for a `Workspace`: the agent imports it. ``mcp`` gives an
                ``mcp_config`` for `run_agent`: the agent sees one tool per function.
            name: Name of the library or server; the file's by default.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not Python, exposes nothing, or `name` cannot be imported.
            LabError: If it raises while it is loaded; holds the end of the traceback.
            SandboxEnded: If the sandbox is over.
        """
        if expose_as not in {"library", "mcp"}:
            raise ValueError(f"expose_as is 'library' or 'mcp'; got {expose_as!r}")
        path = Path(file)
        if not path.is_file():
            raise FileNotFoundError(f"no file {path} to serve")
        source = path.read_text(encoding="utf-8")
        exposed = read_interface(source, str(path))
        name = name or path.stem
        if not name.isidentifier():
            raise ValueError(f"name is imported or stands before tools' names; got {name!r}")
        models = {handle.config.name: handle.path for handle in self.model_handles}
        service = Service(self, source, name=path.name, models=models)
        self._served().append(service)
        ready = service.open()
        if missing := [one.name for one in exposed if one.name not in ready]:
            raise LabError(f"{path.name} did not expose {', '.join(missing)} when it was loaded")
        if expose_as == "library":
            library = served_library(name, exposed, service)
            self._served().append(library)
            return library
        bridge = Bridge(ServedTools(name, exposed, service), name=name, redact=self.redactor)
        bridge.open()
        self._served().append(bridge)
        return {name: bridge.client_config()}

    def terminate(self, save_snapshot: bool = False, snapshot_description: str = "") -> Snapshot | None:
        """Stop serving, then as `Sandbox.terminate`."""
        served = self._served()
        while served:
            one = served.pop()
            if isinstance(one, ServedLibrary):
                one.disconnect()
            else:
                one.close()
        return super().terminate(save_snapshot, snapshot_description)

    def _served(self) -> list[Service | Bridge | ServedLibrary]:
        found: list[Service | Bridge | ServedLibrary] = self.__dict__.setdefault("_serving", [])
        return found
