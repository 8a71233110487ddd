"""Checks of `Backend.exec`."""

from __future__ import annotations

import threading
import time
import uuid

from whatchanged.lab.conformance.suite import Bench, check, require

_PATIENCE = 30.0


@check
def standard_output_is_the_text(bench: Bench) -> None:
    """A completed command reads as its standard output."""
    done = bench.shared.exec("echo one; echo two")
    require(done == "one\ntwo\n" and done.stdout == "one\ntwo\n" and done.ok, f"got {done!r}")


@check
def streams_are_separate(bench: Bench) -> None:
    """Standard output and standard error do not mix."""
    done = bench.shared.exec("echo out; echo err >&2")
    require((done.stdout, done.stderr) == ("out\n", "err\n"), f"got {done!r}")


@check
def return_code_is_told(bench: Bench) -> None:
    """A failing command is a value with its return code, no error."""
    done = bench.shared.exec("exit 7")
    require(done.returncode == 7 and not done.ok and not done.timed_out, f"got {done!r}")


@check
def signal_is_told(bench: Bench) -> None:
    """A command ended by a signal has 128 + its number."""
    done = bench.shared.exec("kill -TERM $$")
    require(done.returncode == 143, f"got {done!r}")


@check
def list_is_no_shell(bench: Bench) -> None:
    """A sequence is run directly: nothing in it is expanded."""
    done = bench.shared.exec(["echo", "$HOME; id", "*", ""])
    require(done == "$HOME; id * \n", f"got {done!r}")


@check
def missing_command_is_127(bench: Bench) -> None:
    """A command that does not exist has return code 127, by shell or directly."""
    for command in ("no-such-command-here", ["no-such-command-here"]):
        done = bench.shared.exec(command)
        require(done.returncode == 127, f"got {done!r} for {command!r}")


@check
def forbidden_command_is_126(bench: Bench) -> None:
    """A file that is not executable has return code 126."""
    bench.shared.write_file("plain.txt", "text")
    done = bench.shared.exec([f"{bench.shared.workspace}/plain.txt"])
    require(done.returncode == 126, f"got {done!r}")


@check
def input_is_read(bench: Bench) -> None:
    """A command reads its standard input to the end, whatever bytes it holds."""
    done = bench.shared.exec("od -An -tx1", stdin=b"\x00\xff\n")
    require(done.split() == ["00", "ff", "0a"], f"got {done!r}")


@check
def no_input_is_an_end(bench: Bench) -> None:
    """Without input, standard input is at its end: nothing waits for a person."""
    done = bench.shared.exec("cat; echo end", timeout=_PATIENCE)
    require(done == "end\n", f"got {done!r}")


@check
def large_input_and_output_do_not_block(bench: Bench) -> None:
    """Megabytes go in and come out at once."""
    done = bench.shared.exec("tee /dev/stderr", stdin=b"x" * 3_000_000, timeout=60)
    require(len(done) == len(done.stderr) == 3_000_000, f"got {len(done)} and {len(done.stderr)} characters")


@check
def unread_input_does_no_harm(bench: Bench) -> None:
    """A command that ignores its input ends well."""
    done = bench.shared.exec("true", stdin=b"x" * 3_000_000, timeout=60)
    require(done.ok, f"got {done!r}")


@check
def environment_is_for_one_command(bench: Bench) -> None:
    """Further variables are seen by that command and by no later one."""
    first = bench.shared.exec("echo $FLAVOUR", env={"FLAVOUR": "plum; $(id)"})
    second = bench.shared.exec("echo $FLAVOUR")
    require((first, second) == ("plum; $(id)\n", "\n"), f"got {first!r}, then {second!r}")


@check
def commands_begin_in_the_workspace(bench: Bench) -> None:
    """The working folder is the workspace, or the one given, relative to it."""
    bench.shared.ensure_dir("deep/er")
    here = bench.shared.exec("pwd").strip()
    there = bench.shared.exec("pwd", cwd="deep/er").strip()
    require(here == bench.shared.workspace, f"got {here!r}")
    require(there == f"{here}/deep/er", f"got {there!r}")


@check
def missing_folder_is_told(bench: Bench) -> None:
    """A working folder that does not exist fails the command and names the folder."""
    done = bench.shared.exec("true", cwd="not/there")
    require(not done.ok and "not/there" in done.stderr, f"got {done!r}")


