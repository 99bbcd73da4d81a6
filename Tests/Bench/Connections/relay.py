# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A way to a server that takes time, as a network does, and sees which kept connections end under a request."""

import asyncio
import threading


class Relay:
    """Passes on what comes, `delay` seconds later. `close` ends it."""

    def __init__(self, loop, server, address, port, delay):
        self.loop, self.server, self.address, self.port, self.delay = loop, server, address, port, delay
        self.made = self.races = 0
        self._serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, address, port), loop).result(
            5
        )

    @property
    def id(self):
        return f"{self.address}:{self.port}"

    async def _serve(self, reader, writer):
        self.made += 1
        way = _Way(self)
        try:
            far = await asyncio.open_connection(self.server.address, self.server.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            way.pass_on(reader, far[1], from_front=True),
            way.pass_on(far[0], writer, from_front=False),
            return_exceptions=True,
        )
        if way.is_race:
            self.races += 1


class _Way:
    """One connection."""

    def __init__(self, relay):
        self.relay, self.answers, self.waits, self.ended, self.is_race = relay, 0, False, False, False

    async def pass_on(self, reader, writer, from_front):
        while data := await self._read(reader):
            if from_front:
                self.is_race |= self.ended and self.answers > 0
                self.waits = True
            else:
                self.answers += self.waits
                self.waits = False
            self.relay.loop.call_later(self.relay.delay, writer.write, data)
        if not from_front:
            # Its last words, before a request that was on its way has come.
            self.is_race |= self.waits and self.answers > 0
            self.ended = True
        self.relay.loop.call_later(self.relay.delay, writer.close)

    @staticmethod
    async def _read(reader):
        try:
            return await reader.read(65536)
        except OSError:
            return b""


class Relays(threading.Thread):
    """The loop that they run in."""

    def __init__(self):
        super().__init__(daemon=True)
        self.loop = asyncio.new_event_loop()
        self.start()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def to(self, server, address, port, delay):
        return Relay(self.loop, server, address, port, delay)

    async def _end(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(5)
