"""Kernels, drivers, relays and hosts that die: what is told, what is saved, what is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from lab_world import living, notebook

from whatchanged.errors import KernelError
from whatchanged.lab.execution import NotebookSession, create_local_session
from whatchanged.lab.workspace import Library, Workspace


def test_the_death_of_a_kernel_is_told_and_the_next_cell_finds_the_set_up(tmp_path: Path) -> None:
    workspace = Workspace(
        libraries=[Library.from_code("tool", "answer = 42")], custom_init_code="ready = 'yes'"
    )
    with create_local_session(workspace, tmp_path / "work", "book", tmp_path / "out") as session:
        session.exec("mine = 1")
        daemon = "import subprocess; subprocess.Popen(['setsid', 'sleep', '1000'])"
        session.exec(daemon)
        dying = session.submit(
            "import os, time; print('last', flush=True); time.sleep(0.5); os.kill(os.getpid(), 9)"
        )
        behind = session.submit("print('never')")
        died = session.wait(dying)
        assert died.status == "died"
        assert died.text.startswith("last\n")
        assert died.error is not None
        assert "signal 9, SIGKILL (most often: out of memory)" in died.error
        assert "not run: the kernel died under an earlier cell" in session.wait(behind).text
        assert not any("sleep 1000" in line for line in living(tmp_path, patience=0))
        assert session.exec("import tool; tool.answer, ready").text == "(42, 'yes')\n"
        assert "NameError" in session.exec("mine", check=False).text
        cells = notebook(session.notebook_path)["cells"]
        assert [c["metadata"].get("tags") for c in cells[-4:]] == [
            ["skip-execution"], ["skip-execution"], None, ["raises-exception"],
        ]  # fmt: skip


def test_a_crash_brings_the_last_words_of_the_process(session: NotebookSession) -> None:
    died = session.exec("import os; os.write(2, b'the heap is broken'); os.abort()", check=False)
    assert died.error is not None
    assert "signal 6, SIGABRT" in died.error
    assert session.exec("1 + 1").text == "2\n"
    left = session.exec("import os; os._exit(3)", check=False)
    assert left.error is not None
    assert "exit code 3" in left.error


def test_a_restart_ends_what_does_not_react_to_an_interrupt(session: NotebookSession) -> None:
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)"
    running = session.exec(stubborn, timeout=2)
    interrupted = session.interrupt(patience=1)
    assert interrupted is not None
    assert interrupted.status == "running"
    session.restart()
    ended = session.wait(running.handle)
    assert ended.status == "died"
    assert ended.error is not None
    assert "restarted while this cell ran" in ended.error
    assert session.exec("'new'").text == "'new'\n"


def test_killing_the_driver_ends_the_kernel_and_the_next_cell_starts_another(
    session: NotebookSession, tmp_path: Path
) -> None:
    pid, parent = (
        int(part) for part in session.exec("import os; print(os.getpid(), os.getppid())").text.split()
    )
    running = session.exec("import time; time.sleep(600)", timeout=1)
    os.kill(parent, signal.SIGKILL)
    ended = session.wait(running.handle, timeout=60)
    assert ended.status == "died"
    assert ended.error is not None
    assert "driver ended" in ended.error
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
    assert session.exec("'again'").text == "'again'\n"
    assert not list(Path(tempfile.gettempdir()).glob(f"whatchanged-kernel-{parent}-*"))


def test_a_closed_session_says_so_and_ends_a_running_cell(tmp_path: Path) -> None:
    session = create_local_session(workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out")
    running = session.exec("print('so far', flush=True); import time; time.sleep(600)", timeout=2)
    session.close()
    session.close()
    assert living(tmp_path) == []
    ended = session.wait(running.handle)
    assert ended.status == "died"
    assert "the session was closed while this cell ran" in ended.text
    assert "so far" in notebook(session.notebook_path)["cells"][-1]["outputs"][0]["text"]
    with pytest.raises(KernelError, match="shut down"):
        session.exec("1")


def test_a_kernel_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken" / "ipykernel").mkdir(parents=True)
    (tmp_path / "broken" / "ipykernel" / "__init__.py").write_text("raise SystemExit('no kernel today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(KernelError, match="no kernel today"):
        create_local_session(workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out")
    assert living(tmp_path) == []


HOST = """
import sys
from whatchanged.lab.execution import create_local_session
session = create_local_session(workspace_dir=sys.argv[1], notebook_dir=sys.argv[2], name="book")
session.mcp_config
print("up", flush=True)
for number in range(10_000):
    session.exec(f"import subprocess, time; print('cell', {number}); time.sleep(0.05 * ({number} % 4)); "
                 f"p = subprocess.Popen(['setsid', 'sleep', '1000']) if {number} == 1 else 0")
    session.add_markdown(f"after {number}")
    print(number, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.37, 1.3])
def test_killing_the_host_leaves_every_finished_cell_and_nothing_running(
    tmp_path: Path, delay: float
) -> None:
    command = [sys.executable, "-c", HOST, str(tmp_path / "work"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "up\n"
        assert host.stdout.readline() == "0\n"
        time.sleep(delay)
        host.send_signal(signal.SIGKILL)
        finished = [0, *map(int, host.stdout.read().split())]
    assert living(tmp_path) == []
    cells = notebook(tmp_path / "out" / "book.ipynb")["cells"]
    printed = [c["outputs"][0]["text"] for c in cells if c["cell_type"] == "code" and c["outputs"]]
    assert printed[: len(finished)] == [f"cell {number}\n" for number in finished]
    assert len(printed) <= len(finished) + 1
    assert [c["source"] for c in cells if c["cell_type"] == "markdown"][: len(finished)] == [
        f"after {number}" for number in finished
    ]
    with create_local_session(
        workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out", name="book"
    ) as later:
        assert later.notebook_path.name == "book-2.ipynb"
        assert later.mcp_config
        assert not list(Path(tempfile.gettempdir()).glob(f"whatchanged-mcp-{host.pid}-*"))
