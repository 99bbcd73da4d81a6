# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandKey where there was none: no request is lost, and what is wrong with keys and clocks is said where servers
are used."""

import time

import pytest
from harness import announce
from harness.announce import Announcement, Peer
from harness.load import Load
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
# Nothing is served by who has the client's connection: a moment without servers is seen.
BALANCED = "Backhand removeSelf\nBackhand byAge 6\nBackhand byRandom\nBackhandNoCandidate Unavailable\n"


def key_file(stage, *keys, name="key"):
    path = stage.folder / name
    path.write_text("".join(f"{key}\n" for key in keys))
    path.chmod(0o600)
    return path


def others_age(server):
    """The greatest age of another server, milliseconds; none is missing."""
    rows = server.status().others.values()
    assert len(rows) == 2
    return max(row["age_ms"] for row in rows)


def test_the_documented_steps_lose_nothing(stage, mpm):
    """First all sign and accept what is not signed, one server after the other; then all demand it."""
    line = f"BackhandKey {key_file(stage, KEY)}"
    names = ("balancer", "one", "two")
    servers = [
        stage.httpd(CLUSTER + BALANCED * (name == "balancer"), address=f"127.0.9.{number}", name=name, mpm=mpm)
        for number, name in enumerate(names, 1)
    ]
    balancer = servers[0]
    for server in servers:
        server.log.allow("BH0353|BH0121|BH0110|BH0323|AH01102|AH00898|AH00045")
        server.knows(*(other for other in servers if other is not server))
    with Load(
        balancer, new=2, kept=2, good=lambda answer: answer.status == 200 and answer.text in ("one\n", "two\n")
    ) as load:
        for step in (f"{line} Optional\n", f"{line}\n"):
            for server in (servers[1], balancer, servers[2]):
                server.configure(CLUSTER + step + BALANCED * (server is balancer))
                server.restart()
                time.sleep(1.2)  # an administrator is slower
            for server in servers:
                wait_for(lambda server=server: others_age(server) < 2500, 5, "both others", show=server.status)
        wait_for(lambda: load.count >= 2000, 60, "2,000 requests", every=0.1)
    print(f"{mpm}: {load.count} requests, {len(load.wrong)} wrong")
    assert load.wrong == []
    for server in servers:
        counters = server.status().counters
        assert (counters["unsigned"], counters["bad_signature"]) == (0, 0)
        assert server.log.lines("BH0430|BH0407") == []
    # Now who has no key is nobody.
    before = balancer.status().counters["unsigned"]
    stage.announce(Announcement("127.0.9.77"))
    wait_for(lambda: balancer.status().counters["unsigned"] > before, 5, "the count")


@pytest.fixture
def optional(stage):
    server = stage.httpd(CLUSTER_OF_9 + f"BackhandKey {key_file(stage, KEY)} Optional\n", address="127.0.9.1")
    server.log.allow("BH0121")
    server.knows()
    return server


def test_optional_says_so(optional):
    assert len(optional.log.lines("BH0121: BackhandKey is Optional")) == 1
    assert optional.log.lines("BH0110") == []


@pytest.mark.parametrize(
    "key, counter", [(None, "accepted"), (KEY, "accepted"), (OTHER, "bad_signature")], ids=["none", "ours", "another"]
)
def test_what_an_optional_key_accepts(stage, optional, key, counter):
    optional.log.allow("BH0324")
    before = optional.status().counters[counter]
    announce.send(Announcement("127.0.9.70").encode(key=key), optional.group, "127.0.9.70")
    wait_for(lambda: optional.status().counters[counter] > before, 5, "the count", show=optional.status)
    assert ("127.0.9.70:80" in optional.status().servers) == (counter == "accepted")


def test_an_optional_key_does_not_steer(stage, optional):
    """Without a signature a server announces only the address that it sends from; with one it may be another."""
    optional.log.allow("BH0321")
    announcement = Announcement("127.0.9.70")
    announce.send(announcement.encode(), optional.group, "127.0.9.71")
    wait_for(lambda: optional.status().counters["others_address"] == 1, 5, "the count", show=optional.status)
    assert announcement.id not in optional.status().servers
    announce.send(announcement.encode(key=KEY), optional.group, "127.0.9.71")
    wait_for(lambda: announcement.id in optional.status().servers, 5, "the row", show=optional.status)


def test_whoever_has_proved_nothing_is_no_candidate_once_it_is_demanded(stage, optional):
    """Only a server that has answered a challenge while the key was optional is one at once."""
    proven, recorded, plain = (Announcement(f"127.0.9.{number}") for number in (70, 71, 72))
    with Peer(proven, optional.group, KEY) as peer:
        peer.announce()
        peer.answer(*peer.challenged())
    announce.send(recorded.encode(key=KEY), optional.group, recorded.address)
    announce.send(plain.encode(), optional.group, plain.address)
    wait_for(
        lambda: {proven.id, recorded.id, plain.id} <= set(optional.status().servers),
        3,
        "the rows",
        show=optional.status,
    )
    time.sleep(0.2)  # for the answer, which has been sent before them
    optional.configure(CLUSTER_OF_9 + f"BackhandKey {stage.folder / 'key'}\n")
    optional.restart()
    wait_for(lambda: optional.status().self, 5, "its first announcement")
    assert set(optional.status().others) == {proven.id}


@pytest.mark.parametrize(
    "ahead, said",
    [(0, None), (25, None), (40, "40 seconds ahead of|39 seconds ahead of"), (-90, "9[01] seconds behind")],
)
def test_a_wrong_clock_shows_where_the_server_is_used(stage, ahead, said):
    server = stage.httpd(CLUSTER_OF_9 + f"BackhandKey {key_file(stage, KEY)}\n", address="127.0.9.1")
    server.knows()
    announcement = Announcement("127.0.9.70", ahead=ahead)
    with Peer(announcement, server.group, KEY) as peer:
        peer.announce()
        peer.answer(*peer.challenged())
        wait_for(lambda: announcement.id in server.status().servers, 5, "the row", show=server.status)
        for _ in range(3):
            peer.announce()
    assert abs(server.status().servers[announcement.id]["clock_ahead_s"] + ahead) <= 1
    lines = server.log.lines("BH0354")
    assert len(lines) == (said is not None)
    if said:
        server.log.expect(f"BH0354: the clock of {announcement.id} is ({said}) this one")
