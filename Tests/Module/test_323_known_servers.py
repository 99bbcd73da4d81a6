# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Without a key, Backhand-Proxied is believed from known servers: hosts inside AcceptStats that are none get 503, and
our fronts go on."""

import contextlib
import socket
import time

import pytest
from harness.announce import MAINTENANCE, Announcement, send
from harness.backend import Reply
from harness.hosts import Network, why_not
from harness.load import Load
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

REASON = why_not()

# All of them are inside AcceptStats (127.0.9.x); the first is a server.
SERVER, BALANCER, STRANGER = "127.0.9.50", "127.0.9.60", "127.0.0.50"
CLIENT, FORGED = "198.51.100.9", "203.0.113.7"
SCRIPT = """#!/bin/sh
[ "$REQUEST_METHOD" = POST ] && cat > /dev/null
echo "Content-Type: text/plain"
echo
echo "address=$REMOTE_ADDR header=$HTTP_BACKHAND_PROXIED proto=$HTTP_X_FORWARDED_PROTO"
"""
PRIVATE = """
<Location /private>
    Require ip 203.0.113.0/24 127.0.9.0/24
</Location>
"""
FILES = {"cgi-bin/who": SCRIPT, "private": "secret", "page.php": "source"}


def is_unknown(answer):
    return (answer.status, answer.header("Retry-After"), answer.header("Backhand-Refused")) == (
        503,
        "1",
        "unknown-server",
    )


# ---- What comes from a host that is no server ----


def test_a_host_that_is_no_server(stage, mpm):
    """It is not served as the client that it names, nor as its own, whatever the page."""
    server = stage.httpd(CLUSTER_OF_9 + PRIVATE, mpm=mpm, cgi=True, address="127.0.9.1", files=FILES)
    stage.plant(server, Announcement(SERVER, state=MAINTENANCE))
    assert server.get("/private", source=SERVER, headers={"Backhand-Proxied": FORGED}).text == "secret"
    server.log.expect(f"BH0432: {BALANCER} is inside AcceptStats")
    for path in ("/private", "/cgi-bin/who", "/"):
        for value in (FORGED, SERVER, "garbage", ""):
            assert is_unknown(server.get(path, source=BALANCER, headers={"Backhand-Proxied": value}))
    # Without the header it is a client as any other.
    assert server.get("/", source=BALANCER).status == 200
    # As soon as it announces itself, it is a server.
    stage.plant(server, Announcement(BALANCER, 8080, state=MAINTENANCE))
    assert (
        f"address={FORGED} " in server.get("/cgi-bin/who", source=BALANCER, headers={"Backhand-Proxied": FORGED}).text
    )


def test_one_line_for_many_requests(stage):
    server = stage.httpd(CLUSTER_OF_9, address="127.0.9.1", children=1)
    server.log.expect("BH0432")
    for _ in range(20):
        server.get("/", source=BALANCER, headers={"Backhand-Proxied": FORGED})
    assert server.log.count("BH0432") == 1


def test_its_error_page_does_not_open_doors(stage):
    """ErrorDocument is an internal redirect: neither of the two addresses may be in it."""
    server = stage.httpd(
        CLUSTER_OF_9 + PRIVATE + "ErrorDocument 503 /cgi-bin/who\n", cgi=True, address="127.0.9.1", files=FILES
    )
    server.log.allow("BH0432")
    assert (
        server.get("/", source=BALANCER, headers={"Backhand-Proxied": FORGED}).text
        == "address=0.0.0.0 header= proto=\n"
    )


def test_a_light_front_does_not_send_sources(stage):
    """It has the application's files and cannot run them: a forged header must not have them served."""
    back = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + "<LocationMatch \\.php$>\nBackhand removeSelf\nBackhandNoCandidate Unavailable\n</LocationMatch>\n",
        address="127.0.9.1",
        files=FILES,
    )
    stage.plant(front, Announcement(back.address, back.port))
    front.log.allow("BH0432")
    answer = front.get("/page.php", source=BALANCER, headers={"Backhand-Proxied": FORGED})
    assert is_unknown(answer) and "source" not in answer.text
    assert front.get("/page.php", source=BALANCER).text == back.id


def test_a_graceful_restart_forgets_nobody(stage, mpm):
    """The table is kept, although the server is not heard again."""
    server = stage.httpd(CLUSTER_OF_9, cgi=True, mpm=mpm, address="127.0.9.1", files=FILES)
    stage.plant(server, Announcement(SERVER, state=MAINTENANCE))
    for _ in range(3):
        assert server.get("/cgi-bin/who", source=SERVER, headers={"Backhand-Proxied": FORGED}).status == 200
        server.restart()


