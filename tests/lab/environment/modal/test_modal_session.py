"""A notebook session over Modal: the kernel is driven through exec's standard input and output, with no port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from plane import Plane

from whatchanged.errors import CellError
from whatchanged.lab.environment import ExecutionMode, SandboxConfig
from whatchanged.lab.environment.modal import ModalBackend
from whatchanged.lab.environment.sandbox import Sandbox
from whatchanged.lab.execution import create_notebook_session
from whatchanged.lab.workspace import Library, Workspace


def test_cells_run_in_the_sandbox_and_the_notebook_comes_home(
    idle: Plane, make: Callable[..., ModalBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "sk-canary-4f9a1c77e2b84d06")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "double.py").write_text(
        '"""Doubles."""\ndef double(x):\n    """Twice x."""\n    return 2 * x\n'
    )
    config = SandboxConfig(execution_mode=ExecutionMode.NOTEBOOK, secrets=["A_TOKEN"])
    with Sandbox(config, backend=make()).start() as sandbox:
        workspace = Workspace(libraries=[Library.from_file(tmp_path / "double.py")])
        session = create_notebook_session(sandbox, workspace, name="over-modal")
        assert "42" in session.exec("from double import double\nprint(double(21))").text
        assert "/workspace" in session.exec("import os; print(os.getcwd())").text
        told = session.exec("import os; print(os.environ['A_TOKEN'])").text
        assert "sk-canary" not in told
        with pytest.raises(CellError, match="ZeroDivisionError"):
            session.exec("1 / 0")
        session.add_markdown("It runs elsewhere.")
        session.exec("open('made.txt', 'w').write('here')")
        book = nbformat.read(session.notebook_path, nbformat.NO_CONVERT)
        nbformat.validate(book)
        assert "sk-canary" not in session.notebook_path.read_text()
        assert [c.cell_type for c in book.cells][-2:] == ["markdown", "code"]
        home = sandbox.outputs
    assert [path.read_text() for path in home.rglob("made.txt")] == ["here"]
    assert idle.running() == []
