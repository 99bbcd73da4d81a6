# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections of a farm, and of balancer:// with lbmethod=backhand: as many are kept as a server can spare."""

import time

import pytest
from Bench.Connections.contenders import DOORS
from harness.announce import CLOSED, KEEPS, WORKER
from harness.backend import Reply
from harness.certificates import Authority
from harness.front import announcement_of, front_of, kept, meeting, together
from harness.front import idle as idle_now
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

PLENTY = (WORKER, 60_000, 0, 0)
PARTS = b'<!--#include virtual="/a" --><!--#include virtual="/b" -->'


@pytest.fixture(params=["farm", "lbmethod"])
def door(request):
    return request.param


@pytest.fixture
def slow(stage):
    return stage.backend(
        "127.0.9.2", reply=meeting(lambda request: Reply(close=request.target == "/closed", told=False))
    )


def front_to(stage, door, backend, cost=PLENTY, idle=16, config="", more=(), scheme="http", **how):
    """A front that knows a backend, which announces what a kept connection costs it, and how many of its workers are
    idle; cost None: it announces nothing."""
    modules, lines = DOORS[door]
    says = [announcement_of(backend, idle_cost=cost, workers=16, idle=idle)] if cost else []
    return front_of(
        stage,
        *says,
        chain=CLUSTER_OF_9 + lines([backend]).replace("http:", f"{scheme}:") + config,
        **{"workers": 16, "modules": (*modules, *more), **how},
    )


def settles(front, backend, count, more=0):
    """Waits until the front keeps so many connections, or more of them, and no others are open."""
    wait_for(
        lambda: kept(front, backend) == backend.open and count <= backend.open <= count + more,
        5,
        f"{count} to be kept",
        show=lambda: (kept(front, backend), backend.open),
    )


@pytest.mark.parametrize("idle, most", [(16, 4), (3, 0)])
def test_a_quarter_of_the_idle_workers(stage, door, mpm, slow, idle, most):
    front = front_to(stage, door, slow, idle=idle, mpm=mpm)
    # Two threads may take a worker's records in another order than they put them.
    more = 1 if most and mpm != "prefork" else 0
    for _ in range(2):
        together(front, 8)
        settles(front, slow, most, more)
    silent = {request.connection for request in slow.requests if request.header("Connection") != "close"}
    assert len(slow.requests) == 16 and most <= len(silent) <= most + more


def test_over_tls(stage, door, mpm):
    """Likewise, and mod_ssl is content with records that are put on top."""
    pair = Authority(stage.folder).sign("127.0.9.2")
    server = stage.httpd(
        pair.server + "KeepAliveTimeout 60\nCustomLog logs/numbers %k\n",
        address="127.0.9.2",
        without=("backhand",),
        modules=["ssl"],
        files={"page": "page"},
    )
    server.log.always("AH01873|AH01909|AH02008")
    config = "SSLProxyEngine On\nSSLProxyVerify none\nSSLProxyCheckPeerName Off\n"
    front = front_to(stage, door, server, idle=8, config=config, more=("ssl",), scheme="https", mpm=mpm, children=1)
    front.log.allow("AH00484|AH00161|AH01873")
    for _ in range(4):
        together(front, 8, "/page")
        assert [front.get("/page").status for _ in range(4)] == [200] * 4
    wait_for(lambda: kept(front, server) in (1, 2), 5, "one or two to be kept", show=lambda: kept(front, server))
    if mpm != "prefork":  # there another child may have each request
        assert any(number != "0" for number in (server.root / "logs/numbers").read_text().split())


@pytest.mark.parametrize("word, cost, most", [("Auto", KEEPS, 8), ("On", PLENTY, 8), ("Off", PLENTY, 0)])
def test_words(stage, door, slow, word, cost, most):
    front = front_to(stage, door, slow, cost, config=f"BackhandConnectionPools {word}\n", children=1)
    together(front, 8)
    settles(front, slow, most)
    together(front, 8)
    settles(front, slow, most)
    assert slow.connections == (8 if most else 16)


def test_keepalive_off(stage, door, mpm, slow):
    front = front_to(stage, door, slow, (CLOSED, 0, 0, 0), mpm=mpm)
    together(front, 4)
    assert [request.header("Connection") for request in slow.requests] == ["close"] * 4


def test_servers_that_announce_nothing(stage, door, slow):
    """mod_proxy keeps their connections, as it does without us."""
    front = front_to(stage, door, slow, None, children=1, workers=8)
    for _ in range(2):
        together(front, 6)
    assert slow.open == slow.connections == 6