def test_other_addresses_of_a_server(stage, mpm):
    """A server in two networks is one row; from both addresses it is a server, and after a graceful restart too."""
    server = stage.httpd(CLUSTER_OF_9, cgi=True, mpm=mpm, address="127.0.9.1", files=FILES)
    first = Announcement(SERVER, state=MAINTENANCE)
    table = stage.plant(server, first)

    def is_believed():
        return server.get("/cgi-bin/who", source=BALANCER, headers={"Backhand-Proxied": FORGED}).status == 200

    server.log.allow("BH0432")
    assert not is_believed()

    def announced():
        """Both with the same number, as a server does it each second."""
        data = first.with_(sequence=announced.sequence)
        announced.sequence += 1
        for address in (SERVER, BALANCER):
            send(data.with_(address=address).encode(), server.group, address)
        return is_believed()

    announced.sequence = table.servers[first.id]["sequence"] + 1 if "sequence" in table.servers[first.id] else 1 << 62
    wait_for(announced, 5, "the second address to be known")
    assert set(server.status().servers) == {server.id, first.id}
    server.restart()
    assert is_believed()


# ---- Proxies in front ----

REMOTEIP = """
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.9.60
"""


def test_a_load_balancer_with_mod_remoteip(stage, mpm):
    """It passes on what its client has made up: that does not pass Require ip, whatever mod_remoteip makes of the
    address."""
    server = stage.httpd(
        CLUSTER_OF_9 + PRIVATE + REMOTEIP, mpm=mpm, cgi=True, address="127.0.9.1", files=FILES, modules=("remoteip",)
    )
    stage.plant(server, Announcement(SERVER, state=MAINTENANCE))
    server.log.expect("BH0432")
    for forwarded in (CLIENT, SERVER):
        for value in (FORGED, SERVER):
            answer = server.get(
                "/private", source=BALANCER, headers={"X-Forwarded-For": forwarded, "Backhand-Proxied": value}
            )
            assert is_unknown(answer)
    # Its honest clients are served as themselves.
    assert (
        f"address={CLIENT} header= "
        in server.get("/cgi-bin/who", source=BALANCER, headers={"X-Forwarded-For": CLIENT}).text
    )
    # Names a server as its client: a client all the same.
    assert server.get("/private", source=BALANCER, headers={"X-Forwarded-For": CLIENT}).status == 403
    server.log.expect("AH01630")


def proxied(server, source, client, path, headers=""):
    """A request over a connection with the PROXY protocol."""
    with socket.create_connection((server.address, server.port), 10, (source, 0)) as connection:
        connection.sendall(
            f"PROXY TCP4 {client} 127.0.9.1 1234 80\r\nGET {path} HTTP/1.1\r\nHost: a\r\nConnection: "
            f"close\r\n{headers}\r\n".encode()
        )
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


@pytest.mark.parametrize("sender", [BALANCER, SERVER])
@pytest.mark.parametrize("client", [CLIENT, SERVER])
def test_the_proxy_protocol(stage, sender, client):
    """Who speaks is the client behind: balanced as any other, with the address that the protocol says, even if the
    relay runs on a server."""
    back = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + PRIVATE
        + "RemoteIPProxyProtocol On\nRemoteIPProxyProtocolExceptions 127.0.9.1\nBackhand removeSelf\n"
        "<Location /cgi-bin>\nBackhand off\n</Location>\n",
        cgi=True,
        address="127.0.9.1",
        files=FILES,
        modules=("remoteip",),
    )
    stage.plant(front, Announcement(back.address, back.port), Announcement(SERVER, state=MAINTENANCE))
    claim = f"Backhand-Proxied: {FORGED}\r\n"
    before = len(back.requests)
    assert proxied(front, sender, client, "/page", claim) == (200, back.id)
    assert back.requests[before].header("Backhand-Proxied") == client
    status, body = proxied(front, sender, client, "/cgi-bin/who", claim)
    assert (status, f"address={client} header= " in body) == (200, True)


# ---- Fronts ----

FRONT = CLUSTER_OF_9 + "BackhandTrace On\nBackhand removeSelf\n"


def test_a_front_connects_from_the_address_that_it_announces(stage, mpm):
    """For 127.x the kernel would choose 127.0.0.1, which nobody knows."""
    front = stage.httpd(FRONT, mpm=mpm, address="127.0.9.3", name="front")
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm, cgi=True, address="127.0.9.4", files=FILES, name="server")
    front.knows(server)
    server.knows(front)
    for scheme in ("Off", "On"):
        front.configure(FRONT + f"BackhandConnectionPools {scheme}\n")
        front.restart()
        for method in ("GET", "POST"):
            answer = front.get(
                "/cgi-bin/who", source=STRANGER, method=method, body=b"x" * 9000 if method == "POST" else None
            )
            assert answer.text == f"address={STRANGER} header={STRANGER} proto=\n"


