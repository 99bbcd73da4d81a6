#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An application to try it with: it says who it is and which client asks, and "/health" says whether it works.

Usage: application.py [ADDRESS:PORT]
"""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The header and the content leave together. Otherwise the second would wait for the acknowledgement of the first.
    wbufsize = -1

    def do_GET(self):
        client = self.headers.get("X-Real-IP", self.client_address[0])
        text = "well\n" if self.path == "/health" else f"{socket.gethostname()} serves {client}\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    address, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000").rpartition(":")
    ThreadingHTTPServer((address, int(port)), Application).serve_forever()