@check
def output_over_the_limit_is_counted(bench: Bench) -> None:
    """Of each stream the first bytes are kept, the rest is read and counted, and the command ends well."""
    done = bench.shared.exec("head -c 5000 /dev/zero | tr '\\0' a; printf bbb >&2", output_limit=1000)
    require(
        done.ok and done == "a" * 1000 and done.stdout_dropped == 4000, f"got {done.stdout_dropped} dropped"
    )
    require(done.stderr == "bbb" and done.stderr_dropped == 0, f"got {done!r}")


@check
def undecodable_output_is_replaced(bench: Bench) -> None:
    """Bytes that are no UTF-8 become U+FFFD; the rest survives."""
    done = bench.shared.exec("printf 'caf\\303\\251 \\377 end'")
    require(done == "café � end", f"got {done!r}")


@check
def time_limit_of_a_command_ends_its_children(bench: Bench) -> None:
    """Past its time limit, a command is ended with all it started, and what it wrote till then is kept."""
    token = f"late-{uuid.uuid4().hex[:8]}"
    done = bench.shared.exec(f"echo early; (sleep 3; touch {token}) & sleep 60", timeout=1)
    require(done.timed_out and not done.ok and done == "early\n", f"got {done!r}")
    require(done.seconds < _PATIENCE, f"it took {done.seconds:.0f} s")
    time.sleep(3)
    require(not bench.shared.exec(["test", "-e", token]).ok, "a child went on after the limit")


@check
def time_limit_of_a_command_ends_its_daemons(bench: Bench) -> None:
    """A child in a session of its own, whose parent has ended, does not escape the command's limit."""
    token = f"daemon-{uuid.uuid4().hex[:8]}"
    bench.shared.exec(f"(setsid sh -c 'sleep 3; touch {token}' >/dev/null 2>&1 &) ; sleep 60", timeout=1)
    time.sleep(3)
    require(not bench.shared.exec(["test", "-e", token]).ok, "a daemon went on after the limit")


@check
def command_does_not_wait_for_its_background(bench: Bench) -> None:
    """A command ends when it ends itself, even if a child holds its output open; the child goes on."""
    token = f"background-{uuid.uuid4().hex[:8]}"
    began = time.monotonic()
    done = bench.shared.exec(f"(sleep 2; touch {token}; sleep 60) & echo started", timeout=50)
    require(done == "started\n" and time.monotonic() - began < _PATIENCE, f"got {done!r}")
    until = time.monotonic() + _PATIENCE
    while not bench.shared.exec(["test", "-e", token]).ok:
        require(time.monotonic() < until, "the background child did not go on")
        time.sleep(0.3)


@check
def commands_run_at_once(bench: Bench) -> None:
    """Several threads may run commands at the same time, and each gets its own output."""
    sandbox, got = bench.shared, {}

    def run(number: int) -> None:
        got[number] = sandbox.exec(f"sleep 0.3; echo {number}").strip()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
    require(got == {number: str(number) for number in range(8)}, f"got {got}")


@check
def python_is_that_of_the_sandbox(bench: Bench) -> None:
    """``python`` on the path is the interpreter that imports the packages."""
    inside = bench.shared.exec("python -c 'import sys; print(sys.prefix)'").strip()
    named = bench.shared.exec([bench.shared.python, "-c", "import sys; print(sys.prefix)"]).strip()
    require(inside and inside == named, f"got {inside!r} and {named!r}")


@check
def whatchanged_is_there(bench: Bench) -> None:
    """The instrument imports inside."""
    done = bench.shared.exec_python("import whatchanged; print(whatchanged.__name__)")
    require(done == "whatchanged\n", f"got {done!r}")


@check
def python_code_of_any_length_runs(bench: Bench) -> None:
    """`exec_python` has no limit of length, and an error is shown as Python shows it."""
    long = bench.shared.exec_python("x = '" + "y" * 500_000 + "'\nprint(len(x))")
    wrong = bench.shared.exec_python("\n\n1 / 0")
    require(long == "500000\n", f"got {long!r}")
    require(
        wrong.returncode == 1 and "line 3" in wrong.stderr and "ZeroDivisionError" in wrong.stderr,
        f"got {wrong!r}",
    )