def test_an_administrators_source_address_counts(stage):
    front = stage.httpd(FRONT + "ProxySourceAddress 127.0.9.77\n", address="127.0.9.3", name="front")
    server = stage.httpd(CLUSTER_OF_9, address="127.0.9.4", name="server")
    front.knows(server)
    server.knows(front)
    front.log.expect("BH0433")
    server.log.expect("BH0432: 127.0.9.77 ")
    assert front.get("/").status == 503


def test_a_front_of_two_addresses(stage, mpm):
    """Two lines, two addresses, one server: each is enough."""
    other, group = "127.0.9.33", stage.new_group()
    front = stage.httpd(
        FRONT + f"MulticastStats {other}:${{port}} {group[0]}:{group[1]},1\n",
        mpm=mpm,
        address="127.0.9.3",
        name="front",
    )
    servers = [
        stage.httpd(
            CLUSTER_OF_9,
            mpm=mpm,
            cgi=True,
            address=f"127.0.9.{number}",
            files=FILES,
            name=f"server{number}",
            group=where,
        )
        for number, where in ((4, stage.group), (5, group))
    ]
    front.knows(*servers)
    servers[0].knows(front)
    servers[1].knows(f"{other}:{front.port}")
    # A server has heard the front, but not yet by all of its addresses: it turns a request away, which the other one
    # answers.
    for server in servers:
        server.log.allow("BH0432")
    seen = set()
    for _ in range(30):
        answer = front.get("/cgi-bin/who", source=STRANGER)
        assert answer.text == f"address={STRANGER} header={STRANGER} proto=\n"
        seen.add(answer.trace.server)
    front.log.allow("BH")


def test_a_light_front_on_loopback(stage):
    """The front is for this machine only; its server is another httpd of the machine."""
    config = CLUSTER.replace("127.0.0.0/8", "127.0.0.0/24")
    front = stage.httpd(config + "BackhandTrace On\nBackhand removeSelf\n", address="127.0.0.1", name="front")
    server = stage.httpd(config, cgi=True, address="127.0.0.4", files=FILES, name="server")
    front.knows(server)
    server.knows(front)
    assert front.get("/cgi-bin/who", source="127.0.7.7").text == "address=127.0.7.7 header=127.0.7.7 proto=\n"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("override", ["", "ProxyErrorOverride On\n"])
def test_the_next_candidate_takes_what_one_turns_away(stage, method, override):
    """The request was not processed: whatever its method, another server gets it, and nobody is blamed."""

    def refuse(request):
        return Reply(503, b"no", {"Backhand-Refused": "unknown-server", "Retry-After": "1"})

    stern, kind = stage.backend("127.0.9.2", reply=refuse), stage.backend("127.0.9.4")
    front = stage.httpd(
        CLUSTER_OF_9 + override + "BackhandTrace On\nBackhand removeSelf\nBackhand byLoad\n", address="127.0.9.3"
    )
    stage.plant(
        front, Announcement(stern.address, stern.port, load=0), Announcement(kind.address, kind.port, load=9000)
    )
    for _ in range(6):
        answer = front.get("/", method=method)
        assert (answer.status, answer.text, answer.header("Backhand-Refused")) == (200, kind.id, None)
    # What is not repeatable is not risked with it again.
    assert len(stern.requests) == (6 if method in ("GET", "DELETE") else 1) and len(kind.requests) == 6
    row = front.status().servers[stern.id]
    assert (row["failed"], row["backoff_ms"]) == (0, 0)


def test_nobody_knows_the_front(stage):
    def refuse(request):
        return Reply(503, b"no", {"Backhand-Refused": "unknown-server", "Retry-After": "1"})

    backend = stage.backend("127.0.9.2", reply=refuse)
    front = stage.httpd(FRONT, address="127.0.9.3")
    stage.plant(front, Announcement(backend.address, backend.port))
    front.log.expect("BH0433")
    answer = front.get("/")
    assert (answer.status, answer.header("Retry-After"), answer.header("Backhand-Refused")) == (503, "1", None)
    # A body has gone with the first attempt.
    assert front.get("/", method="POST", body=b"x").status == 503


