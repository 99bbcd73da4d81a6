# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Names that mean another machine to everybody: neither announced nor where clients are sent. And times of today, not
of all days."""

import re
import socket

import pytest
from harness import announce
from harness.announce import Announcement
from harness.stage import CLUSTER
from harness.wait import wait_for

# So that a client comes from where the test says.
REMOTE = "RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.0/8\n"
FAR, NEAR = "203.0.113.7", "127.0.0.9"
KEY = "0123456789abcdef0123456789abcdef"


def key(stage):
    path = stage.folder / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def named(stage, name):
    """An httpd with this ServerName; None: without one."""
    server = stage.httpd(CLUSTER, start=False)
    text = server.conf.read_text()
    assert re.search(r"(?m)^ServerName .*$", text)
    server.conf.write_text(re.sub(r"(?m)^ServerName .*$", f"ServerName {name}" if name else "", text))
    server.log.allow("AH00558")
    return server.start()


@pytest.mark.parametrize(
    "name, announced",
    [("127.0.1.1", None), ("127.0.0.1", None), ("www.example.com", "www.example.com"), ("10.0.0.7", "10.0.0.7")],
)
def test_the_systems_name_is_announced_instead_of_loopback(stage, name, announced):
    server = named(stage, name)
    server.knows()
    assert server.status().self["hostname"] == (announced or socket.gethostname())


def test_without_a_servername(stage):
    server = named(stage, None)
    server.knows()
    assert not server.status().self["hostname"].startswith("127.")


def redirected(stage, chain, announcement, client):
    front = stage.httpd(CLUSTER + REMOTE + f"Backhand removeSelf\n{chain}\n", modules=["remoteip"])
    stage.plant(front, announcement)
    return front.get("/page?x", headers={"X-Client": client})


BYNAME, BYIP = "Backhand HTTPRedirectToName", "Backhand HTTPRedirectToIP"


@pytest.mark.parametrize("name", ["127.0.1.1", "localhost", "LocalHost.LocalDomain", "app.localhost"])
@pytest.mark.parametrize("client", [FAR, NEAR])
def test_nobody_is_sent_to_loopback_by_name(stage, name, client):
    """The server can be reached at its address only by who is here; the request of others is sent on."""
    backend = stage.backend("127.0.9.2")
    answer = redirected(stage, BYNAME, Announcement(backend.address, backend.port, name), client)
    if client == FAR:
        assert (answer.status, answer.text) == (200, backend.id)
    else:
        assert (answer.status, answer.header("Location")) == (302, f"http://{name}:{backend.port}/page?x")


def test_a_loopback_name_of_a_server_with_an_address(stage):
    """The client is sent to the address instead."""
    front = stage.httpd(
        CLUSTER.replace("127.0.0.0/8", "127.0.0.0/8\nAcceptStats 192.0.2.0/24")
        + REMOTE
        + f"Backhand removeSelf\n{BYNAME}\nBackhandKey {key(stage)} Optional\n",
        modules=["remoteip"],
    )
    front.log.allow("BH0121")
    front.log.expect("BH0421: .* makes no host name of the server name '127.0.1.1'")
    announcement = Announcement("192.0.2.7", 81, "127.0.1.1")

    def planted():
        announce.send(announcement.encode(key=KEY), front.group, "127.0.9.2")
        return announcement.id in front.status().servers

    wait_for(planted, 5, "the row", every=0.2)
    answer = front.get("/page?x", headers={"X-Client": FAR})
    assert (answer.status, answer.header("Location")) == (302, "http://192.0.2.7:81/page?x")


@pytest.mark.parametrize("client, status", [(FAR, 200), (NEAR, 302)])
def test_nobody_is_sent_to_loopback_by_address(stage, client, status):
    backend = stage.backend("127.0.9.2")
    answer = redirected(stage, BYIP, Announcement(backend.address, backend.port, "server"), client)
    assert answer.status == status
    assert answer.header("Location") == (None if status == 200 else f"http://{backend.id}/page?x")


def test_a_name_may_lead_to_a_server_that_is_announced_as_loopback(stage):
    """A name is another matter: the client's own name server says what it is."""
    answer = redirected(stage, BYNAME, Announcement("127.0.9.2", 8080, "www2.example.com"), FAR)
    assert (answer.status, answer.header("Location")) == (302, "http://www2.example.com:8080/page?x")
