# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An FTP server (RFC 959, RFC 2428): what mod_proxy_ftp asks for a file or a directory, and no more."""

import socket

from .backend import Backend, Request


class FTP(Backend):
    """Each file that is read is a request, with the path that the connection has come to; `reply` makes what it has.

    A reply that drops ends the connection instead of the file, and one with the status 404 says that there is none.
    """

    scheme = "ftp"

    def _serve(self, connection, number):
        try:
            with connection, connection.makefile("rb") as stream:
                _Session(self, connection, number).run(stream)
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)


class _Session:
    """One control connection, which begins in the root."""

    def __init__(self, server, connection, number):
        self.server, self.connection, self.number = server, connection, number
        self.folder, self.passive = "/", None

    def run(self, stream):
        try:
            self._say(220, "Ready")
            while line := stream.readline().decode("latin-1").rstrip("\r\n"):
                verb, _, argument = line.partition(" ")
                if self._obey(verb.upper(), argument) is False:
                    return
        finally:
            if self.passive:
                self.passive.close()

    def _say(self, code, text):
        self.connection.sendall(f"{code} {text}\r\n".encode("latin-1"))

    def _obey(self, verb, argument):
        """False: the connection ends."""
        match verb:
            case "USER":
                self._say(331, "Password please")
            case "PASS":
                self._say(230, "Logged in")
            case "TYPE":
                self._say(200, "Taken")
            case "PWD":
                self._say(257, f'"{self.folder}"')
            case "CWD" if "." in argument:
                self._say(550, "It is a file")
            case "CWD":
                self.folder = f"{self.folder.rstrip('/')}/{argument}"
                self._say(250, "There")
            case "EPSV":
                self.passive = socket.create_server((self.server.address, 0))
                self._say(229, f"Entering Extended Passive Mode (|||{self.passive.getsockname()[1]}|)")
            case "SIZE" if "." not in argument:
                self._say(550, "It is a directory")
            case "RETR":
                return self._send(f"{self.folder.rstrip('/')}/{argument}")
            case "LIST":
                return self._transfer(b"-rw-r--r-- 1 ftp ftp 6 Jan 1 2026 file.txt\r\n")
            case "QUIT":
                self._say(221, "Bye")
                return False
            case _:
                self._say(502, "No such command")

    def _send(self, path):
        request = Request(f"GET {path} FTP", [], b"", self.number)
        with self.server._lock:
            self.server.requests.append(request)
        reply = self.server.reply(request)
        if reply.drop:
            return False
        if reply.status == 404:
            return self._say(550, "No such file")
        return self._transfer(reply.body)

    def _transfer(self, data):
        self._say(150, "Here it comes")
        with self.passive.accept()[0] as connection:
            connection.sendall(data)
        self._say(226, "That was it")
