"""Checks of a sandbox's beginning and end."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from whatchanged.errors import SandboxEnded, TimeLimit
from whatchanged.lab.conformance.suite import Bench, check, refused, require


@check
def nothing_runs_before_the_start(bench: Bench) -> None:
    """A sandbox that was not started says so."""
    with refused(SandboxEnded):
        bench.make().exec("true")


@check
def nothing_runs_after_the_end(bench: Bench) -> None:
    """After `terminate`, every use says that it is over, and terminating again does nothing."""
    with bench.fresh() as sandbox:
        require(sandbox.ended() is None, "it is over while it runs")
    require(isinstance(sandbox.ended(), SandboxEnded), f"it says {sandbox.ended()!r}")
    for use in (
        lambda: sandbox.exec("true"),
        lambda: sandbox.open_process("true"),
        lambda: sandbox.read_file("file"),
        lambda: sandbox.write_file("file", "text"),
        lambda: sandbox.snapshot(),
    ):
        with refused(SandboxEnded):
            use()
    sandbox.terminate()


@check
def the_end_ends_processes(bench: Bench) -> None:
    """A process that is open at the end is ended: its streams are at their end, its code is 137."""
    with bench.fresh() as sandbox:
        process = sandbox.open_process("echo up; cat")
        process.stdout.readline()
    require(process.wait(30) == 137, f"it ended with {process.poll()}")
    require(process.stdout.read() == b"", "its output goes on")
    process.close()


@check
def daemons_end_with_the_sandbox(bench: Bench) -> None:
    """No process outlives the sandbox: none in a session of its own, none that ignores signals, none orphaned."""
    token = f"daemon-{uuid.uuid4().hex}"
    loop = f"trap '' TERM HUP INT; while :; do sleep 0.2; done; : {token}"
    with bench.fresh() as sandbox:
        sandbox.exec(f'setsid sh -c "{loop}" >/dev/null 2>&1 & nohup sh -c "{loop}" >/dev/null 2>&1 &')
        sandbox.exec(f'(setsid sh -c "{loop}" >/dev/null 2>&1 &) ; sleep 0.5')
        seen = sandbox.exec(f"grep -l {token} /proc/[0-9]*/cmdline 2>/dev/null | wc -l")
        require(int(seen) >= 3, f"the daemons did not start: {seen!r}")
    left = _with_token(token)
    require(not left, f"processes {left} are left on this machine")


def _with_token(token: str) -> list[str]:
    """Processes of this machine whose command line holds a text; on a remote backend there are none in any case."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if token.encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


@check
def sandboxes_are_apart(bench: Bench) -> None:
    """Two sandboxes at a time share neither workspace nor home nor temporary files."""
    with bench.fresh() as one, bench.fresh() as other:
        require(one.sandbox_id != other.sandbox_id, "they have the same id")
        one.exec('touch here.txt "$HOME/here.txt" "$TMPDIR/here.txt"')
        for place in ("here.txt", '"$HOME/here.txt"', '"$TMPDIR/here.txt"'):
            require(one.exec(f"test -e {place}").ok, f"{place} was not made")
            require(not other.exec(f"test -e {place}").ok, f"{place} is seen by the other")


@check
def snapshot_brings_the_workspace_back(bench: Bench) -> None:
    """A new sandbox begins with the snapshot's files, modes and links, not with what came later."""
    with bench.fresh() as sandbox:
        sandbox.write_file("folder/kept.sh", "echo kept")
        sandbox.exec("chmod 750 folder/kept.sh; ln -s folder/kept.sh link")
        snapshot = sandbox.snapshot("before")
        sandbox.write_file("folder/later.txt", "later")
    require((snapshot.backend, snapshot.description) == (sandbox.backend.name, "before"), f"got {snapshot}")
    again = bench.make()
    again.backend.start(again.config, {}, name="again", restore=snapshot)
    try:
        listed = again.backend.exec("stat -c %a folder/kept.sh; readlink link; ls folder; sh link")
        require(listed.split() == ["750", "folder/kept.sh", "kept.sh", "kept"], f"got {listed!r}")
    finally:
        again.backend.terminate()
        Path(snapshot.reference).unlink(missing_ok=True)


@check
def time_limit_ends_the_sandbox(bench: Bench) -> None:
    """Past its time limit everything in it is ended, a running command says which limit it was, and files come home."""
    with bench.fresh(timeout=4) as sandbox:
        sandbox.write_file("made.txt", "in time")
        began = time.monotonic()
        with refused(TimeLimit):
            sandbox.exec("sleep 100")
        require(time.monotonic() - began < 60, "the limit came late")
        require(isinstance(sandbox.ended(), TimeLimit), f"it says {sandbox.ended()!r}")
        with refused(TimeLimit):
            sandbox.exec("true")
    require(sandbox.home is not None and sandbox.home.files == ("made.txt",), f"home came {sandbox.home}")
