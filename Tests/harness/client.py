# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A client that sends exactly what it is told and keeps everything that comes back."""

import http.client
import socket
from typing import NamedTuple


class Response(NamedTuple):
    """An answer; header names compare without case."""

    status: int
    headers: list
    body: bytes

    def header(self, name):
        """All values of the header, joined; None if it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def trace(self):
        """The Backhand-Trace header, read; None if it is absent."""
        value = self.header("Backhand-Trace")
        return None if value is None else Trace.read(value)


class Step(NamedTuple):
    """What a function of the chain left: `byAge:8>6` went from 8 to 6; `byLoad:2` changed no count."""

    name: str
    before: int
    after: int


class Trace(NamedTuple):
    """A Backhand-Trace header."""

    action: str
    server: str
    chain: list

    @staticmethod
    def read(value):
        words = dict(word.partition("=")[::2] for word in value.split())
        steps = []
        for text in filter(None, words.get("chain", "").split(",")):
            name, _, counts = text.rpartition(":")
            before, changed, after = counts.partition(">")
            steps.append(Step(name, int(before), int(after) if changed else int(before)))
        return Trace(words["action"], words.get("server"), steps)

    @property
    def left(self):
        """How many servers each function left, in order."""
        return [(step.name, step.after) for step in self.chain]


class Client:
    """One connection to a server, kept alive over several requests."""

    def __init__(self, address, port, source=None, timeout=20):
        self.connection = http.client.HTTPConnection(
            address, port, timeout=timeout, source_address=(source, 0) if source else None
        )

    def send(self, path="/", method="GET", headers=(), body=None, chunks=None):
        """Sends a request without waiting for its answer. The path goes out as it stands."""
        headers = dict(headers)
        names = {name.lower() for name in headers}
        connection = self.connection
        connection.putrequest(method, path, skip_host="host" in names, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if chunks is not None:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            for chunk in chunks:
                connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            connection.send(b"0\r\n\r\n")
        else:
            if body is not None and "content-length" not in names:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)

    def receive(self):
        """The answer to the request that was sent."""
        response = self.connection.getresponse()
        return Response(response.status, response.getheaders(), response.read())

    def request(self, path="/", **how):
        """Sends a request and returns its answer."""
        self.send(path, **how)
        return self.receive()

    def close(self):
        """Closes the connection at once, whatever is under way."""
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(address, port, path="/", source=None, timeout=20, **how):
    """One request on a connection of its own, which the client asks to be closed."""
    with Client(address, port, source, timeout) as client:
        headers = {"Connection": "close", **dict(how.pop("headers", ()))}
        return client.request(path, headers=headers, **how)


def raw(address, port, data, source=None, timeout=20):
    """Sends bytes and returns all bytes that come back until the server closes."""
    with socket.create_connection((address, port), timeout, (source, 0) if source else None) as connection:
        connection.sendall(data)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)
