"""The saved notebook runs again from top to bottom in a fresh kernel, elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab_world import DOT, notebook, outputs_of, run_again

from whatchanged.lab.execution import create_local_session
from whatchanged.lab.workspace import Library, Workspace


def test_a_notebook_alone_gives_the_same_outputs_in_a_fresh_kernel(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "inner.py").write_text("def double(x):\n    return 2 * x\n")
    workspace = Workspace(
        libraries=[
            Library.from_code("tool", '"""It\'s a "tool"."""\nanswer = 42\n'),
            Library.from_directory(package),
        ],
        custom_init_code="start = 7",
    )
    with create_local_session(workspace, tmp_path / "work", "book", tmp_path / "out") as session:
        session.add_markdown("# The question")
        session.exec("import tool\nfrom package.inner import double\nprint(double(tool.answer))")
        session.exec("1 / 0", check=False)
        session.exec("for n in range(3): print(n)\nstart + 1")
        running = session.exec("import time\nwhile True: time.sleep(0.1)", timeout=1)
        session.interrupt()
        assert session.wait(running.handle).status == "interrupted"
        session.exec("import os; os.kill(os.getpid(), 9)", check=False)
        session.exec("import tool\nprint(tool.answer)")
        session.exec(f"import base64\nfrom IPython.display import Image\nImage(base64.b64decode({DOT!r}))")
    shutil.rmtree(tmp_path / "work")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    alone = elsewhere / "moved.ipynb"
    alone.write_bytes(session.notebook_path.read_bytes())
    first = notebook(alone)
    again = run_again(alone, elsewhere)
    setup, *shown = outputs_of(first)
    assert setup == []
    assert outputs_of(again)[1:] == shown
    assert (elsewhere / "tool.py").is_file()
    assert first["cells"][0]["metadata"]["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
