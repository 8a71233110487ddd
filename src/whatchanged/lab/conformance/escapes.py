"""Attempts to get out. A backend is asked only for what it says it contains; the rest is skipped, with that reason."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from whatchanged.errors import SandboxFileError
from whatchanged.lab.conformance.suite import Bench, Skipped, check, refused, require

_SEARCH = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"


def _bystander(stack: ExitStack, **environment: str) -> subprocess.Popen[bytes]:
    """A process of the host that must not be harmed, with variables that must not be seen."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env={**os.environ, **environment}
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


@check
def host_files_cannot_be_read(bench: Bench) -> None:
    """Files in the host's home, temporary and working folders are not there inside."""
    bench.needs("files")
    places = [Path.home(), Path.cwd(), bench.folder]
    for place in places:
        canary = place / f".canary-{secrets.token_hex(6)}"
        try:
            canary.write_text("canary", encoding="utf-8")
        except OSError:
            continue  # a host that cannot write there has nothing of its own there
        try:
            with refused(SandboxFileError):
                bench.shared.read_file(str(canary))
            done = bench.shared.exec(["cat", str(canary)])
            require(not done.ok and "canary" not in done.stdout, f"{canary} was read")
        finally:
            canary.unlink()


@check
def host_accounts_stay_outside(bench: Bench) -> None:
    """Password hashes and the keys of the host cannot be read."""
    bench.needs("files")
    for path in (
        "/etc/shadow",
        "/root/.ssh",
        str(Path.home() / ".gitconfig"),
        "/etc/gitconfig",
        "/proc/1/environ",
    ):
        done = bench.shared.exec(["cat", path])
        require(not done.ok and not done.stdout, f"{path} was read")


@check
def nothing_outside_can_be_written(bench: Bench) -> None:
    """The operating system, the interpreter and its packages cannot be changed."""
    bench.needs("files")
    code = "import os, numpy, whatchanged; print(os.__file__, numpy.__file__, whatchanged.__file__)"
    where = bench.shared.exec_python(code)
    require(where.ok, f"got {where!r}")
    folders = [str(Path(file).parent) for file in where.split()]
    for folder in ("/usr/bin", "/usr/lib", "/etc", "/", "/bin", "/proc/sys/kernel", *folders):
        done = bench.shared.exec(["sh", "-c", 'echo x > "$1/canary-file"', "sh", folder])
        require(not done.ok, f"{folder} can be written")
        with refused(SandboxFileError):
            bench.shared.write_file(f"{folder}/canary-file", "x")


@check
def no_way_up_through_links(bench: Bench) -> None:
    """Neither ``..`` nor a link leads from the workspace to the host's folders."""
    bench.needs("files")
    canary = bench.folder / f"canary-{secrets.token_hex(6)}"
    canary.write_text("canary", encoding="utf-8")
    bench.shared.exec(["ln", "-sfn", str(canary), "way-out"])
    for path in (
        "way-out",
        f"../../../../../../../..{canary}",
        f"/proc/self/root{canary}",
        f"/proc/1/root{canary}",
    ):
        with refused(SandboxFileError):
            bench.shared.read_file(path)
    bench.shared.exec(["rm", "-f", "way-out"])


@check
def no_rights_can_be_gained(bench: Bench) -> None:
    """Commands have no capabilities and cannot gain any by programs that run as their owner."""
    bench.needs("files")
    status = bench.shared.exec("grep -E '^(CapEff|CapPrm|NoNewPrivs|Uid)' /proc/self/status")
    facts = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
    require(int(facts["CapEff"][0], 16) == int(facts["CapPrm"][0], 16) == 0, f"it has capabilities: {status}")
    require(facts["NoNewPrivs"] == ["1"], f"it may gain rights: {status}")
    require(facts["Uid"][0] != "0", f"it runs as root: {status}")


@check
def host_environment_cannot_be_read(bench: Bench) -> None:
    """Variables of the host's processes are seen nowhere."""
    bench.needs("processes")
    token = f"canary-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        _bystander(stack, CHECKS_CANARY=token)
        found = bench.shared.exec(_SEARCH, output_limit=2**24)
        require(token not in found, "a variable of the host was read")


@check
def host_processes_cannot_be_signalled(bench: Bench) -> None:
    """Killing everything that can be seen harms nobody outside."""
    bench.needs("processes")
    with ExitStack() as stack, bench.fresh() as sandbox:
        process = _bystander(stack)
        every = "for p in /proc/[0-9]*; do kill -9 ${p#/proc/}; done"
        sandbox.exec(f"kill -9 {process.pid}; kill -9 {os.getpid()}; {every}")
        time.sleep(0.5)
        require(process.poll() is None, "a process of the host was killed")


