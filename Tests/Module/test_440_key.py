# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandKey: who does not have it, or only a recording of who has, gets no row."""

import os
import socket
import struct
import time

import pytest
from harness import announce
from harness.announce import Announcement, Peer
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

OLD, NEW = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
# Announcements come once a second; three of them, and what a busy machine needs.
THREE = 5


def key_file(stage, *keys, name="key", mode=0o600):
    path = stage.folder / name
    path.write_text("".join(f"{key}\n" for key in keys))
    path.chmod(mode)
    return path


def keyed(path):
    return CLUSTER_OF_9 + f"BackhandKey {path}\n"


def count(server, name):
    return server.status().counters[name]


@pytest.fixture
def key(stage):
    return key_file(stage, OLD)


@pytest.fixture
def server(stage, key):
    server = stage.httpd(keyed(key), address="127.0.9.1")
    server.knows()
    return server


def test_two_with_one_key_know_each_other_in_three_seconds(stage, key, mpm):
    first = stage.httpd(keyed(key), address="127.0.9.1", mpm=mpm)
    first.knows()
    second = stage.httpd(keyed(key), address="127.0.9.2", mpm=mpm)
    begin = time.monotonic()
    first.knows(second, deadline=THREE)
    second.knows(first, deadline=THREE)
    assert time.monotonic() - begin < THREE
    for server in (first, second):
        counters = server.status().counters
        assert counters["challenged"] >= 1 and counters["answered"] >= 1
        assert [counters[name] for name in ("unsigned", "bad_signature", "bad_answer")] == [0, 0, 0]
        assert server.log.lines("BH0110") == []


def test_without_a_key_there_is_one_warning(stage):
    server = stage.httpd(CLUSTER_OF_9)
    assert len(server.log.lines("BH0110: no BackhandKey")) == 1


def test_another_key_is_nobody(stage, key):
    first = stage.httpd(keyed(key), address="127.0.9.1")
    second = stage.httpd(keyed(key_file(stage, NEW, name="other")), address="127.0.9.2")
    for server in (first, second):
        wait_for(lambda server=server: count(server, "bad_signature") >= 4, 8, "the count", show=server.status)
        assert server.status().others == {}
        server.log.expect("BH0324: .*none of our keys has signed it")
        assert len(server.log.lines("BH0324")) == 1


def test_no_key_is_nobody_but_hears(stage, key):
    """Who has no key takes the signature for something that it does not know."""
    first = stage.httpd(keyed(key), address="127.0.9.1")
    second = stage.httpd(CLUSTER_OF_9, address="127.0.9.2")
    second.knows(first)
    wait_for(lambda: count(first, "unsigned") >= 3, 6, "the count", show=first.status)
    assert first.status().others == {}
    first.log.expect("BH0323: .*it is not signed")
    second.log.expect("BH0353: .*has a BackhandKey and this httpd has none")
    assert [len(first.log.lines("BH0323")), len(second.log.lines("BH0353"))] == [1, 1], "one warning on each side"


def test_a_row_comes_with_the_answer(stage, server):
    announcement = Announcement("127.0.9.70", 80, "peer")
    with Peer(announcement, server.group, OLD) as peer:
        for _ in range(3):
            peer.announce()
            nonce, who = peer.challenged()
        assert server.status().others == {}
        peer.answer(nonce, who)
        wait_for(lambda: announcement.id in server.status().servers, 5, "the row", show=server.status)
        # From now on announcements are enough.
        before = server.status().counters
        for _ in range(3):
            peer.announce()
        wait_for(
            lambda: count(server, "accepted") >= before["accepted"] + 3, 2, "the announcements", show=server.status
        )
        assert count(server, "challenged") == before["challenged"]


@pytest.mark.parametrize("what", ["another nonce", "another key", "no signature", "another boot id"])
def test_a_wrong_answer_is_worth_nothing(stage, server, what):
    announcement = Announcement("127.0.9.70", 80, "peer")
    with Peer(announcement, server.group, OLD) as peer:
        peer.announce()
        nonce, who = peer.challenged()
        if what == "another nonce":
            peer.answer(bytes(16), who)
        elif what == "another key":
            peer.answer(nonce, who, key=NEW)
        elif what == "no signature":
            peer.answer(nonce, who, key=None)
        else:
            peer.announcement = announcement.with_(boot_id=announcement.boot_id ^ 2)
            peer.answer(nonce, who)
        counter = {"another key": "bad_signature", "no signature": "unsigned"}.get(what, "bad_answer")
        wait_for(lambda: count(server, counter) == 1, 5, "the count", show=server.status)
        assert server.status().others == {}
    server.log.expect("BH032[345]")


