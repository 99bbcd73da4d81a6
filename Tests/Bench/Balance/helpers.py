# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What some rivals need beside them: HAProxy's agents, and the file that mod_heartmonitor keeps.

One thread serves all of them; it does nothing a hundred times a second at most.
"""

import os
import re
import selectors
import socket
import threading
import time

# mod_heartmonitor writes what it has heard every five seconds (HM_UPDATE_SEC).
HEARTBEATS_EVERY = 5.0
THREADS_PER_WORKER = 8


class Helpers(threading.Thread):
    """For a farm; ends with `close`."""

    def __init__(self, farm, heartbeats):
        super().__init__(daemon=True)
        self._farm, self._path = farm, heartbeats
        self._heard = {}
        self._selector = selectors.DefaultSelector()
        self._end = threading.Event()
        for server in farm.servers:
            self._listen(server)
        self._write_heartbeats()
        self.start()

    def _listen(self, server):
        agent = socket.create_server(("127.0.0.1", server.agent))
        beats = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        beats.bind(("127.0.0.1", server.heartbeat))
        for one, action in ((agent, self._answer), (beats, self._hear)):
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ, (action, server))

    def run(self):
        due = time.monotonic()
        while not self._end.is_set():
            for key, _ in self._selector.select(0.2):
                action, server = key.data
                action(key.fileobj, server)
            if time.monotonic() >= due:
                self._write_heartbeats()
                # The first ones are not waited for as long: runs begin with all servers known.
                due = time.monotonic() + (HEARTBEATS_EVERY if len(self._heard) >= len(self._farm.running) else 0.2)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    @staticmethod
    def _answer(listener, server):
        """What is left of the server's capacity: this agent knows it exactly."""
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.sendall(f"{max(1, round(100 * server.left))}%\n".encode())
            except OSError:
                pass

    def _hear(self, one, server):
        text = one.recv(1000).decode("ascii", "replace")
        found = re.fullmatch(r"v=1&ready=(\d+)&busy=(\d+)", text)
        if not found:
            return
        # As of an httpd whose threads are in proportion to what is behind it. Its own are more, the same for all: all
        # would be alike. With no more threads than workers, nobody would be ready for five seconds, and
        # lbmethod_heartbeat answer 503.
        busy = int(found[2])
        self._heard[server.httpd.address] = (
            time.monotonic(),
            max(0, THREADS_PER_WORKER * server.settings.workers - busy),
            busy,
        )

    def _write_heartbeats(self):
        """As mod_heartmonitor does; its own listener takes part in multicast groups on no loopback interface."""
        now = time.monotonic()
        lines = [
            f"{address} &ready={ready}&busy={busy}&lastseen={int(now - seen)}&port=80\n"
            for address, (seen, ready, busy) in sorted(self._heard.items())
        ]
        new = f"{self._path}.new"
        with open(new, "w", encoding="ascii") as file:
            file.writelines(lines)
        os.chmod(new, 0o644)
        os.replace(new, self._path)

    @property
    def has_heard_all(self):
        return len(self._heard) >= len(self._farm.running)

    def close(self):
        self._end.set()
        self.join()
