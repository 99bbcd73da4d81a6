# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Floods of datagrams, bounded in number and time."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def flood(stage, datagram, rate, *, sources, seconds=5, destination=None):
    """Sends the datagram from each of the sources, together so many times a second; yields a function that tells how
    many were sent, once all have ended."""
    program = stage.folder / "flood"
    if not program.exists():
        subprocess.run(
            [os.environ.get("CC", "cc"), "-O2", "-o", program, Path(__file__).with_name("flood.c")], check=True
        )
    address, port = destination or stage.group
    senders = []
    try:
        for source in sources:
            command = [program, source, address, port, rate / len(sources), seconds]
            sender = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            senders.append(sender)
            sender.stdin.write(datagram)
            sender.stdin.close()
            sender.stdin = None

        def sent():
            return sum(int(sender.communicate(timeout=seconds + 20)[0]) for sender in senders)

        yield sent
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
