# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Applications behind an httpd that speak FastCGI or AJP: no more of the protocols than an answer needs. Each keeps
what it was asked."""

import socket
import struct

from . import ports
from .listening import Listener


class _Application:
    """Listens on an address; each request adds its path to `paths` and its body to `bodies`."""

    def __init__(self, address, text):
        self.address, self.port, self.text = address, ports.free_port(address), text
        self.paths, self.bodies = [], []
        self._listener = Listener(self._serve, address, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as stream:
                self.converse(connection, stream)
        except (OSError, ValueError, struct.error):
            pass

    def converse(self, connection, stream):
        raise NotImplementedError


class FastCGI(_Application):
    """FastCGI 1.0, one request a connection."""

    url = "fcgi"

    def converse(self, connection, stream):
        params, body = b"", b""
        while True:
            _, kind, number, length, padding, _ = struct.unpack("!BBHHBB", stream.read(8))
            content = stream.read(length)
            stream.read(padding)
            if kind == 4:
                params += content
            elif kind == 5 and length:
                body += content
            elif kind == 5:
                break
        self.paths.append(_fastcgi_params(params)["REQUEST_URI"])
        self.bodies.append(body)
        answer = f"Content-Type: text/plain\r\n\r\n{self.text}".encode()
        connection.sendall(
            struct.pack("!BBHHBB", 1, 6, number, len(answer), 0, 0)
            + answer
            + struct.pack("!BBHHBB", 1, 6, number, 0, 0, 0)
            + struct.pack("!BBHHBBIBBH", 1, 3, number, 8, 0, 0, 0, 0, 0, 0)
        )


def _fastcgi_params(data):
    def length(at):
        return (
            (data[at], at + 1) if data[at] < 128 else (struct.unpack("!I", data[at : at + 4])[0] & 0x7FFFFFFF, at + 4)
        )

    found, at = {}, 0
    while at < len(data):
        name, at = length(at)
        value, at = length(at)
        found[data[at : at + name].decode()] = data[at + name : at + name + value].decode()
        at += name + value
    return found


class AJP(_Application):
    """AJP 1.3 for requests whose length is known."""

    url = "ajp"

    def converse(self, connection, stream):
        while head := stream.read(4):
            packet = stream.read(struct.unpack("!HH", head)[1])
            if packet[0] == 10:  # CPing
                connection.sendall(b"AB\x00\x01\x09")
                continue
            protocol = struct.unpack("!H", packet[2:4])[0]
            at = 4 + protocol + 1
            size = struct.unpack("!H", packet[at : at + 2])[0]
            self.paths.append(packet[at + 2 : at + 2 + size].decode())
            self.bodies.append(self._body(stream) if packet[1] == 4 else b"")
            self._answer(connection)

    @staticmethod
    def _body(stream):
        length = struct.unpack("!HH", stream.read(4))[1]
        return stream.read(length)[2:]

    def _answer(self, connection):
        body = self.text.encode()
        headers = (
            b"\x04"
            + struct.pack("!HH", 200, 2)
            + b"OK\0"
            + struct.pack("!H", 1)
            + b"\xa0\x01"
            + struct.pack("!H", 10)
            + b"text/plain\0"
        )
        chunk = b"\x03" + struct.pack("!H", len(body)) + body + b"\0"
        for packet in (headers, chunk, b"\x05\x01"):
            connection.sendall(b"AB" + struct.pack("!H", len(packet)) + packet)


class LocalApplication(_Application):
    """HTTP on a Unix socket; one request a connection. Each request's header is added to `requests`."""

    def __init__(self, path):
        self.path, self.requests = path, []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(16)
        self._listener = Listener(self._serve, listener=listener)

    def converse(self, connection, stream):
        header = b""
        while (line := stream.readline()) not in (b"\r\n", b""):
            header += line
        self.requests.append(header)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlocal")
