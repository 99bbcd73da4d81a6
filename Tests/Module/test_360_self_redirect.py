# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandSelfRedirect: the light front and the heavy back of one machine, two httpds on one address and two ports."""

import pytest
from harness import ports, status
from harness.announce import Announcement
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

REFUSED = r"AH00957|AH01114|AH00959"

# The front announces the back's port. Neither has the other's answers: what must not be served here is "source".
FRONT = """
UnixSocketDir ${sockets}
MulticastStats ${address}:%(back)s ${group},1
AcceptStats 127.0.0.0/8
BackhandTrace On
<Location /app>
    BackhandSelfRedirect On
    %(chain)s
</Location>
<Location /plain>
    Backhand byLoad
</Location>
"""
BACK = "AcceptStats 127.0.0.0/8\n"
FILES = {"app/page": "source", "plain": "plain"}


class Machine:
    """A front and a back, which may be missing."""

    def __init__(self, stage, chain="Backhand byAge 6", mpm="event", back=True, more="", address="127.0.48.1"):
        self.port = ports.free_port(address)
        self.back = (
            stage.httpd(BACK, name="back", address=address, port=self.port, mpm=mpm, files={"app/page": "made"})
            if back
            else None
        )
        self.front = stage.httpd(
            FRONT % {"back": self.port, "chain": chain} + more, name="front", address=address, mpm=mpm, files=FILES
        )
        self.id = f"{address}:{self.port}"
        wait_for(lambda: self.table().self, 8, "the front's own row")

    def table(self):
        return status.over_socket(self.front.sockets / f"backhand-{self.port}.sock")


def test_front_and_back(stage, mpm):
    machine = Machine(stage, mpm=mpm)
    client = "127.0.48.77"
    for path, method, body in (
        ("/app/page", "GET", None),
        ("/app/page?a=b%2Fc", "GET", None),
        ("/app/page", "HEAD", None),
    ):
        answer = machine.front.get(path, method=method, body=body, source=client)
        assert (answer.status, answer.text) == (200, "" if method == "HEAD" else "made")
        assert (answer.trace.action, answer.trace.server) == ("proxy", machine.id)
    # The back knows the client, and takes no decision of its own.
    assert machine.back.logged("/app/page HTTP").startswith(f'{client} "GET')
    assert f"action=proxy server={machine.id}" in machine.front.logged("/app/page HTTP")
    # Where it is off, the front serves.
    answer = machine.front.get("/plain", source=client)
    assert (answer.text, answer.trace.action) == ("plain", "local")
    row = machine.table().self
    assert (row["address"], row["port"]) == ("127.0.48.1", machine.port)


def test_the_back_is_balanced_by_others(stage):
    """Another server sends to the announced address: to the back at once."""
    machine = Machine(stage)
    other = stage.httpd(
        CLUSTER + "BackhandTrace On\nBackhand removeSelf\nBackhand byAge 6\n", name="other", address="127.0.48.2"
    )
    other.knows(machine.id)
    answer = other.get("/app/page", source="127.0.48.77")
    assert (answer.text, answer.trace.server) == ("made", machine.id)
    assert machine.front.access_log() == []


def test_nobody_left_goes_there_too(stage):
    machine = Machine(stage, "Backhand removeSelf")
    answer = machine.front.get("/app/page")
    assert (answer.text, answer.trace.action, answer.trace.server) == ("made", "proxy", machine.id)


def test_unavailable_stays_unavailable(stage):
    machine = Machine(stage, "Backhand removeSelf\nBackhandNoCandidate Unavailable")
    answer = machine.front.get("/app/page")
    assert (answer.status, answer.trace.action, answer.header("Retry-After")) == (503, "none", "1")


@pytest.mark.parametrize(
    "chain",
    [
        "Backhand byAge 6",
        "Backhand removeSelf",
        "Backhand removeSelf\nBackhand HTTPRedirectToIP\nBackhand addSelf",
        "BackhandDirectoryWalk Off\nBackhand byAge 6",
        "BackhandDirectoryWalk Off\nBackhand removeSelf",
    ],
)
def test_the_front_never_serves_what_is_not_its_own(stage, chain):
    """The back is gone: 503, and not the source."""
    machine = Machine(stage, chain, back=False)
    machine.front.log.expect(REFUSED)
    machine.front.log.allow(REFUSED)
    machine.front.log.expect(r":error\].*BH0404")
    for _ in range(3):
        answer = machine.front.get("/app/page")
        assert (answer.status, answer.header("Retry-After")) == (503, "1")
        assert "source" not in answer.text


