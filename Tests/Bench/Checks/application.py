# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An application that works until SIGUSR1, and then fails in one way: application.py ADDRESS PORT
hang|500|404|refuse.

Each answer takes five milliseconds. Its checks, at /health, fail as all else does.
"""

import asyncio
import os
import signal
import sys

PAUSE = 0.005


class Application:
    def __init__(self, kind):
        self.kind = kind
        self.fails = False

    def fail(self):
        self.fails = True
        if self.kind == "refuse":
            os._exit(0)

    async def serve(self, reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(3600 if self.fails and self.kind == "hang" else PAUSE)
                status = self.kind if self.fails else "200"
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nKeep-Alive: timeout=60\r\n\r\nok".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main(address, port, kind):
    application = Application(kind)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, application.fail)
    server = await asyncio.start_server(application.serve, address, int(port), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
