# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Backends that speak FastCGI, AJP, SCGI or uwsgi, as php-fpm, Tomcat and others do. Each of them keeps its requests as
Backend does, and answers with its `reply`."""

import struct

from .backend import Backend, Request


def read(stream, size):
    """All of these bytes; ValueError: the peer has closed the connection before."""
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("the peer has closed the connection")
    return data


def as_request(variables, body, number):
    """A request as CGI variables describe it."""
    line = "{} {} {}".format(
        *(variables.get(name, "") for name in ("REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL"))
    )
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").title(), value)
        for name, value in variables.items()
        if name.startswith("HTTP_")
    ]
    return Request(line, headers, body, number, variables)


class Gateway(Backend):
    """What CGI's relatives have in common: the answer begins with a Status line (None as the status leaves it out),
    and the connection ends after it."""

    scheme = None

    def _head(self, request, reply):
        reply.close = True
        headers = {
            **({"Status": f"{reply.status} Reply"} if reply.status else {}),
            "Content-Type": "text/plain",
            "X-Server": self.id,
            **reply.headers,
        }
        return ("".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode("latin-1")


# ---- FastCGI ----

FCGI_RECORD = struct.Struct(">BBHHBx")
FCGI_BEGIN, FCGI_END, FCGI_PARAMS, FCGI_STDIN, FCGI_STDOUT = 1, 3, 4, 5, 6


def fcgi_pairs(data):
    """Names and values of FCGI_PARAMS."""
    place = 0

    def length():
        nonlocal place
        size = data[place]
        place += 1
        if size >> 7:
            size = int.from_bytes(data[place - 1 : place + 3], "big") & 0x7FFFFFFF
            place += 3
        return size

    pairs = {}
    while place < len(data):
        name, value = length(), length()
        pairs[data[place : place + name].decode("latin-1")] = data[place + name : place + name + value].decode(
            "latin-1"
        )
        place += name + value
    return pairs


class FastCGI(Gateway):
    """A FastCGI responder, one request at a time on each connection."""

    scheme = "fcgi"

    def _record(self, stream):
        version, kind, request_id, size, padding = FCGI_RECORD.unpack(read(stream, FCGI_RECORD.size))
        if (version, request_id) != (1, 1):
            raise ValueError(f"a FastCGI record of version {version} for request {request_id}")
        return kind, read(stream, size + padding)[:size]

    def _read(self, connection, stream, number):
        parts = {FCGI_PARAMS: b"", FCGI_STDIN: b""}
        kind, _ = self._record(stream)
        if kind != FCGI_BEGIN:
            raise ValueError(f"a FastCGI request that begins with record {kind}")
        for part in parts:
            while True:
                kind, data = self._record(stream)
                if kind != part:
                    raise ValueError(f"FastCGI record {kind} where {part} is expected")
                if not data:
                    break
                parts[part] += data
        return as_request(fcgi_pairs(parts[FCGI_PARAMS]), parts[FCGI_STDIN], number)

    def _send(self, connection, request, reply):
        data = self._head(request, reply) + reply.body
        for place in range(0, len(data), 0xFFF8):
            piece = data[place : place + 0xFFF8]
            connection.sendall(FCGI_RECORD.pack(1, FCGI_STDOUT, 1, len(piece), 0) + piece)
        connection.sendall(FCGI_RECORD.pack(1, FCGI_STDOUT, 1, 0, 0))
        connection.sendall(FCGI_RECORD.pack(1, FCGI_END, 1, 8, 0) + bytes(8))


# ---- SCGI and uwsgi ----


class SCGI(Gateway):
    """An SCGI server: the variables are a netstring, of names and values with NULs after them."""

    scheme = "scgi"

    def _read(self, connection, stream, number):
        size = b""
        while (digit := read(stream, 1)) != b":":
            size += digit
        words = read(stream, int(size)).split(b"\0")
        if read(stream, 1) != b",":
            raise ValueError("a netstring without its comma")
        texts = [word.decode("latin-1") for word in words[:-1]]
        variables = dict(zip(texts[::2], texts[1::2]))
        return as_request(variables, read(stream, int(variables["CONTENT_LENGTH"])), number)


class UWSGI(Gateway):
    """A uwsgi server: names and values with their lengths before them. The answer is HTTP."""

    scheme = "uwsgi"

    def _read(self, connection, stream, number):
        _, size, _ = struct.unpack("<BHB", read(stream, 4))
        data, place, texts = read(stream, size), 0, []
        while place < size:
            (length,) = struct.unpack_from("<H", data, place)
            texts.append(data[place + 2 : place + 2 + length].decode("latin-1"))
            place += 2 + length
        variables = dict(zip(texts[::2], texts[1::2]))
        return as_request(variables, read(stream, int(variables.get("CONTENT_LENGTH") or 0)), number)

    def _head(self, request, reply):
        reply.close = True
        return Backend._head(self, request, reply)


# ---- AJP 1.3 ----

AJP_METHODS = {1: "OPTIONS", 2: "GET", 3: "HEAD", 4: "POST", 5: "PUT", 6: "DELETE"}
AJP_HEADERS = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Authorization Connection Content-Type Content-Length Cookie "
    "Cookie2 Host Pragma Referer User-Agent"
).split()
AJP_ATTRIBUTES = {3: "REMOTE_USER", 4: "AUTH_TYPE", 5: "QUERY_STRING", 6: "ROUTE", 12: "SECRET"}
AJP_FORWARD, AJP_CPING, AJP_CPONG = 2, 10, 9
AJP_BODY_CHUNK, AJP_SEND_HEADERS, AJP_END, AJP_GET_BODY = 3, 4, 5, 6
# Bytes of a body in one packet to the server, and from it: packets have 8192 bytes at most.
AJP_ASKED, AJP_ANSWERED = 8186, 8184


class AjpPacket:
    """Reads one value after the other."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def number(self, form):
        (value,) = struct.unpack_from(">" + form, self.data, self.place)
        self.place += struct.calcsize(">" + form)
        return value

    def text(self, size=None):
        """None: the packet has null there."""
        size = self.number("H") if size is None else size
        if size == 0xFFFF:
            return None
        text = self.data[self.place : self.place + size].decode("latin-1")
        self.place += size + 1
        return text

    def header(self):
        name = self.number("H")
        return (AJP_HEADERS[(name & 0xFF) - 1] if name >> 8 == 0xA0 else self.text(name)), self.text()


