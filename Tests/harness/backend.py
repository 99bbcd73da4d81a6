# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A web server that keeps each request exactly as it arrived: what a proxy sent is seen here."""

import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from . import ports
from .listening import Listener


@dataclass
class Request:
    """A request as it came over the wire."""

    line: str
    headers: list
    body: bytes
    connection: int
    """Number of the connection that brought it, from 1 on."""
    environment: dict = field(default_factory=dict)
    """What FastCGI, AJP, SCGI and uwsgi send beside that: variables, attributes."""

    @property
    def method(self):
        return self.line.split(" ")[0]

    @property
    def target(self):
        """Path and query, not touched."""
        return self.line.split(" ")[1]

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass
class Reply:
    """What a backend answers."""

    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    delay: float = 0
    """Seconds before the first byte."""
    close: bool = False
    """End the connection behind the answer."""
    told: bool = True
    """Whether the answer says that the connection ends."""
    drop: bool = False
    """End the connection instead of an answer."""
    reset: bool = False
    """The same, with a reset."""
    cut: int = None
    """End the connection after so many bytes of the body."""


class Backend:
    """Listens on an address; `reply` makes each answer. The name that it answers with is its address and port."""

    def __init__(self, address="127.0.0.1", port=None, reply=None):
        self.address = address
        self.port = port or ports.free_port(address)
        self.reply = reply or (lambda request: Reply(body=self.id.encode()))
        self.requests = []
        self.connections = 0
        self._open = set()
        self._lock = threading.Lock()
        self._listener = Listener(self._serve, address, self.port, accepted=self._count)

    @property
    def id(self):
        return f"{self.address}:{self.port}"

    @property
    def open(self):
        """How many connections are open."""
        with self._lock:
            return len(self._open)

    def close(self):
        """Stops listening and ends all connections."""
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _count(self, connection):
        with self._lock:
            self.connections += 1
            self._open.add(connection)
            return (self.connections,)

    def _serve(self, connection, number):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as stream:
                while request := self._read(connection, stream, number):
                    with self._lock:
                        self.requests.append(request)
                    reply = self.reply(request)
                    if reply.delay:
                        time.sleep(reply.delay)
                    if reply.reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if reply.drop or reply.reset:
                        return
                    self._send(connection, request, reply)
                    if reply.close or reply.cut is not None:
                        return
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _read(self, connection, stream, number):
        line = stream.readline().decode("latin-1").rstrip("\r\n")
        if not line:
            return None
        headers = []
        while text := stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        request = Request(line, headers, b"", number)
        if (request.header("Expect") or "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (request.header("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(stream.readline().split(b";")[0], 16):
                request.body += stream.read(size)
                stream.readline()
            while stream.readline().strip():
                pass
        elif length := int(request.header("Content-Length") or 0):
            request.body = stream.read(length)
        return request

    def _send(self, connection, request, reply):
        body = b"" if request.method == "HEAD" else reply.body[: reply.cut]
        connection.sendall(self._head(request, reply) + body)

    def _head(self, request, reply):
        headers = {
            "Content-Type": "text/plain",
            "Content-Length": str(len(reply.body)),
            "X-Server": self.id,
            **reply.headers,
        }
        if reply.close and reply.told:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {reply.status} Reply"] + [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