def test_the_next_candidate_helps_out(stage):
    """The own back refuses, and while it is in back-off nobody asks it."""
    machine = Machine(stage, "Backhand byLoad 1000", back=False)
    backend = stage.backend("127.0.9.2")
    plant(stage, machine, Announcement(backend.address, backend.port))
    machine.front.log.expect(REFUSED)
    machine.front.log.allow(REFUSED)
    for _ in range(5):
        with machine.front.client() as connection:
            answer = connection.request("/app/page", method="POST", body=b"x" * 50_000)
        assert (answer.status, answer.text) == (200, backend.id)
    assert [request.body for request in backend.requests] == [b"x" * 50_000] * 5
    assert machine.front.log.count("AH01114|AH00959") < 5


def test_who_asked_for_the_back_is_not_sent_to_it_twice(stage):
    """It has refused: the client goes on to the next one, though it has asked for this server."""
    machine = Machine(stage, "Backhand byLoad 1000\nBackhand HTTPRedirectToIP", back=False)
    plant(stage, machine, Announcement("127.0.9.3", 81))
    machine.front.log.expect(REFUSED)
    machine.front.log.allow(REFUSED)
    answer = machine.front.get("/app/page", headers={"Host": machine.id})
    assert (answer.status, answer.header("Location")) == (302, "http://127.0.9.3:81/app/page")
    assert machine.front.log.count(f"{machine.id} refused the connection") == 1


def test_the_back_helps_out(stage):
    """Another server refuses: the own back is next."""
    machine = Machine(stage, "Backhand byLoad")
    plant(stage, machine, Announcement("127.0.9.3", ports.free_port("127.0.9.3"), load=-1_000_000))
    machine.front.log.expect(REFUSED)
    machine.front.log.allow(REFUSED)
    answer = machine.front.get("/app/page")
    assert (answer.status, answer.text, answer.trace.server) == (200, "made", machine.id)


def plant(stage, machine, announcement):
    def heard():
        stage.announce(announcement, group=machine.front.group)
        return announcement.id in machine.table().servers

    wait_for(heard, 8, "the server to be heard", every=0.1)


def test_observe_serves_here(stage):
    machine = Machine(stage, "BackhandMode Observe\nBackhand byAge 6\n", back=False)
    answer = machine.front.get("/app/page")
    assert (answer.status, answer.text, answer.trace.action) == (200, "source", "proxy")


def test_observe_of_nobody_serves_here(stage):
    machine = Machine(stage, "BackhandMode Observe\nBackhand removeSelf\n", back=False)
    answer = machine.front.get("/app/page")
    assert (answer.status, answer.text, answer.trace.action) == (200, "source", "proxy")


@pytest.mark.parametrize("chain", ["Backhand byAge 6", "Backhand removeSelf"])
def test_without_the_walk(stage, chain):
    """The front has no leave to serve the files, and needs none."""
    machine = Machine(
        stage,
        f"BackhandDirectoryWalk Off\n{chain}",
        more="<Directory ${root}/htdocs/app>\nRequire all denied\n</Directory>\n",
    )
    assert machine.front.get("/app/page").text == "made"


@pytest.mark.parametrize("cluster, bounded", [(CLUSTER, 1), (CLUSTER_OF_9, 3)])
def test_own_address_is_the_front_itself(stage, mpm, cluster, bounded):
    """A request that comes back from a peer is served. From a stranger it is not: it has gone round, and ends."""
    server = stage.httpd(
        cluster + "BackhandTrace On\nBackhandSelfRedirect On\nBackhand byAge 6\n", mpm=mpm, files={"page": "page"}
    )
    server.knows()
    answer = server.get("/page")
    server.log.allow("BH0407")
    lines = wait_for(
        lambda: [line for line in server.access_log() if "/page" in line][bounded:] and server.access_log(),
        5,
        "the log",
    )
    assert sorted(line.split("action=")[1].split()[0] for line in lines) == ["looped", *["proxy"] * bounded]
    assert (answer.status, answer.text) == (200, "page") if cluster == CLUSTER else answer.status == 508