def ajp_text(text):
    data = text.encode("latin-1")
    return struct.pack(">H", len(data)) + data + b"\0"


class AJP(Backend):
    """A server as Tomcat's AJP connector is. A connection has one request after the other."""

    scheme = "ajp"

    @staticmethod
    def _packet(stream):
        head = stream.read(4)
        if not head:
            return None
        magic, size = struct.unpack(">HH", head)
        if magic != 0x1234:
            raise ValueError(f"an AJP packet that begins with {magic:x}")
        return read(stream, size)

    @staticmethod
    def _answer(connection, kind, data=b""):
        connection.sendall(b"AB" + struct.pack(">HB", len(data) + 1, kind) + data)

    def _read(self, connection, stream, number):
        while (data := self._packet(stream)) and data[0] == AJP_CPING:
            self._answer(connection, AJP_CPONG)
        if not data:
            return None
        packet = AjpPacket(data)
        if packet.number("B") != AJP_FORWARD:
            raise ValueError("an AJP packet that is not a request")
        method, protocol, path = AJP_METHODS[packet.number("B")], packet.text(), packet.text()
        environment = {name: packet.text() for name in ("REMOTE_ADDR", "REMOTE_HOST", "SERVER_NAME")}
        environment |= {"SERVER_PORT": packet.number("H"), "HTTPS": packet.number("?")}
        headers = [packet.header() for _ in range(packet.number("H"))]
        while (code := packet.number("B")) != 0xFF:
            if code == 0x0A:
                environment[packet.text()] = packet.text()
            else:
                environment[AJP_ATTRIBUTES.get(code, code)] = packet.number("H") if code == 0x0B else packet.text()
        query = environment.get("QUERY_STRING")
        line = f"{method} {path}{'?' + query if query else ''} {protocol}"
        request = Request(line, headers, b"", number, environment)
        request.body = self._body(connection, stream, int(request.header("Content-Length") or 0))
        return request

    def _body(self, connection, stream, size):
        """The first packet comes by itself, the others are asked for."""
        body = b""
        while len(body) < size:
            if body:
                self._answer(connection, AJP_GET_BODY, struct.pack(">H", min(AJP_ASKED, size - len(body))))
            data = self._packet(stream)
            if not data:
                raise ValueError("a body that ends too early")
            body += data[2 : 2 + struct.unpack_from(">H", data)[0]]
        return body

    def _send(self, connection, request, reply):
        headers = {
            "Content-Type": "text/plain",
            "Content-Length": str(len(reply.body)),
            "X-Server": self.id,
            **reply.headers,
        }
        data = struct.pack(">H", reply.status) + ajp_text("Reply") + struct.pack(">H", len(headers))
        self._answer(
            connection, AJP_SEND_HEADERS, data + b"".join(ajp_text(a) + ajp_text(b) for a, b in headers.items())
        )
        body = b"" if request.method == "HEAD" else reply.body
        for place in range(0, len(body), AJP_ANSWERED):
            piece = body[place : place + AJP_ANSWERED]
            self._answer(connection, AJP_BODY_CHUNK, struct.pack(">H", len(piece)) + piece + b"\0")
        self._answer(connection, AJP_END, b"\0" if reply.close else b"\1")