def test_an_answer_that_comes_late_is_worth_nothing(stage, server):
    with Peer(Announcement("127.0.9.70", 80, "peer"), server.group, OLD) as peer:
        peer.announce()
        nonce, who = peer.challenged()
        time.sleep(4.1)  # the time itself is what is tested: a nonce is good for four seconds at most
        peer.answer(nonce, who)
        wait_for(lambda: count(server, "bad_answer") == 1, 5, "the count", show=server.status)
        assert server.status().others == {}
    server.log.expect("BH0325")


@pytest.fixture
def listener(stage):
    """Hears the stage's group."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        heard.bind(stage.group)
        heard.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.inet_aton(stage.group[0]) + socket.inet_aton("127.0.9.9"),
        )
        heard.settimeout(5)
        yield heard


def record(listener, server, wanted):
    """Announcements of the server, as they were."""
    tape = []
    while len(tape) < wanted:
        data, (address, _) = listener.recvfrom(2000)
        if address == server.address:
            tape.append(data)
    return tape


def test_a_recording_played_to_a_fresh_receiver(stage, key, listener):
    recorded = stage.httpd(keyed(key), address="127.0.9.2")
    recorded.knows()
    tape = record(listener, recorded, 3)
    recorded.stop()
    fresh = stage.httpd(keyed(key), address="127.0.9.1")
    fresh.knows()
    for data in tape:
        announce.send(data, stage.group, recorded.address)
        announce.send(data, stage.group, "127.0.9.77")
    wait_for(lambda: count(fresh, "challenged") >= 6, 5, "the challenges", show=fresh.status)
    assert fresh.status().others == {}
    assert count(fresh, "accepted") == 0


def test_a_recording_of_a_server_that_was_cut_off(stage, server, listener):
    """It was known, and ended while its last words did not come through: they do not bring it back to life."""
    announcement = Announcement("127.0.9.70", 80, "peer")
    with Peer(announcement, server.group, OLD) as peer:
        peer.announce()
        peer.answer(*peer.challenged())
        wait_for(lambda: announcement.id in server.status().servers, 5, "the row", show=server.status)
        later = [announcement.with_(sequence=next(announce._sequence)).encode(key=OLD) for _ in range(3)]

    def silent():
        return server.status().servers[announcement.id]["age_ms"] >= 3500

    wait_for(silent, 6, "three seconds and a half of silence", every=0.2)
    before = server.status()
    for data in later:
        announce.send(data, server.group, announcement.address)
    wait_for(
        lambda: count(server, "challenged") >= before.counters["challenged"] + 3,
        3,
        "the challenges",
        show=server.status,
    )
    assert server.status().servers[announcement.id]["age_ms"] >= 3500


def test_what_was_lost_between_needs_no_proof(stage, server):
    """The time of sending tells that an announcement is fresh, however many before it did not come."""
    announcement = Announcement("127.0.9.70", 80, "peer")
    with Peer(announcement, server.group, OLD) as peer:
        peer.announce()
        peer.answer(*peer.challenged())
        wait_for(lambda: announcement.id in server.status().servers, 5, "the row", show=server.status)
        before = server.status()
        wait_for(lambda: server.status().servers[announcement.id]["age_ms"] >= 4000, 6, "silence", every=0.2)
        peer.announce()
        wait_for(lambda: server.status().servers[announcement.id]["age_ms"] < 3000, 5, "the row", show=server.status)
    assert count(server, "challenged") == before.counters["challenged"]


@pytest.mark.parametrize("what", ["another key", "not signed", "another boot id", "outside"])
def test_who_is_answered(server, listener, what):
    """A challenge is answered if it is signed, meant for us, and comes from AcceptStats."""
    data, where = listener.recvfrom(2000)
    (boot_id,) = struct.unpack(">Q", data[8:16])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.9" if what == "outside" else "127.0.9.60", 0))
        asker.settimeout(0.5)
        wrong = {
            "another key": announce.challenge(boot_id, b"n" * 16, NEW),
            "not signed": announce.challenge(boot_id, b"n" * 16, OLD)[:-36],
            "another boot id": announce.challenge(boot_id ^ 1, b"n" * 16, OLD),
            "outside": announce.challenge(boot_id, b"n" * 16, OLD),
        }[what]
        asker.sendto(wrong, where)
        with pytest.raises(TimeoutError):
            asker.recv(2000)
        if what != "outside":
            asker.settimeout(5)
            asker.sendto(announce.challenge(boot_id, b"n" * 16, OLD), where)
            answer = asker.recv(2000)
            assert answer[-80:-60] == announce.extension(announce.TAG_NONCE, b"n" * 16)
            assert answer[-32:] == announce.signature(OLD, answer[:-32])
    server.log.allow("BH03")


def test_a_key_is_changed_without_a_gap(stage):
    """Docs: the new one is accepted everywhere, then signs everywhere, then the old one goes."""
    files = [key_file(stage, OLD, name=f"key{number}") for number in (1, 2)]
    servers = [stage.httpd(keyed(path), address=f"127.0.9.{number}") for number, path in enumerate(files, 1)]
    first, second = servers
    first.knows(second)
    second.knows(first)
    for keys in ((OLD, NEW), (NEW, OLD), (NEW,)):
        for server, path in zip(servers, files):
            path.write_text("".join(f"{key}\n" for key in keys))
            server.restart()
            for _ in range(15):
                for one, other in ((first, second), (second, first)):
                    status = one.show_status()
                    if not isinstance(status, OSError):  # its socket is being replaced
                        assert status.servers[other.id]["age_ms"] < 3500, keys
                time.sleep(0.1)
    for server in servers:
        assert [count(server, name) for name in ("unsigned", "bad_signature")] == [0, 0]
    with Peer(Announcement("127.0.9.70"), first.group, OLD) as peer:
        peer.announce()
        wait_for(lambda: count(first, "bad_signature") == 1, 5, "the old key's end", show=first.status)
    for server in servers:
        server.log.allow("BH0324")


def test_rows_of_a_time_without_a_key_are_no_candidates(stage, key):
    """Somebody planted one before the key came."""
    server = stage.httpd(CLUSTER_OF_9, address="127.0.9.1")
    other = stage.httpd(CLUSTER_OF_9, address="127.0.9.2")
    planted = Announcement("127.0.9.70")
    server.knows(other)
    stage.plant(server, planted)
    for one in (server, other):
        one.configure(keyed(key))
        one.restart()
    server.knows(other, deadline=THREE)
    for one in (server, other):
        one.log.allow("BH032[34]|BH0353")


# ---- The file ----

FILES = {
    "too short": ("0123456789abcdef0123456789abcde\n", 0o600, "line 1 is not a key"),
    "too long": ("k" * 257, 0o600, "line 1 is not a key"),
    "a blank in it": ("0123456789abcdef 0123456789abcdef\n", 0o600, "line 1 is not a key"),
    "not ASCII": ("ä" * 32, 0o600, "line 1 is not a key"),
    "a NUL": ("k" * 40 + "\0" + "k" * 40, 0o600, "line 1 is not a key"),
    "three": (f"# comment\n\n{OLD}\n{NEW}\n{OLD}\n", 0o600, "line 5 is a third key"),
    "none": ("# nothing\n\n", 0o600, "it holds no key"),
    "large": ("#" * 5000, 0o600, "larger than 4096 bytes"),
    "for the group": (OLD, 0o640, "(mode 0640): chmod 600 it"),
    "for all": (OLD, 0o604, "(mode 0604): chmod 600 it"),
    "writable for the group": (OLD, 0o620, "(mode 0620): chmod 600 it"),
}


@pytest.mark.parametrize("text, mode, why", FILES.values(), ids=FILES.keys())
def test_a_bad_file_ends_the_start(stage, text, mode, why):
    path = stage.folder / "key"
    path.write_text(text)
    path.chmod(mode)
    code, said = stage.httpd(keyed(path), start=False).test_config()
    assert code == 1 and f"BackhandKey: '{path}': " in said and why in said
    assert OLD not in said


def test_a_long_path_leaves_room_for_the_reason(stage):
    path = stage.folder / ("a" * 250) / ("b" * 250) / "key"
    path.parent.mkdir(parents=True)
    path.write_text(OLD)
    path.chmod(0o640)
    code, said = stage.httpd(keyed(path), start=False).test_config()
    assert code == 1 and f"BackhandKey: '{str(path)[:320]}...': " in said and "(mode 0640): chmod 600 it" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else(stage, key):
    os.chown(key, 12345, 0)
    code, said = stage.httpd(keyed(key), start=False).test_config()
    assert code == 1 and "it belongs neither to root nor to the user that starts httpd" in said


@pytest.mark.parametrize("text", [f"# old\r\n\r\n  {OLD}\t\r\n{NEW}", OLD, f"{NEW}\n{OLD}"])
def test_a_good_file(stage, text):
    path = stage.folder / "key"
    path.write_text(text)
    path.chmod(0o400)
    # Relative to ServerRoot, too.
    server = stage.httpd(start=False)
    server.configure(keyed(os.path.relpath(path, server.root)))
    assert server.test_config()[0] == 0


def test_the_key_is_not_in_shared_memory(stage, server):
    """Children can sign; what all processes share, and what the moderator's socket shows, holds no key."""
    for pid in [server.pid, *server.moderators(), *server.children()]:
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            shared = [line.split()[0].split("-") for line in maps if line.split()[1][3] == "s"]
        text = b""
        with open(f"/proc/{pid}/mem", "rb") as memory:
            for begin, end in shared:
                memory.seek(int(begin, 16))
                text += memory.read(int(end, 16) - int(begin, 16))
        assert server.name.encode() + b".test" in text, "the table"
        assert OLD.encode() not in text
    assert OLD not in server.status().text
