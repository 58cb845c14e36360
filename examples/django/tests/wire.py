"""The way of events from Callwright to browsers, for tests that cut it."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

RESET = struct.pack("ii", 1, 0)


class Wire:
    """Carries bytes on a port of its own to wherever `target` says, until it is cut."""

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self.target, self.down, self.ends = target, False, set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if self.down:
                    near.close()
                    continue
                far = socket.create_connection(self.target())
                self.ends |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    @staticmethod
    def carry(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        # Each direction closes what it read from; the other one then comes to its end.
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        one.close()

    def cut(self) -> None:
        """Every connection is reset, and none comes through until `mend`."""
        self.down = True
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                # Reset, and not closed in order.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()

    def mend(self) -> None:
        self.down = False
