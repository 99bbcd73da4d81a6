# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Announcements as docs/protocol.md draws them, to plant servers in the table of an httpd."""

import itertools
import random
import socket
import struct
import time
from dataclasses import dataclass, field, replace

MAGIC = 0x424B4844  # "BKHD"
VERSION = 1
HEADER = struct.Struct(">IBBH QQ 16s HH iiiiiii QQQ")
TAG_HOSTNAME = 1
TAG_WORKER_MEMORY = 2

assert HEADER.size == 96

_sequence = itertools.count(int(time.time() * 1000))


@dataclass
class Announcement:
    """What a server tells of itself. Loads in thousandths, cpu in thousandths of idle time, memory in bytes."""

    address: str
    port: int = 80
    hostname: str = ""
    arriba: int = 1000000
    load: int = 0
    load_hwm: int = 1000
    cpu: int = 1000
    ncpu: int = 4
    workers: int = 100
    idle: int = 100
    total_memory: int = 8 << 30
    free_memory: int = 4 << 30
    arrivals: int = 0
    worker_memory: int = 0
    boot_id: int = field(default_factory=lambda: random.getrandbits(63) | 1)
    sequence: int = 0

    @property
    def id(self):
        """Address and port, as the table shows them."""
        return f"{self.address}:{self.port}"

    def encode(self, *, magic=MAGIC, version=VERSION, flags=0, length=None, extensions=None):
        """The datagram. The keywords break it on purpose."""
        if extensions is None:
            hostname = self.hostname or "host-" + self.address.replace(".", "-")
            extensions = extension(TAG_HOSTNAME, hostname.encode())
            if self.worker_memory:
                extensions += extension(TAG_WORKER_MEMORY, struct.pack(">Q", self.worker_memory))
        size = HEADER.size + len(extensions) if length is None else length
        return HEADER.pack(
            magic, version, flags, size, self.boot_id, self.sequence or next(_sequence),
            b"\0" * 10 + b"\xff\xff" + socket.inet_aton(self.address), self.port, 0,
            self.arriba, self.load, self.load_hwm, self.cpu, self.ncpu, self.workers, self.idle,
            self.total_memory, self.free_memory, self.arrivals) + extensions

    def with_(self, **changes):
        """The same server with other values."""
        return replace(self, **changes)


def extension(tag, value):
    """One tagged extension: tag, length of the value, value."""
    return struct.pack(">HH", tag, len(value)) + value


def send(data, group, source="127.0.9.1"):
    """Sends a datagram to `(address, port)`, a multicast group or not, from the source address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sender.sendto(data, group)
