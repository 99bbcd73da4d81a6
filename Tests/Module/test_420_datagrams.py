# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Datagrams that are no announcements: counted by kind, dropped, and told at most once a minute a kind."""

import random

import pytest
from harness import announce
from harness.announce import Announcement, extension
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

PEER, STRANGER = "127.0.9.1", "127.0.0.50"
GOOD = Announcement("127.0.9.70", 80, "good")
ENCODED = GOOD.encode()
NAME = extension(1, b"good")


def changed(offset, value):
    return ENCODED[:offset] + value + ENCODED[offset + len(value) :]


V4 = b"\0" * 10 + b"\xff\xff"

# What is sent, and the counter that it must raise.
DATAGRAMS = {
    "empty": (b"", "truncated"),
    "one byte": (b"B", "truncated"),
    "magic only": (ENCODED[:4], "truncated"),
    "half a header": (ENCODED[:50], "truncated"),
    "one byte short": (ENCODED[:-1], "truncated"),
    "extension over the end": (GOOD.encode(extensions=NAME + b"\x00\x07\x00\x09abc"), "truncated"),
    "half an extension's head": (GOOD.encode(extensions=NAME + b"\x00\x07\x00"), "truncated"),
    "longer than its header says": (ENCODED + b"\0", "oversized"),
    "longer than any": (GOOD.encode(extensions=NAME + extension(999, b"x" * 1200)), "oversized"),
    "largest of all": (GOOD.encode(extensions=NAME + extension(999, b"x" * 60000), length=60108), "oversized"),
    "foreign, and longer than any": (b"Lorem ipsum dolor sit amet, " * 50, "oversized"),
    "foreign": (b"Lorem ipsum dolor sit amet, " * 10, "foreign"),
    "magic upside down": (GOOD.encode(magic=0x44484B42), "foreign"),
    "version 0": (GOOD.encode(version=0), "version"),
    "version 2": (GOOD.encode(version=2), "version"),
    "version 255": (GOOD.encode(version=255), "version"),
    "port 0": (changed(40, b"\0\0"), "nonsense"),
    "no address": (changed(24, b"\0" * 16), "nonsense"),
    "address 0.0.0.0": (changed(24, V4 + b"\0\0\0\0"), "nonsense"),
    "multicast address": (changed(24, V4 + b"\xef\x01\x01\x01"), "nonsense"),
    "multicast address of IPv6": (changed(24, b"\xff\x02" + b"\0" * 13 + b"\x01"), "nonsense"),
    "no hostname": (GOOD.encode(extensions=b""), "nonsense"),
    "empty hostname": (GOOD.encode(extensions=extension(1, b"")), "nonsense"),
    "long hostname": (GOOD.encode(extensions=extension(1, b"h" * 64)), "nonsense"),
    "hostname twice": (GOOD.encode(extensions=NAME + NAME), "nonsense"),
    "worker memory of 4 bytes": (GOOD.encode(extensions=NAME + extension(2, b"\0" * 4)), "nonsense"),
}


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CLUSTER_OF_9)
    server.knows()
    return server


def count(server, name):
    return server.status().counters[name]


@pytest.mark.parametrize("data, counter", DATAGRAMS.values(), ids=DATAGRAMS.keys())
def test_dropped_and_counted(server, data, counter):
    before = server.status().counters
    announce.send(data, server.group, PEER)
    wait_for(lambda: count(server, counter) == before[counter] + 1, 5, f"the counter {counter}", show=server.status)
    after = server.status()
    kinds = ("not_accepted", "truncated", "oversized", "foreign", "version", "nonsense", "repeated", "table_full")
    assert {kind: after.counters[kind] - before[kind] for kind in kinds if after.counters[kind] != before[kind]} == {
        counter: 1
    }
    assert after.counters["received"] > before["received"]
    assert after.others == {}
    server.log.allow("BH03")


def test_strangers(server):
    before = count(server, "not_accepted")
    announce.send(ENCODED, server.group, STRANGER)
    wait_for(lambda: count(server, "not_accepted") == before + 1, 5, "the counter", show=server.status)
    assert server.status().others == {}
    server.log.allow("BH03")


