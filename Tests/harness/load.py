# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Clients that ask without a pause, on new connections and on kept-alive ones, and note what went wrong."""

import http.client
import threading
import time

from . import client


class Load:
    """Safe requests to one httpd from a few threads, until the block ends.

    A kept-alive connection that ends before the first byte of an answer is the one race that no server can avoid (RFC
    9112, 9.5): its client repeats the request on another connection, as browsers do. Such repetitions are counted;
    everything else goes to `wrong`. `longest` is the longest time of an answered request, in seconds.
    """

    def __init__(
        self, server, path="/", new=1, kept=1, pause=0.003, timeout=20, good=lambda answer: answer.status == 200
    ):
        """pause: after each request of a thread. timeout: that a client waits for anything. Both in seconds."""
        self.server, self.path, self.pause, self.timeout, self.good = server, path, pause, timeout, good
        self.count, self.repeated, self.wrong, self.longest = 0, 0, [], 0.0
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._on_new) for _ in range(new)] + [
            threading.Thread(target=self._on_kept) for _ in range(kept)
        ]

    def _note(self, answer, begin):
        self.count += 1
        self.longest = max(self.longest, time.monotonic() - begin)
        if not self.good(answer):
            self.wrong.append((time.monotonic(), answer))
        self._end.wait(self.pause)

    def _note_failure(self, error):
        self.wrong.append((time.monotonic(), error))
        self._end.wait(self.pause)

    def _on_new(self):
        while not self._end.is_set():
            begin = time.monotonic()
            try:
                self._note(
                    client.request(self.server.address, self.server.port, self.path, timeout=self.timeout), begin
                )
            except (OSError, http.client.HTTPException) as error:
                self._note_failure(error)

    def _on_kept(self):
        while not self._end.is_set():
            with client.Client(self.server.address, self.server.port, timeout=self.timeout) as connection:
                used = 0
                while not self._end.is_set():
                    begin = time.monotonic()
                    try:
                        answer = connection.request(self.path)
                    except (ConnectionError, http.client.RemoteDisconnected) as error:
                        if used:
                            self.repeated += 1
                        else:
                            self._note_failure(error)
                        break
                    except (OSError, http.client.HTTPException) as error:
                        self._note_failure(error)
                        break
                    used += 1
                    self._note(answer, begin)
                    if answer.header("Connection") == "close":
                        break

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()
