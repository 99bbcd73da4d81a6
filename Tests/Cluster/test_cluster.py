# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whole clusters of httpds on the loopback interface: only configuration, HTTP and the control socket are used."""

import time
from collections import Counter

from harness import announce, ports
from harness.announce import Announcement
from harness.wait import wait_for

# The kernel gives mod_proxy's connections on the loopback interface the address 127.0.0.1. Clients of the tests come
# from 127.0.0.50: no peer.
MEMBER = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.9.0/24
AcceptStats 127.0.0.1
Header setifempty X-Served-By "${address}:${port}"
BackhandTrace On
# The last one has the same share as those that have started before.
BackhandSlowStart 0
"""
CLIENT = "127.0.0.50"

# An announcement is due each second.
INTERVAL = 1.0
THREE_ANNOUNCEMENTS = 3 * INTERVAL
# What a machine that does other things too adds.
SLACK = 1.5


def members(stage, count, config, **how):
    return [
        stage.httpd(MEMBER + config, name=f"member{number}", address=f"127.0.9.{number}", **how)
        for number in range(1, count + 1)
    ]


def wait_until_all_know_all(servers, deadline=10):
    for server in servers:
        server.knows(*servers, deadline=deadline)


def shares(front, count, path="/"):
    """Who served how many of the requests that go to the front."""
    with front.client(source=CLIENT) as client:
        return Counter(client.request(path).header("X-Served-By") for _ in range(count))


def test_convergence_within_three_announcements(stage, mpm):
    """Five httpds know each other three intervals after the last one started."""
    servers = members(stage, 5, "", mpm=mpm)
    start = time.monotonic()
    wait_until_all_know_all(servers, THREE_ANNOUNCEMENTS + SLACK)
    assert time.monotonic() - start < THREE_ANNOUNCEMENTS + SLACK
    # And one that comes later is heard, and hears, as fast.
    late = stage.httpd(MEMBER, name="late", address="127.0.9.9", mpm=mpm)
    wait_until_all_know_all([*servers, late], THREE_ANNOUNCEMENTS + SLACK)
    # What they tell of each other is what they tell of themselves.
    for server in servers:
        row, own = late.status().servers[server.id], server.status().self
        assert [row[key] for key in ("hostname", "ncpu", "memory_total", "workers", "arriba")] == [
            own[key] for key in ("hostname", "ncpu", "memory_total", "workers", "arriba")
        ]


def test_a_symmetric_cluster(stage, mpm):
    """Every server balances over all of them, itself among them; nobody passes a request on twice."""
    servers = members(stage, 4, "Backhand byAge 6\nBackhand byRandom\n", mpm=mpm)
    wait_until_all_know_all(servers)
    ids = {server.id for server in servers}
    for front in servers:
        served = shares(front, 100)
        # A quarter each: fewer than five once in seventy million times.
        assert set(served) == ids and min(served.values()) >= 5, served

    def lines():
        return [line for server in servers for line in server.access_log()]

    def actions():
        return Counter(line.split("action=")[1].split()[0] for line in lines())

    # A request is logged after its answer; one that was passed on is logged twice.
    wait_for(
        lambda: actions()["proxy"] + actions()["local"] == 400 and actions()["looped"] == actions()["proxy"],
        5,
        "400 requests in the logs",
        show=actions,
    )
    assert set(actions()) == {"proxy", "local", "looped"}
    # Each line has the client's address, also where a peer passed its request on.
    assert {line.split()[0] for line in lines()} == {CLIENT}


def test_a_stopped_server_loses_its_traffic_and_gets_it_back(stage, mpm):
    """SIGSTOP: the kernel still takes connections for it, so only its silence tells. byAge 4 drops it after four
    seconds; of the others, none is late by three."""
    servers = members(stage, 4, "Backhand removeSelf\nBackhand byAge 4\nBackhand byRandom\n", mpm=mpm)
    wait_until_all_know_all(servers)
    front, stopped = servers[0], servers[2]
    assert stopped.id in shares(front, 40)
    stopped.pause()
    wait_for(lambda: front.status().servers[stopped.id]["age_ms"] > 4000, 8, "its silence")
    served = shares(front, 40)
    assert set(served) == {servers[1].id, servers[3].id}, served
    stopped.resume()
    wait_for(lambda: front.status().servers[stopped.id]["age_ms"] < 1500, 5, "its return", show=front.status)
    assert stopped.id in shares(front, 40)


def test_a_server_that_ends_and_comes_back(stage):
    servers = members(stage, 4, "Backhand removeSelf\nBackhand byAge 3\nBackhand byRandom\n")
    wait_until_all_know_all(servers)
    front, ended = servers[0], servers[3]
    ended.stop()
    # Before its age tells, it refuses connections: that costs no request.
    served = shares(front, 40)
    assert set(served) == {server.id for server in servers[1:3]} and sum(served.values()) == 40
    ended.start()
    wait_for(lambda: ended.id in shares(front, 10), 20, "its return", every=0.3)
    front.log.allow("AH00957|AH01114|AH00959")
    # It may not have heard the front again when that sends it a request.
    ended.log.allow("BH0432")


def test_a_foreign_sender_is_ignored(stage):
    servers = members(stage, 4, "Backhand byAge 6\nBackhand byLoad\n")
    wait_until_all_know_all(servers)
    attractive = Announcement("127.0.0.66", 80, "attractive", load=0, workers=10_000, idle=10_000)
    before = [server.status().counters["not_accepted"] for server in servers]
    for _ in range(5):
        announce.send(attractive.encode(), stage.group, "127.0.0.66")
    # Claiming to be a member does not help: the sender counts.
    announce.send(Announcement(servers[1].address, servers[1].port, "imposter").encode(), stage.group, "127.0.0.66")
    for server, count in zip(servers, before):
        wait_for(
            lambda server=server, count=count: server.status().counters["not_accepted"] >= count + 6, 5, "the count"
        )
        assert set(server.status().servers) == {member.id for member in servers}
        assert "imposter" not in server.status().text
        server.log.allow("BH03")
    assert set(shares(servers[0], 20)) <= {member.id for member in servers}


def test_two_networks_are_one_server(stage):
    """Announced to two groups, heard from two groups: one row each. One that is on one network only is heard there."""
    second = ports.free_group()
    both = MEMBER + f"MulticastStats ${{address}}:${{port}} {second[0]}:{second[1]},1\n"
    first = stage.httpd(both, name="first", address="127.0.9.1")
    other = stage.httpd(both, name="other", address="127.0.9.2")
    left = stage.httpd(MEMBER, name="left", address="127.0.9.3")
    right = stage.httpd(MEMBER.replace("${group}", f"{second[0]}:{second[1]}"), name="right", address="127.0.9.4")
    for server, known in (
        (first, (other, left, right)),
        (other, (first, left, right)),
        (left, (first, other)),
        (right, (first, other)),
    ):
        server.knows(*known)
    # The second datagram of a round is the same news: it counts as repeated, and the table stays as it is.
    repeated = left.status().counters["repeated"], first.status().counters["repeated"]
    announced = first.status().counters["announced"]
    wait_for(lambda: first.status().counters["announced"] >= announced + 6, 8, "three more rounds on both networks")
    assert len(first.status().servers) == 4
    assert left.status().counters["repeated"] == repeated[0]
    assert first.status().counters["repeated"] > repeated[1]


def test_two_networks_with_two_addresses_are_one_server(stage):
    """A machine with a leg in each network announces another address in each: still one row, one of its addresses."""
    second = ports.free_group()
    front = stage.httpd(
        MEMBER + f"MulticastStats 127.0.9.1:${{port}} {second[0]}:{second[1]},1\n"
        "Backhand removeSelf\nBackhand byRandom\n",
        name="front",
        address="127.0.9.1",
    )
    others = []
    for number in (2, 3, 4):
        others.append(
            stage.httpd(
                f"Listen 127.0.9.{number}2:${{port}}\n"
                + MEMBER
                + f"MulticastStats 127.0.9.{number}2:${{port}} {second[0]}:{second[1]},1\n",
                name=f"member{number}",
                address=f"127.0.9.{number}",
            )
        )

    def all_heard():
        table = front.status()
        return {row["hostname"] for row in table.others.values()} == {f"{other.name}.test" for other in others}

    wait_for(all_heard, 10, "the others", show=front.status)
    announced = front.status().counters["announced"]
    wait_for(lambda: front.status().counters["announced"] >= announced + 6, 8, "three more rounds on both networks")
    rows = front.status().others
    assert len(rows) == 3
    for other in others:
        assert len({other.id, other.id.replace(":", "2:")} & set(rows)) == 1, rows.keys()
    served = shares(front, 60)
    assert sum(served.values()) == 60 and set(served) == {other.id for other in others}


def test_two_httpds_of_one_address_are_two_servers(stage):
    servers = [
        stage.httpd(MEMBER + "Backhand removeSelf\nBackhand byRandom\n", name=f"member{number}", address=address)
        for number, address in enumerate(("127.0.9.1", "127.0.9.2", "127.0.9.2", "127.0.9.2"))
    ]
    wait_until_all_know_all(servers)
    assert len({server.port for server in servers[1:]}) == 3
    assert set(shares(servers[0], 60)) == {server.id for server in servers[1:]}
    # Each of them takes the other two for others, not for itself.
    assert set(shares(servers[1], 60)) == {servers[0].id, servers[2].id, servers[3].id}


def test_unicast_destinations(stage):
    """Two httpds that announce to each other's address and port: no multicast at all."""
    port = ports.free_port("127.0.9.1", "127.0.9.2")
    config = MEMBER.replace(
        "MulticastStats ${address}:${port} ${group},1",
        f"""
        MulticastStats ${{address}}:${{port}} 127.0.9.1:{port}
        MulticastStats ${{address}}:${{port}} 127.0.9.2:{port}
    """,
    )
    servers = [stage.httpd(config, name=f"member{number}", address=f"127.0.9.{number}") for number in (1, 2)]
    wait_until_all_know_all(servers)


def test_resources_decide(stage):
    """byBusyChildren sees workers that are held busy, and leaves their server alone."""
    servers = members(
        stage,
        4,
        "Backhand removeSelf\nBackhand byAge 6\nBackhand byRandom\nBackhand byBusyChildren\n"
        "<Location /slow>\nBackhand off\nSetOutputFilter RATE_LIMIT\nSetEnv rate-limit 1\n</Location>\n",
        modules=["ratelimit"],
        files={"slow": "x" * 60_000},
    )
    wait_until_all_know_all(servers)
    front, busy = servers[0], servers[1]
    clients = [busy.client(source=CLIENT) for _ in range(6)]
    for client in clients:
        client.send("/slow")

    def seen():
        """The workers of the others, which may not have been ready when they announced themselves first, too."""
        rows = front.status().servers
        held = {server: rows[server.id]["workers"] - rows[server.id]["workers_idle"] for server in servers[1:]}
        return held.pop(busy) >= 6 and set(held.values()) == {0}

    wait_for(seen, 5, "its busy workers", show=front.status)
    served = shares(front, 40)
    assert set(served) == {server.id for server in servers[2:]}, served
    for client in clients:
        client.close()