def test_posts_go_elsewhere_while_a_server_does_not_know_the_front(stage, mpm):
    """It refuses all of them, and a body is gone with the first attempt. Once it answers again, it gets its share."""
    knows = []

    def answer(request):
        return Reply() if knows else Reply(503, b"no", {"Backhand-Refused": "unknown-server", "Retry-After": "1"})

    deaf, good = stage.backend("127.0.9.2", reply=answer), stage.backend("127.0.9.4")
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byRandom\n", address="127.0.9.3", mpm=mpm)
    stage.plant(front, Announcement(deaf.address, deaf.port), Announcement(good.address, good.port))
    front.log.expect(f"BH0434: http://{deaf.id} does not know this httpd as a server")

    def posts(count):
        return [front.get("/", method="POST", body=b"x" * 100).status for _ in range(count)]

    while not deaf.requests:
        assert front.get("/").status == 200
    assert posts(30) == [200] * 30
    row = front.status().servers[deaf.id]
    assert (row["failed"], row["backoff_ms"]) == (0, 0)
    # A server that has just been started knows nobody for a moment: no line until it lasts.
    assert "BH0434" not in front.log.text()
    wait_for(lambda: front.get("/") and "BH0434" in front.log.text(), 10, "a line", every=0.2)
    knows.append(True)
    before = len(deaf.requests)
    while len(deaf.requests) == before:
        assert front.get("/").status == 200
    before = len(deaf.requests)
    assert posts(30) == [200] * 30 and len(deaf.requests) > before


# ---- Restarts and losses ----

# A wrong client address is a 403, and so is a wrong answer of the load.
OURS = """
<Location /private>
    Require ip 127.0.0.1
</Location>
"""
# What mod_proxy and we say of servers that are down, or do not know the front yet.
DOWN = "AH00957|AH01114|AH00959|AH01102|AH00898|AH10154|BH0432|BH0434|BH0408"


def test_rolling_cold_restarts_under_load(stage, mpm):
    """A server that starts with an empty table knows nobody for a moment: no client notices, and none is taken for the
    front."""
    front = stage.httpd(FRONT + "Backhand byRandom\n", mpm=mpm, address="127.0.9.3", name="front", workers=16)
    servers = [
        stage.httpd(
            CLUSTER_OF_9 + OURS, mpm=mpm, address=f"127.0.9.{number}", files=FILES, name=f"server{number}", workers=16
        )
        for number in (4, 5, 6)
    ]
    front.knows(*servers)
    for server in (front, *servers):
        server.log.always(DOWN)
    for server in servers:
        server.knows(front, *(other for other in servers if other is not server))
    with Load(front, "/private", good=lambda answer: answer.text == "secret") as load:
        for server in servers * 2:
            server.stop()
            server.start()
            before = server.access_log()
            wait_for(lambda: len(server.access_log()) > len(before), 20, "requests to come again")
    assert load.count > 100
    assert load.wrong == []
    # A front that starts with an empty table: the servers have kept its row.
    front.stop()
    front.start()
    front.knows(*servers)
    for _ in range(30):
        assert front.get("/private").text == "secret"


@pytest.mark.skipif(bool(REASON), reason=REASON or "")
def test_announcements_lost_for_ten_seconds(stage):
    """Rows stay; only a server that is started in that time knows nobody, and the others take its requests."""
    network = stage.enter(Network())
    asking = network.host("client", "10.99.0.100")
    config = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 10.99.0.0/28
<Location /private>
    Require ip 10.99.0.100
</Location>
"""
    front, *servers = (
        stage.httpd(
            config + ("Backhand removeSelf\nBackhand byRandom\n" if number == 1 else ""),
            name=f"member{number}",
            files=FILES,
            host=network.host(f"member{number}", f"10.99.0.{number}"),
        )
        for number in (1, 2, 3)
    )
    for server in (front, *servers):
        server.knows(front, *servers)
        server.log.always(DOWN)
    lost = [network.mute(server.host, "ip protocol udp") for server in (front, *servers)]
    with contextlib.ExitStack() as faults, asking.inside():
        with Load(front, "/private", good=lambda answer: answer.text == "secret") as load:
            for fault in lost:
                faults.enter_context(fault)
            time.sleep(4)
            servers[0].stop()
            servers[0].start()
            time.sleep(6)
            faults.close()
            before = len(servers[0].access_log())
            wait_for(lambda: len(servers[0].access_log()) > before + 20, 10, "requests to come again")
    assert load.wrong == []
    assert servers[0].log.lines("BH0432")


# ---- X-Forwarded-Proto ----


@pytest.mark.parametrize(
    "remoteip, source, expected",
    [("", STRANGER, None), ("", SERVER, None), (REMOTEIP, STRANGER, None), (REMOTEIP, BALANCER, "https")],
)
def test_a_clients_scheme_is_not_passed_on(stage, remoteip, source, expected):
    """Only that of a proxy which may say who its client is, too."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(FRONT + remoteip, address="127.0.9.3", modules=("remoteip",))
    stage.plant(front, Announcement(backend.address, backend.port))
    assert (
        front.get("/", source=source, headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": CLIENT}).status == 200
    )
    assert backend.requests[0].header("X-Forwarded-Proto") == expected
