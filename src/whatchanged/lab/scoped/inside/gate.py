"""A Unix socket in an agent's sandbox whose calls go out over stdout and come back over stdin.

The first line read is its path. It ends, and takes the socket with it, when its input does.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
from pathlib import Path


def main() -> None:
    """Pass on one line at a time."""
    path = sys.stdin.readline().rstrip("\n")
    listener = socket.socket(socket.AF_UNIX)
    os.umask(0o177)
    listener.bind(path)
    listener.listen()
    answers: queue.Queue[str] = queue.Queue()
    turn = threading.Lock()

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rw", encoding="utf-8") as lines:
            for line in lines:
                with turn:
                    sys.stdout.write(line)
                    sys.stdout.flush()
                    answer = answers.get()
                lines.write(answer)
                lines.flush()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    for answer in sys.stdin:
        answers.put(answer)
    Path(path).unlink()
    os._exit(0)
