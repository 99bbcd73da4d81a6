# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The table of an httpd, read over its control socket or over HTTP."""

import json
import socket


class Status:
    """The JSON of docs/status.md."""

    def __init__(self, text):
        self.text = text
        self.json = json.loads(text)

    @property
    def servers(self):
        """Rows by "address:port"; self is one of them."""
        return {f"{row['address']}:{row['port']}": row for row in self.json["servers"]}

    @property
    def others(self):
        """Rows of the servers that are not self."""
        return {key: row for key, row in self.servers.items() if not row["self"]}

    @property
    def self(self):
        return next((row for row in self.json["servers"] if row["self"]), None)

    @property
    def counters(self):
        return self.json["counters"]

    def __repr__(self):
        rows = [f"{key} age={row['age_ms']}" for key, row in self.servers.items()]
        return f"<servers: {'; '.join(rows)}; counters: {self.counters}>"


def ask(path, line="status\n", timeout=5):
    """Sends one line to a control socket and returns everything that comes back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(line.encode() if isinstance(line, str) else line)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces).decode()


def over_socket(path):
    """The table from a control socket."""
    return Status(ask(path))