def test_unknown_extensions_are_skipped(stage):
    server = stage.httpd(CLUSTER_OF_9)

    def heard():
        data = GOOD.encode(extensions=extension(77, b"anything") + NAME + extension(65535, b""))
        announce.send(data, server.group, GOOD.address)
        return GOOD.id in server.status().servers

    wait_for(heard, 5, "the row", every=0.2)


def test_repeated_and_reordered(stage):
    """A sequence that is not above the last one of the same start changes nothing; after a new start any is right."""
    server = stage.httpd(CLUSTER_OF_9)
    first = GOOD.with_(sequence=100, load=1000)
    stage.plant(server, first)
    before = count(server, "repeated")
    for sequence in (100, 99, 1):
        stage.announce(GOOD.with_(sequence=sequence, load=7000))
    wait_for(lambda: count(server, "repeated") >= before + 3, 5, "the counter", show=server.status)
    assert server.status().servers[GOOD.id]["load"] == 1
    stage.announce(GOOD.with_(sequence=101, load=2000))
    wait_for(lambda: server.status().servers[GOOD.id]["load"] == 2, 5, "the next one")
    stage.announce(GOOD.with_(sequence=1, load=3000, boot_id=GOOD.boot_id + 1))
    wait_for(lambda: server.status().servers[GOOD.id]["load"] == 3, 5, "the first one after a new start")


def test_one_address_and_two_ports_are_two_servers(stage):
    server = stage.httpd(CLUSTER_OF_9)
    two = [Announcement("127.0.9.71", port, f"host-{port}") for port in (80, 81)]
    stage.plant(server, *two)
    assert {row["hostname"] for row in server.status().others.values()} == {"host-80", "host-81"}


def test_a_flood_is_told_once_a_kind(stage):
    server = stage.httpd(CLUSTER_OF_9)
    server.log.allow("BH03")
    server.knows()
    kinds = {counter: data for data, counter in DATAGRAMS.values()}
    for _ in range(100):
        for data in kinds.values():
            announce.send(data, server.group, PEER)
        announce.send(ENCODED, server.group, STRANGER)
    wait_for(
        lambda: all(count(server, kind) >= 20 for kind in (*kinds, "not_accepted")),
        5,
        "the counters",
        show=server.status,
    )
    told = [line.text for line in server.log.lines("BH03") if line.is_grave]
    assert 1 <= len(told) <= len(kinds) + 1, told


def test_noise(stage):
    """Random bytes, and announcements with random bytes in them: the moderator lives on and the table holds who spoke
    well."""
    server = stage.httpd(CLUSTER_OF_9 + "BackhandMode Observe\nBackhand byCost\nBackhand byLoad\n")
    stage.plant(server, GOOD)
    server.log.allow("BH03")
    moderator = server.moderator()
    dice = random.Random(7)
    for turn in range(1500):
        data = bytearray(ENCODED if turn % 2 else dice.randbytes(dice.randrange(200)))
        for _ in range(dice.randrange(1, 6)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        announce.send(bytes(data), server.group, GOOD.address)
        if turn % 50 == 0:
            assert server.get("/").status == 200
    stage.plant(server, Announcement("127.0.9.72"))
    assert server.moderators() == [moderator]


def test_a_full_table_is_counted(stage):
    """Room for 2048 servers, self among them."""
    server = stage.httpd(
        CLUSTER_OF_9
        + """
        BackhandTrace On
        BackhandMode Observe
        Backhand byAge 60
        Backhand byRandom
        Backhand byLogWindow
        Backhand byLoad
    """
    )
    server.knows()
    # No sender may bring more than 32.
    crowd = [Announcement(f"127.0.9.{100 + number % 100}", 1000 + number, "c") for number in range(2100)]

    def told():
        for announcement in crowd:
            stage.announce(announcement)
        status = server.status()
        return len(status.servers) == 2048 and status.counters["table_full"] > 0

    wait_for(told, 20, "a full table", every=0.5, show=lambda: (len(server.status().servers), server.status().counters))
    assert server.get("/").trace.left == [("byAge", 2048), ("byRandom", 2048), ("byLogWindow", 11), ("byLoad", 11)]
    server.log.allow("BH03")