@pytest.mark.parametrize("arguments", ["max=2", "max=2 ttl=60"])
def test_bounds_of_a_line(stage, slow, arguments):
    """Requests that wait for one of two connections use these."""
    lines = (
        f"<Proxy balancer://pool>\n    BalancerMember http://{slow.id} {arguments}\n    ProxySet lbmethod=backhand\n"
    )
    config = CLUSTER_OF_9 + lines + "</Proxy>\nProxyPass / balancer://pool/\n"
    says = announcement_of(slow, idle_cost=PLENTY, workers=16, idle=16)
    front = front_of(stage, says, chain=config, workers=16, children=1, mpm="event", modules=DOORS["lbmethod"][0])
    together(front, 12)
    assert slow.open == slow.connections == 2


def test_the_configuration_comes_first(stage, door, slow):
    """What says that connections are closed is not changed."""
    front = front_to(stage, door, slow, config="SetEnv proxy-nokeepalive 1\n")
    together(front, 3)
    settles(front, slow, 0)
    assert [request.header("Connection") for request in slow.requests] == ["close"] * 3


def test_none_is_used_in_the_last_second(stage, door, mpm):
    """The server closes it after three seconds: after two it is not used any more."""
    backend = stage.backend("127.0.9.2")
    front = front_to(
        stage, door, backend, (WORKER, 3000, 0, 0), mpm=mpm, children=1, workers=1 if mpm == "prefork" else 16
    )
    front.log.allow("AH00286|AH00161|AH00484")
    for pause in (0, 1, 2.2):
        time.sleep(pause)
        front.get("/")
    assert [request.connection for request in backend.requests] == [1, 1, 2]
    settles(front, backend, 1)


@pytest.mark.parametrize("balancer", ["event", "prefork"])
def test_fewer_than_before(stage, door, slow, balancer):
    """The server has less to spare: a child with more than that closes its own, and takes what there is."""
    says = announcement_of(slow, idle_cost=PLENTY, workers=16, idle=16)
    front = front_to(stage, door, slow, mpm=balancer, children=1)
    together(front, 8)
    settles(front, slow, 4)
    stage.plant(front, says.with_(idle=4))

    def has_less():
        together(front, 6)
        return kept(front, slow) == slow.open == 1

    wait_for(has_less, 15, "one open connection", show=lambda: (kept(front, slow), slow.open))


def test_children_share_a_connection(stage, door):
    """Sixteen children, one request after the other: one connection."""
    backend = stage.backend("127.0.9.2")
    config = 'BackhandConnectionPools Shared\nCustomLog logs/children "%P"\n'
    front = front_to(stage, door, backend, KEEPS, config=config, mpm="prefork", children=16)
    for _ in range(40):
        assert front.get("/").status == 200
        idle_now(front, backend)  # its client may have had the answer before the child has put the connection back
    assert len(set((front.root / "logs/children").read_text().split())) > 2
    assert backend.connections == 1
    settles(front, backend, 1)


@pytest.mark.parametrize("balancer", ["event", "worker"])
def test_what_the_server_has_closed(stage, door, slow, balancer):
    """A child that has requests finds it within a second, also where other connections are used meanwhile."""
    front = front_to(stage, door, slow, mpm=balancer, children=1)
    together(front, 6, "/closed")

    def is_found():
        front.get("/")
        return kept(front, slow) == slow.open == 1

    wait_for(is_found, 8, "one to be kept", every=0.2, show=lambda: (kept(front, slow), slow.open))


def test_restarts_give_rights_back(stage, door, mpm, slow):
    front = front_to(stage, door, slow, mpm=mpm)
    together(front, 8)
    settles(front, slow, 4)
    front.restart()
    wait_for(lambda: kept(front, slow) == 0, 15, "no right", show=lambda: kept(front, slow))
    together(front, 8)
    settles(front, slow, 4)


def test_a_page_of_parts(stage, door, mpm):
    """Parts are requests within the request for the page, on its thread. mod_proxy closes their connections: none of
    those that are kept is used for them, and what is counted of the page's own stays right."""
    backend = stage.backend(
        "127.0.9.2",
        reply=lambda request: (
            Reply(body=PARTS, headers={"Content-Type": "text/html"})
            if request.target == "/page"
            else Reply(body=request.target.encode(), delay=0.4 if request.target == "/slow" else 0)
        ),
    )
    config = "<Location />\nOptions +Includes\nSetOutputFilter INCLUDES\n</Location>\n"
    front = front_to(stage, door, backend, config=config, more=("include",), mpm=mpm, children=1)
    together(front, 3, "/slow")
    settles(front, backend, 3)
    for _ in range(12):
        assert front.get("/page").text == "/a/b"
    if mpm != "prefork":  # there several children have had one
        settles(front, backend, 3)
        assert backend.connections == 3 + 24
    wait_for(lambda: kept(front, backend) == backend.open <= 4, 5, "what is open is counted")