@check
def supervisor_cannot_be_killed(bench: Bench) -> None:
    """A command that kills all it can reach, and stops what it cannot kill, ends itself; limits still hold after it."""
    bench.needs("supervisor")
    with bench.fresh(timeout=8) as sandbox:
        for signal in ("KILL", "STOP", "TERM", "INT"):
            sandbox.exec(f"kill -{signal} 1; kill -{signal} $PPID; kill -{signal} -1", timeout=3)
        require(sandbox.exec("echo alive") == "alive\n", "it does not work any more")
        until = time.monotonic() + 60
        while sandbox.ended() is None:
            require(time.monotonic() < until, "its time limit does not hold any more")
            time.sleep(0.2)


@check
def supervisor_cannot_be_read(bench: Bench) -> None:
    """The first process's memory, descriptors and root are closed to commands."""
    bench.needs("supervisor")
    for name in ("mem", "fd/0", "environ", "root/etc/passwd", "maps"):
        done = bench.shared.exec(["head", "-c", "1", f"/proc/1/{name}"])
        require(not done.ok and not done.stdout, f"/proc/1/{name} was read")


@check
def network_is_off(bench: Bench) -> None:
    """Without permission neither the host's own ports nor names or addresses outside are reached."""
    bench.needs("network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in ("127.0.0.1", "192.0.2.1"):
            code = f"import socket; socket.create_connection(({address!r}, {port}), timeout=5)"
            done = bench.shared.exec([bench.shared.python, "-c", code], timeout=30)
            require(not done.ok, f"{address} was reached")
    done = bench.shared.exec_python("import socket; socket.getaddrinfo('example.org', 443)", timeout=30)
    require(not done.ok, "a name was resolved")
    interfaces = bench.shared.exec("cut -d: -f1 -s /proc/net/dev | tail -n +1").split()
    require([name for name in interfaces if name != "lo"] == [] or "lo" in interfaces, f"it has {interfaces}")


@check
def network_within_works(bench: Bench) -> None:
    """Processes of the sandbox reach one another over loopback."""
    code = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello")).start()
print(socket.create_connection(server.getsockname(), timeout=10).recv(5))
"""
    done = bench.shared.exec_python(code, timeout=60)
    require(done == "b'hello'\n", f"got {done!r}")


@check
def network_comes_when_asked_for(bench: Bench) -> None:
    """With ``network=True`` a port of the host's own network is reached, where the backend shares it."""
    with bench.fresh(network=True) as sandbox, socket.create_server(("127.0.0.1", 0)) as server:
        if sandbox.backend.name != "local":
            raise Skipped("the sandbox is on another machine")
        code = (
            f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), timeout=10)"
        )
        done = sandbox.exec([sandbox.python, "-c", code], timeout=60)
        require(done.ok, f"got {done!r}")


@check
def secrets_of_other_sandboxes_are_apart(bench: Bench) -> None:
    """One sandbox's secret is found by another neither in processes nor in files."""
    bench.needs("secrets")
    token = f"canary{secrets.token_hex(8)}"
    name = f"CHECKS_{token.upper()}"
    os.environ[name] = token
    try:
        with bench.fresh(secrets=[name], network=False) as holder, bench.fresh() as other:
            holder.exec(f'echo "${name}" > kept.txt; sleep 300 & echo')
            require(token in holder.exec(_SEARCH, output_limit=2**24), "the search finds nothing at all")
            found = other.exec(f"{_SEARCH}; cat /tmp/* /home/*/* /workspace/* 2>/dev/null", timeout=60)
            require(token not in found, "the other one found it")
    finally:
        del os.environ[name]


@check
def devices_stay_outside(bench: Bench) -> None:
    """No disk and no memory device can be opened, and none can be made."""
    bench.needs("files")
    done = bench.shared.exec(
        "find /dev -type b 2>/dev/null; ls /dev/mem /dev/kmem /dev/kmsg 2>/dev/null; mknod d b 8 0"
    )
    require(not done.stdout and not done.ok, f"got {done!r}")


@check
def mounts_cannot_be_changed(bench: Bench) -> None:
    """Nothing can be mounted over, and what is read-only stays so."""
    bench.needs("files")
    for command in (
        "mount -o remount,rw /usr",
        "mount -t tmpfs none /usr",
        "umount /usr",
        "umount /workspace",
    ):
        done = bench.shared.exec(command)
        require(not done.ok, f"{command!r} was allowed")
