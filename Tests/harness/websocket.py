# Licensed under the Apache License, Version 2.0; see LICENSE.
"""As much of RFC 6455 as an echo needs: the handshake and unfragmented frames."""

import base64
import hashlib
import os
import struct

from .conversation import connect, read_head

TEXT, CLOSE = 1, 8


def accept_key(key):
    """What the server answers to the client's key."""
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def header(head, name):
    """The value of a header in the text of a head; None if it is absent."""
    for line in head.splitlines()[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def frame(kind, data, masked):
    """One frame; clients mask theirs."""
    bit, size = 0x80 if masked else 0, len(data)
    if size < 126:
        head = struct.pack(">BB", 0x80 | kind, bit | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | kind, bit | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | kind, bit | 127, size)
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + _masked(data, mask)


def read_frame(stream):
    """Kind and data of the next frame; (None, b"") at the end of the connection."""
    start = stream.read(2)
    if len(start) < 2:
        return None, b""
    size, masked = start[1] & 0x7F, start[1] & 0x80
    if size == 126:
        (size,) = struct.unpack(">H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", stream.read(8))
    mask = stream.read(4) if masked else bytes(4)
    return start[0] & 0x0F, _masked(stream.read(size), mask)


def _masked(data, mask):
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


def echo(connection, stream, head):
    """For conversation.Server: gives each text back until the client closes; answers 426 to what is no handshake."""
    key = header(head, "Sec-WebSocket-Key")
    if not key or (header(head, "Upgrade") or "").lower() != "websocket":
        connection.sendall(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
        return True
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
    )
    while True:
        kind, data = read_frame(stream)
        if kind is None:
            return False
        connection.sendall(frame(kind, data, masked=False))
        if kind == CLOSE:
            return False


class WebSocket:
    """A client; it raises AssertionError if the server does not agree."""

    def __init__(self, front, path="/", headers=""):
        self.connection, self.stream = connect(front)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {front.id}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
        )
        head = read_head(self.stream)
        assert head.startswith("HTTP/1.1 101"), head
        assert header(head, "Sec-WebSocket-Accept") == accept_key(key)

    def say(self, text):
        """Sends a text and returns the answer."""
        self.connection.sendall(frame(TEXT, text.encode(), masked=True))
        return read_frame(self.stream)[1].decode()

    def close(self):
        """Says goodbye; returns whether the server did too, and then nothing more came."""
        self.connection.sendall(frame(CLOSE, b"\x03\xe8", masked=True))
        polite = read_frame(self.stream)[0] == CLOSE and read_frame(self.stream)[0] is None
        self.leave()
        return polite

    def leave(self):
        """Ends the connection without a word."""
        self.stream.close()
        self.connection.close()