@pytest.mark.parametrize(
    "headers",
    [
        {"Backhand-Proxied": "192.0.2.1"},
        {"Backhand-Proxied": "192.0.2.1", "Backhand-Hops": "3"},
        {"Backhand-Proxied": "x", "Backhand-Hops": "-1"},
    ],
)
def test_no_stranger_gets_the_source(stage, headers):
    """Who says that a server has sent the request, and that it has gone round, is not served what is not to be
    served."""
    port = ports.free_port("127.0.48.1")
    front = stage.httpd(
        (FRONT % {"back": port, "chain": "Backhand byAge 6"}).replace("127.0.0.0/8", "127.0.48.0/24"),
        name="front",
        address="127.0.48.1",
        files=FILES,
    )
    back = stage.httpd(
        "AcceptStats 127.0.48.0/24\n", name="back", address="127.0.48.1", port=port, files={"app/page": "made"}
    )
    wait_for(lambda: status.over_socket(front.sockets / f"backhand-{port}.sock").self, 8, "the front's own row")
    for server in (front, back):
        server.log.allow("BH0407")
    answer = front.get("/app/page", headers=headers, source="127.0.0.1")
    assert "source" not in answer.text
    assert (answer.status, answer.text) == (200, "made") if "Backhand-Hops" not in headers else answer.status == 508


def test_without_a_moderator(stage):
    """No table, no address: 503, and one line."""
    server = stage.httpd(
        "BackhandTrace On\n<Location /app>\nBackhandSelfRedirect On\nBackhand byAge 6\n</Location>\n", files=FILES
    )
    server.log.expect(r":error\].*BH0422")
    for _ in range(20):
        answer = server.get("/app/page")
        assert (answer.status, answer.header("Retry-After")) == (503, "1") and "source" not in answer.text
    assert server.log.count("BH0422") <= len(server.children())
    assert server.get("/plain").text == "plain"


def test_off_again(stage):
    """A section may turn it off; one without a setting inherits it."""
    machine = Machine(stage, more="<Location /app/own>\nBackhandSelfRedirect Off\n</Location>\n")
    machine.front.put("app/own/page", "own")
    machine.back.put("app/own/page", "other")
    machine.back.put("app/sub/page", "sub")
    assert machine.front.get("/app/own/page").text == "own"
    assert machine.front.get("/app/sub/page").text == "sub"


PAGES = {
    "app/page": "source",
    "plain": "plain",
    "app/x.php": "source",
    "page.shtml": '<!--#include virtual="/app/x.php" -->',
}


def test_no_way_round_to_the_source(stage, mpm):
    """What httpd makes of a request inside is not served here either: rewritten URLs, parts of pages, error pages."""
    port = ports.free_port("127.0.48.1")
    front = stage.httpd(
        FRONT % {"back": port, "chain": "Backhand byAge 6"}
        + """
<Directory ${root}/htdocs>
    RewriteEngine On
    RewriteRule ^pretty$ /app/x.php [L]
    AddOutputFilter INCLUDES .shtml
    Options +Includes +FollowSymLinks
</Directory>
ErrorDocument 404 /app/x.php
""",
        name="front",
        address="127.0.48.1",
        mpm=mpm,
        files=PAGES,
        modules=("rewrite", "include"),
    )
    back = stage.httpd(
        BACK, name="back", address="127.0.48.1", port=port, mpm=mpm, files={"pretty": "made", "app/page": "made"}
    )
    wait_for(lambda: status.over_socket(front.sockets / f"backhand-{port}.sock").self, 8, "the front's own row")
    assert front.get("/pretty?a=1").text == "made"
    assert "GET /pretty?a=1 HTTP" in back.logged("pretty")
    front.log.expect("BH0423")
    front.log.allow("AH01579|unable to include|AH0")
    for path in ("/page.shtml", "/missing"):
        answer = front.get(path)
        assert "source" not in answer.text, path
