"""Checks of `Backend.open_process`."""

from __future__ import annotations

import json
import time
import uuid

from whatchanged.lab.conformance.suite import Bench, check, refused, require

_ECHO = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"got": json.loads(line)}), flush=True)
sys.exit(5)
"""


@check
def process_answers_line_by_line(bench: Bench) -> None:
    """Lines go in and come out while the process runs; at the end of its input it ends by itself."""
    with bench.shared.open_process([bench.shared.python, "-c", _ECHO]) as process:
        for number in range(3):
            process.stdin.write(json.dumps({"n": number}).encode() + b"\n")
            process.stdin.flush()
            require(
                json.loads(process.stdout.readline()) == {"got": {"n": number}}, f"no answer to line {number}"
            )
        require(process.poll() is None, "it ended early")
        process.stdin.close()
        require(process.wait(30) == 5, f"it ended with {process.poll()}")
        require(process.stdout.read() == b"", "there was more output")


@check
def process_passes_long_lines(bench: Bench) -> None:
    """A line of two megabytes passes both ways whole."""
    text = "äß" * 500_000
    with bench.shared.open_process([bench.shared.python, "-c", _ECHO]) as process:
        process.stdin.write(json.dumps(text, ensure_ascii=False).encode() + b"\n")
        process.stdin.flush()
        require(json.loads(process.stdout.readline()) == {"got": text}, "the line came back changed")


@check
def process_streams_are_separate(bench: Bench) -> None:
    """Errors have a stream of their own, and both are at their end when the process is."""
    with bench.shared.open_process("echo out; echo err >&2") as process:
        require(
            (process.stdout.read(), process.stderr.read()) == (b"out\n", b"err\n"), "the streams are mixed"
        )
        require(process.wait(30) == 0, f"it ended with {process.poll()}")


@check
def process_bytes_are_untouched(bench: Bench) -> None:
    """No byte is changed on the way."""
    every = bytes(range(256))
    with bench.shared.open_process("cat") as process:
        process.stdin.write(every)
        process.stdin.close()
        require(process.stdout.read() == every, "bytes came back changed")


@check
def waiting_does_not_kill(bench: Bench) -> None:
    """`wait` past its timeout raises, and the process goes on."""
    with bench.shared.open_process("cat") as process:
        with refused(TimeoutError):
            process.wait(0.3)
        process.stdin.write(b"alive\n")
        process.stdin.flush()
        require(process.stdout.readline() == b"alive\n", "it does not answer any more")


@check
def kill_ends_process_and_daemons(bench: Bench) -> None:
    """`kill` ends a process with what it started, sessions of their own included."""
    token = f"killed-{uuid.uuid4().hex[:8]}"
    command = f"(setsid sh -c 'sleep 3; touch {token}' &) ; echo up; sleep 60"
    with bench.shared.open_process(command) as process:
        process.stdout.readline()
        process.kill()
        require(process.wait(30) == 137, f"it ended with {process.poll()}")
        require(process.stdout.read() == b"", "its output is not at its end")
        process.kill()  # does nothing
    time.sleep(3)
    require(not bench.shared.exec(["test", "-e", token]).ok, "a daemon of it went on")


@check
def close_ends_a_stubborn_process(bench: Bench) -> None:
    """`close` ends a process that does not react to the end of its input, and may be called again."""
    process = bench.shared.open_process("trap '' TERM INT HUP; echo up; while :; do sleep 1; done")
    process.stdout.readline()
    began = time.monotonic()
    process.close()
    require(process.poll() is not None and time.monotonic() - began < 30, "it still runs")
    process.close()


@check
def writing_to_an_ended_process_breaks(bench: Bench) -> None:
    """Writing after the end is a `BrokenPipeError`, no silence."""
    with bench.shared.open_process("exit 0") as process:
        process.wait(30)
        with refused(BrokenPipeError):
            until = time.monotonic() + 10
            while time.monotonic() < until:
                process.stdin.write(b"x" * 4096)
                process.stdin.flush()


@check
def missing_process_is_127(bench: Bench) -> None:
    """A command that does not exist is a process that ends with 127 and says so."""
    with bench.shared.open_process(["no-such-command-here"]) as process:
        require(process.wait(30) == 127, f"it ended with {process.poll()}")
        require(b"no-such-command-here" in process.stderr.read(), "it does not name the command")


@check
def processes_do_not_disturb_commands(bench: Bench) -> None:
    """While processes run, others and commands do as well."""
    with bench.shared.open_process("cat") as one, bench.shared.open_process("cat") as other:
        for process, word in ((one, b"a\n"), (other, b"b\n")):
            process.stdin.write(word)
            process.stdin.flush()
        require(bench.shared.exec("echo c") == "c\n", "a command does not run beside them")
        require((one.stdout.readline(), other.stdout.readline()) == (b"a\n", b"b\n"), "answers are mixed")
