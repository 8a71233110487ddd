"""A process whose stdin and stdout lead to a session's Unix socket: ``python relay.py SOCKET``.

An MCP client starts it as a server. It knows nothing of the protocol, holds no state and imports nothing of
ours, so it can be killed and started again at any time. It ends when either side does.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def main(path: str) -> None:
    """Copy bytes both ways until one way ends."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError as error:
        sys.exit(f"the session behind {path} is over ({error.strerror}); create it again")

    def requests() -> None:
        while data := os.read(0, 1 << 16):
            connection.sendall(data)
        os._exit(0)

    threading.Thread(target=requests, daemon=True).start()
    while data := connection.recv(1 << 16):
        while data:
            data = data[os.write(1, data) :]
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
