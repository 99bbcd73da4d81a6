# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the servers of tests have in common: a thread that accepts connections, and one for each of them."""

import socket
import threading


class Listener:
    """Serves each connection in a thread of its own, until it is closed.

    accepted runs before the next connection is accepted; what it returns, a tuple, is handed to serve after the
    connection.
    """

    def __init__(self, serve, address=None, port=0, *, listener=None, accepted=lambda connection: ()):
        self._serve, self._accepted = serve, accepted
        self._socket = listener or socket.create_server((address, port), backlog=128)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._socket.getsockname()[1]

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, *self._accepted(connection)), daemon=True).start()

    def close(self):
        """Takes no more connections."""
        # Wakes the thread in accept(): until then the kernel takes one more.
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._thread.join(5)
