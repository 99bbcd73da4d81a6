# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Servers and clients whose every byte the test writes: for what HTTP libraries hide."""

import socket

from . import ports
from .listening import Listener


class Server:
    """A server whose conversation the test writes: `talk(connection, stream, head)` for each request."""

    def __init__(self, talk, address="127.0.9.2"):
        self.address, self.port, self.talk = address, ports.free_port(address), talk
        self._listener = Listener(self._serve, address, self.port)

    @property
    def id(self):
        return f"{self.address}:{self.port}"

    def serve(self, connection, stream):
        """One connection: request after request."""
        while head := read_head(stream):
            if not self.talk(connection, stream, head):
                return

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as stream:
                self.serve(connection, stream)
        except (OSError, ValueError):
            pass

    def close(self):
        """Takes no more connections."""
        self._listener.close()


def read_head(stream):
    """Lines up to the empty one; an empty text at the end of the connection."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return b"".join(lines).decode("latin-1")


def chunks(stream):
    """The chunks of a body, without their framing, up to the last one; trailers are read and dropped."""
    while size := int(stream.readline().split(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    read_head(stream)


def count_body(stream, head):
    """Reads a body without keeping it; returns its length."""
    buffer, total = bytearray(1 << 20), 0

    def discard(length):
        while length:
            length -= stream.readinto(memoryview(buffer)[: min(length, len(buffer))])

    if "transfer-encoding: chunked" in head.lower():
        while size := int(stream.readline().split(b";")[0], 16):
            discard(size)
            stream.readline()
            total += size
        read_head(stream)  # trailers
    else:
        total = next(
            (int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length:")), 0
        )
        discard(total)
    return total


def say(connection, text, headers=""):
    """A whole answer. Returns that the connection stays."""
    body = text.encode()
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
    return True


def connect(front):
    """A connection to an httpd and what comes over it."""
    connection = socket.create_connection((front.address, front.port), 30)
    return connection, connection.makefile("rb")
