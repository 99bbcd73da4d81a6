# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Announcements as docs/protocol.md draws them, to plant servers in the table of an httpd."""

import hashlib
import hmac
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
TAG_SIGNATURE = 3
TAG_NONCE = 4
TAG_MEANS = 5
TAG_STATE = 6
TAG_TIME = 7
TAG_SLASHES = 10
TAG_IDLE = 8
TAG_WALL = 11
CHALLENGE = struct.Struct(">IBBH Q 16s")
FREE, WORKER, CLOSED = 1, 2, 3  # what an idle connection costs
KEEPS = (FREE, 60_000, 0, 0)  # idle_cost of a server to which connections are kept for as long as a test takes
UP, DRAINING, MAINTENANCE, SHUTDOWN = range(4)

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
    means: tuple = ()  # the eight numbers of tag 5; empty: not announced
    idle_cost: tuple = ()  # the four numbers of tag 8; empty: not announced
    state: int = UP
    slashes: tuple = ()  # the two numbers of tag 10; empty: not announced
    boot_id: int = field(default_factory=lambda: random.getrandbits(63) | 1)
    sequence: int = 0
    sent: int = 0  # the sender's clock, in signed ones; 0: now
    ahead: int = 0  # seconds that its wall clock is ahead of the right time

    @property
    def id(self):
        """Address and port, as the table shows them."""
        return f"{self.address}:{self.port}"

    def encode(self, *, magic=MAGIC, version=VERSION, flags=0, length=None, extensions=None, key=None, nonce=None):
        """The datagram, signed if there is a key. The other keywords break it on purpose."""
        if extensions is None:
            hostname = self.hostname or "host-" + self.address.replace(".", "-")
            extensions = extension(TAG_HOSTNAME, hostname.encode())
            if self.worker_memory:
                extensions += extension(TAG_WORKER_MEMORY, struct.pack(">Q", self.worker_memory))
            if self.means:
                extensions += extension(TAG_MEANS, struct.pack(">QIIIIIII", *self.means))
            if self.idle_cost:
                cost, *others = self.idle_cost
                extensions += extension(TAG_IDLE, struct.pack(">BxxxIIi", cost, *others))
            if self.state:
                extensions += extension(TAG_STATE, bytes([self.state]))
            if self.slashes:
                extensions += extension(TAG_SLASHES, bytes(self.slashes))
        if nonce:
            extensions += extension(TAG_NONCE, nonce)
        if key:
            extensions += extension(TAG_TIME, struct.pack(">Q", self.sent or time.monotonic_ns() // 1_000_000))
            extensions += extension(TAG_WALL, struct.pack(">q", int(time.time()) + self.ahead))
            extensions += extension(TAG_SIGNATURE, b"\0" * 32)
        size = HEADER.size + len(extensions) if length is None else length
        data = (
            HEADER.pack(
                magic,
                version,
                flags,
                size,
                self.boot_id,
                self.sequence or next(_sequence),
                b"\0" * 10 + b"\xff\xff" + socket.inet_aton(self.address),
                self.port,
                0,
                self.arriba,
                self.load,
                self.load_hwm,
                self.cpu,
                self.ncpu,
                self.workers,
                self.idle,
                self.total_memory,
                self.free_memory,
                self.arrivals,
            )
            + extensions
        )
        return data[:-32] + signature(key, data[:-32]) if key else data

    def with_(self, **changes):
        """The same server with other values."""
        return replace(self, **changes)


def extension(tag, value):
    """One tagged extension: tag, length of the value, value."""
    return struct.pack(">HH", tag, len(value)) + value


def signature(key, data):
    """HMAC-SHA-256; key: a text, as in the file of BackhandKey."""
    return hmac.new(key.encode(), data, hashlib.sha256).digest()


def challenge(boot_id, nonce, key):
    """What asks the server with the boot id to repeat the nonce."""
    head = CHALLENGE.pack(MAGIC, VERSION, 1, CHALLENGE.size + 36, boot_id, nonce) + struct.pack(
        ">HH", TAG_SIGNATURE, 32
    )
    return head + signature(key, head)


class Peer:
    """Plays a server that has a key: announces and, if it is asked to, answers."""

    def __init__(self, announcement, group, key):
        self.announcement, self.group, self.key = announcement, group, key
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((announcement.address, 0))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(announcement.address))
        self.socket.settimeout(10)

    def announce(self):
        """One announcement more; returns it."""
        data = self.announcement.with_(sequence=next(_sequence)).encode(key=self.key)
        self.socket.sendto(data, self.group)
        return data

    def challenged(self):
        """Waits for a challenge: its nonce and who asks."""
        while True:
            data, who = self.socket.recvfrom(2000)
            if len(data) == CHALLENGE.size + 36:
                magic, version, kind, length, boot_id, nonce = CHALLENGE.unpack(data[: CHALLENGE.size])
                assert (magic, version, kind, length, boot_id) == (
                    MAGIC,
                    VERSION,
                    1,
                    len(data),
                    self.announcement.boot_id,
                )
                assert data[-36:-32] == struct.pack(">HH", TAG_SIGNATURE, 32) and data[-32:] == signature(
                    self.key, data[:-32]
                )
                return nonce, who

    def answer(self, nonce, who, **how):
        """The announcement once more, with the nonce."""
        how.setdefault("key", self.key)
        self.socket.sendto(self.announcement.with_(sequence=next(_sequence)).encode(nonce=nonce, **how), who)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def heard(group, address, *, listener="127.0.9.9"):
    """Waits for what the address announces to the group: the datagram, and where it came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(group)
        ear.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group[0]) + socket.inet_aton(listener)
        )
        ear.settimeout(5)
        while True:
            data, where = ear.recvfrom(2000)
            if where[0] == address:
                return data, where


def send(data, group, source):
    """Sends a datagram to `(address, port)`, a multicast group or not, from the source address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sender.sendto(data, group)
