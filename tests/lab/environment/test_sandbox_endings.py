"""However a host process ends, nothing of its sandboxes is left, and what they made is at home."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sandbox_world import host, marked, none_marked, repository, sandbox_folders, traces

from whatchanged.errors import RepoError, ResourceLimit, SandboxEnded, SandboxError
from whatchanged.lab.environment import RepoConfig, Sandbox, SandboxConfig, live

pytestmark = pytest.mark.filterwarnings("ignore:without isolation and with an interpreter")

_HOST = """
import os, sys, time
from whatchanged.lab.environment import Sandbox, SandboxConfig
sandbox = Sandbox(SandboxConfig(isolation=os.environ["ISOLATION"], outputs="home")).start()
sandbox.write_file("made.txt", "made")
sandbox.exec("setsid sh -c \\"trap '' TERM HUP; while :; do sleep 0.2; done\\" >/dev/null 2>&1 &")
process = sandbox.open_process("while :; do sleep 0.2; done")
print(sandbox.sandbox_id, flush=True)
{then}
"""


def _run(place: Path, isolation: str, then: str, end: int | None = None) -> tuple[str, int, str]:
    """Run a host, send it a signal, and return its sandbox's id, its exit code and its errors."""
    with host(_HOST.format(then=then), place, ISOLATION=isolation) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        sandbox_id = process.stdout.readline().strip()
        assert sandbox_id, process.stderr.read()
        if end is not None:
            assert marked(sandbox_id)
            process.send_signal(end)
        code = process.wait(60)
        return sandbox_id, code, process.stderr.read()


@pytest.mark.parametrize(
    ("then", "end", "code"),
    [
        ("", None, 0),  # a script that never calls terminate
        ("sandbox.exec('sleep 100')", signal.SIGTERM, 143),
        ("sandbox.exec('sleep 100')", signal.SIGINT, -signal.SIGINT),
        (
            "import threading; threading.Thread(target=sandbox.exec, args=('sleep 100',), daemon=True).start()",
            None,
            0,
        ),
    ],
)
def test_a_host_that_ends_leaves_nothing(
    place: Path, isolation: str, then: str, end: int | None, code: int
) -> None:
    before = traces(place / "tmp")
    sandbox_id, ended_with, errors = _run(place, isolation, then, end)
    assert ended_with == code, errors
    assert not marked(sandbox_id)
    assert traces(place / "tmp") == before
    assert (place / "home" / "made.txt").read_text(encoding="utf-8") == "made"


def test_a_killed_host_leaves_no_process_and_its_files_are_rescued(place: Path, isolation: str) -> None:
    before = traces(place / "tmp")
    sandbox_id, code, _ = _run(place, isolation, "time.sleep(100)", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert none_marked(sandbox_id), f"{marked(sandbox_id)} go on"
    assert [path.name for path in sandbox_folders(place / "tmp")] == [sandbox_id]
    with Sandbox(SandboxConfig(isolation="none", outputs=place / "other")):
        assert sandbox_id not in [path.name for path in sandbox_folders(place / "tmp")]
    assert (place / "home" / "made.txt").read_text(encoding="utf-8") == "made"
    assert traces(place / "tmp") == before


def test_a_living_host_is_not_swept(place: Path) -> None:
    with Sandbox(SandboxConfig(isolation="none")) as sandbox:
        assert live.sweep() == []
        assert sandbox.exec("echo here") == "here\n"


def test_a_stopped_supervisor_does_not_keep_the_sandbox(place: Path) -> None:
    with (
        Sandbox(SandboxConfig(isolation="none")) as sandbox,
        pytest.raises(SandboxEnded, match="stopped from inside"),
    ):
        sandbox.exec("kill -STOP $(ps -o ppid= -p $PPID); sleep 100")
    assert not marked(sandbox.sandbox_id)


def test_a_killed_supervisor_ends_the_sandbox(place: Path) -> None:
    with Sandbox(SandboxConfig(isolation="none")) as sandbox:
        process = sandbox.open_process("kill -9 $(ps -o ppid= -p $PPID); sleep 100")
        assert process.wait(30) == 137
        ended = sandbox.ended()
        assert ended is not None
        assert "first process died" in str(ended)
        process.close()
    assert not marked(sandbox.sandbox_id)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"repos": [RepoConfig(url="file:///no/such/repository")]}, RepoError),
        ({"repos": [RepoConfig(url="present", install="exit 3")]}, RepoError),
        ({"local_files": [("no-such-file", "file")]}, FileNotFoundError),
    ],
)
def test_a_failed_start_leaves_nothing(
    place: Path, isolation: str, fields: dict[str, object], error: type[Exception]
) -> None:
    repository(place / "present", {"a.py": ""})
    before = traces(place / "tmp")
    sandbox = Sandbox(SandboxConfig(isolation=isolation, **fields))  # type: ignore[arg-type]
    with pytest.raises(error):
        sandbox.start()
    assert not marked(sandbox.sandbox_id)
    assert traces(place / "tmp") == before


def test_an_interrupt_during_the_start_leaves_nothing(place: Path, isolation: str) -> None:
    script = """
    import os, signal, threading
    from whatchanged.lab.environment import RepoConfig, Sandbox, SandboxConfig
    os.mkdir("repo")
    os.system("cd repo && git init -q && git -c user.name=t -c user.email=t@example.invalid commit -q --allow-empty -m a")
    repo = RepoConfig(url="repo", install="kill -INT $HOST; sleep 100")
    sandbox = Sandbox(SandboxConfig(isolation=os.environ["ISOLATION"], repos=[repo], env={"HOST": "0"}))
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
    print(sandbox.sandbox_id, flush=True)
    sandbox.start()
    """
    with host(script, place, ISOLATION=isolation) as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT, errors
    assert not marked(out.strip())
    assert list((place / "tmp").iterdir()) == []


def test_limits_reach_a_process_that_is_spoken_to(place: Path, isolation: str) -> None:
    with Sandbox(SandboxConfig(isolation=isolation, disk=2**23)) as sandbox:
        process = sandbox.open_process(
            "for i in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/zero > f$i; done; sleep 100"
        )
        assert process.wait(30) == 137
        assert isinstance(sandbox.ended(), ResourceLimit)
        process.close()
        with pytest.raises(ResourceLimit, match="disk"):
            sandbox.exec("true")


def test_a_folder_of_another_user_is_refused(place: Path) -> None:
    (place / "tmp").chmod(0o777)
    base = live.base_folder()
    base.rmdir()
    (place / "elsewhere").mkdir()
    base.symlink_to(place / "elsewhere")
    with pytest.raises(SandboxError, match="belongs to another user"):
        Sandbox(SandboxConfig(isolation="none")).start()
    base.unlink()


def test_the_outcome_of_a_command_is_not_lost_to_a_signal_handler(place: Path) -> None:
    with Sandbox(SandboxConfig(isolation="none")):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_children_of_a_fork_do_not_end_the_parents_sandbox(place: Path) -> None:
    script = """
    import os
    from whatchanged.lab.environment import Sandbox, SandboxConfig
    sandbox = Sandbox(SandboxConfig(isolation="none")).start()
    child = os.fork()
    if child == 0:
        raise SystemExit(0)
    os.waitpid(child, 0)
    print(sandbox.exec("echo still here"))
    """
    with host(script, place) as process:
        out, errors = process.communicate(timeout=60)
    assert out.strip() == "still here", errors
