"""Sessions, ready for an agent: files in place, kernel started, set-up run."""

from __future__ import annotations

import atexit
from pathlib import Path

from whatchanged.lab.execution.cli_session import CLISession
from whatchanged.lab.execution.machine import Machine, ThisMachine
from whatchanged.lab.execution.model_info import model_info
from whatchanged.lab.execution.place import place_files
from whatchanged.lab.execution.session import NotebookSession
from whatchanged.lab.execution.setup import library_cell, model_cell, repo_cell
from whatchanged.lab.workspace import Workspace

__all__ = ["create_cli_session", "create_local_session", "create_notebook_session"]


def create_notebook_session(
    sandbox: Machine,
    workspace: Workspace | None = None,
    name: str = "notebook",
    notebook_dir: str | Path | None = None,
) -> NotebookSession:
    """A notebook in a started sandbox.

    Models, repositories, libraries and `Workspace.custom_init_code` are set up in cells that stay in the notebook,
    collapsed. If any of it fails, the kernel is ended and the error raised.

    Args:
        sandbox: A started `Sandbox`.
        workspace: What the agent is to find.
        name: Name of the session and of the notebook's file.
        notebook_dir: Folder of this machine for the notebook; by default that to which the sandbox's files come home
            (``outputs/<run>``), so that the notebook runs again among them.

    Raises:
        KernelError: If the kernel does not start.
        CellError: If a set-up cell fails; its message is the cell's.
        SandboxEnded: If the sandbox is over.
    """
    workspace = workspace or Workspace()
    _check(name)
    session = NotebookSession(sandbox, name=name, folder=Path(notebook_dir or sandbox.outputs))
    try:
        _place(sandbox, workspace)
        session.start()
        _set_up(session, workspace)
    except BaseException:
        session.close()
        raise
    session.model_info_text = model_info(sandbox, workspace, loaded=workspace.preload_models)
    session.library_docs = workspace.get_library_docs()
    atexit.register(session.close)
    return session


def create_local_session(
    workspace: Workspace | None = None,
    workspace_dir: str | Path = "./workspace",
    name: str = "local-session",
    notebook_dir: str | Path = "./outputs",
) -> NotebookSession:
    """A notebook whose kernel runs on this machine in the user's own environment: **no sandbox, no limits**.

    What an agent runs here can read and change whatever the user can. Values of environment variables that are secrets by
    their names are redacted. Errors as in `create_notebook_session`.

    Args:
        workspace: What the agent is to find.
        workspace_dir: Folder the kernel begins in; its files stay there.
        name: Name of the session and of the notebook's file.
        notebook_dir: Folder for the notebook.
    """
    return create_notebook_session(ThisMachine(workspace_dir, notebook_dir), workspace, name)


def create_cli_session(
    sandbox: Machine, workspace: Workspace | None = None, name: str = "cli-session"
) -> CLISession:
    """Shell commands in a started sandbox, instead of cells.

    Args:
        sandbox: A started `Sandbox`.
        workspace: What the agent is to find; `Workspace.custom_init_code` is run once, before it begins.
        name: Name of the session and of its log.

    Raises:
        LabError: If the files cannot be placed, or the code fails.
        SandboxEnded: If the sandbox is over.
    """
    workspace = workspace or Workspace()
    _check(name)
    _place(sandbox, workspace)
    session = CLISession(sandbox, name=name)
    session.model_info_text = model_info(sandbox, workspace, loaded=False)
    if workspace.custom_init_code:
        session.set_up(workspace.custom_init_code)
    atexit.register(session.close)
    return session


def _place(machine: Machine, workspace: Workspace) -> None:
    place_files(machine, workspace.placed())
    for library in workspace.libraries:
        library.connect(machine)


def _set_up(session: NotebookSession, workspace: Workspace) -> None:
    sources = {path: text for library in workspace.libraries for path, text in library.placed().items()}
    session.exec(library_cell(session.sandbox.workspace, sources), hidden=True)
    if session.sandbox.repo_handles:
        session.exec(repo_cell(session.sandbox.repo_handles), hidden=True)
    if workspace.preload_models:
        for handle in session.sandbox.model_handles:
            session.exec(model_cell(handle), hidden=workspace.hidden_model_loading or handle.config.hidden)
    if workspace.custom_init_code:
        session.exec(workspace.custom_init_code, hidden=True)


def _check(name: str) -> None:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ValueError(
            f"name is also the notebook's file name; got {name!r}; use letters, digits and dashes"
        )
