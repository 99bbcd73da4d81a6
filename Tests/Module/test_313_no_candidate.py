# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandNoCandidate Unavailable holds whatever the reason; a candidate is looked at again before it is asked; pages
about a server stay on it."""

import socket
import threading

import pytest
from harness.announce import DRAINING, MAINTENANCE, Announcement
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

REFUSED = r"AH00957|AH01114|AH00959"
STRANGER = "127.0.0.50"


def is_unavailable(server, answer):
    return (answer.status, answer.header("Retry-After")) == (503, "1") and " action=none " in server.logged()


# ---- Nothing to decide with ----


def no_segment(stage, choice, chain, **how):
    """No line says that there is a moderator."""
    return stage.httpd("AcceptStats 127.0.9.0/24\n" + choice + chain, **how)


def no_moderator(stage, choice, chain, **how):
    """Its folder belongs to root alone."""
    server = stage.httpd(CLUSTER_OF_9.replace("${sockets}", "${root}/closed") + choice + chain, start=False, **how)
    (server.root / "closed").mkdir(mode=0o700)
    server.start()
    server.log.expect("BH020")
    wait_for(lambda: "BH020" in server.log.text(), 5, "the moderator's last line")
    return server


def no_proxy(stage, choice, chain, **how):
    """Only a chain of an .htaccess file comes so far."""
    server = stage.httpd(
        CLUSTER_OF_9 + choice + "<Directory ${root}/htdocs>\nAllowOverride All\n</Directory>\n",
        without=("proxy", "proxy_http"),
        files={".htaccess": chain, "index.html": "here"},
        **how,
    )
    server.knows()
    server.log.expect("BH0405")
    return server


@pytest.mark.parametrize("made", [no_segment, no_moderator, no_proxy])
@pytest.mark.parametrize("chain", ["Backhand removeSelf\n", "Backhand default\n"])
def test_without_a_moderator(stage, mpm, made, chain):
    server = made(stage, "BackhandNoCandidate Unavailable\n", chain, mpm=mpm)
    for path in ("/", "/index.html", "/no/such/page"):
        assert is_unavailable(server, server.get(path))


@pytest.mark.parametrize("made", [no_segment, no_moderator, no_proxy])
@pytest.mark.parametrize(
    "choice", ["BackhandNoCandidate Local\n", "BackhandMode Observe\nBackhandNoCandidate Unavailable\n"]
)
def test_without_a_moderator_others_serve(stage, made, choice):
    server = made(stage, choice, "Backhand removeSelf\n")
    assert server.get("/").status == 200
    assert server.logged().split("action=")[1].split()[0] in (
        "local",
        "none",
    )  # none: the moderator has not said yet that it cannot start


@pytest.mark.parametrize("walk", ["On", "Off"])
def test_a_stranger_cannot_say_that_it_has_gone_round(stage, mpm, walk):
    server = stage.httpd(
        CLUSTER_OF_9
        + f"""
        <Location />
            BackhandDirectoryWalk {walk}
            BackhandNoCandidate Unavailable
            Backhand removeSelf
        </Location>""",
        mpm=mpm,
    )
    server.knows()
    server.log.allow("BH0407")
    said = {"Backhand-Proxied": "203.0.113.7", "Backhand-Hops": "3"}
    answer = server.get("/", source=STRANGER, headers=said)
    assert (answer.status, answer.header("Retry-After")) == (503, "1")


# ---- Pages about this server ----


@pytest.mark.parametrize("walk", ["On", "Off"])
@pytest.mark.parametrize("choice", ["Local", "Unavailable"])
@pytest.mark.parametrize("known", [True, False])
def test_pages_about_this_server_stay(stage, mpm, walk, choice, known):
    backend = stage.backend("127.0.9.2")
    handlers = {
        "server-status": "Apache Server Status",
        "server-info": "Apache Server Information",
        "balancer-manager": "Load Balancer Manager",
        "backhand-handler": "Backhand",
    }
    modules = ("status", "info", "slotmem_shm", "lbmethod_byrequests", "proxy_balancer")
    server = stage.httpd(
        CLUSTER_OF_9
        + f"""
        BackhandTrace On
        <Proxy balancer://one>
            BalancerMember http://127.0.9.9
        </Proxy>
        <Location />
            BackhandDirectoryWalk {walk}
            BackhandNoCandidate {choice}
            Backhand removeSelf
        </Location>
"""
        + "".join(f"<Location /{name}>\nSetHandler {name}\n</Location>\n" for name in handlers),
        mpm=mpm,
        modules=modules,
    )
    server.log.allow("AH10187")  # balancer-manager's, about a request without a Referer
    if known:
        stage.plant(server, Announcement(backend.address, backend.port))
    for name, title in handlers.items():
        answer = server.get(f"/{name}")
        # In the first moments there is no table, and our page says so.
        usual = (200, 503) if name == "backhand-handler" and not known else (200,)
        assert answer.status in usual and title in answer.text and answer.header("Backhand-Trace") is None, name
    assert backend.requests == []


# ---- A second look ----


class Silent:
    """A listener that answers no connection: a request waits three seconds for it."""

    def __init__(self, address):
        self.sockets = [socket.socket() for _ in range(4)]
        self.sockets[0].bind((address, 0))
        self.sockets[0].listen(0)
        # Linux answers no SYN while the queue of those that nobody has accepted is full.
        for filling in self.sockets[1:]:
            filling.setblocking(False)
            filling.connect_ex(self.sockets[0].getsockname())
        self.address, self.port = self.sockets[0].getsockname()
        self.id = f"{self.address}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()


@pytest.mark.parametrize("state", [DRAINING, MAINTENANCE])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_candidate_that_went_into_maintenance_meanwhile_is_not_asked(stage, mpm, state, method):
    one, two = stage.backend("127.0.9.2"), stage.backend("127.0.9.4")
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byLoad\n", mpm=mpm)
    front.log.allow(REFUSED)
    with Silent("127.0.9.3") as silent:
        second = Announcement(one.address, one.port, load=1000)
        stage.plant(
            front,
            Announcement(silent.address, silent.port, load=0),
            second,
            Announcement(two.address, two.port, load=9000),
        )
        answers = []
        asking = threading.Thread(target=lambda: answers.append(front.get("/", method=method)))
        asking.start()
        wait_for(lambda: front.status().servers[silent.id]["in_flight"] == 1, 5, "the request to be decided")
        stage.plant(front, second.with_(state=state))
        asking.join()
    assert (answers[0].status, answers[0].text) == (200, two.id)
    assert one.requests == []


def test_if_all_others_went_into_maintenance(stage):
    one = stage.backend("127.0.9.2")
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byLoad\n")
    front.log.allow(REFUSED)
    front.log.expect("BH0404")
    with Silent("127.0.9.3") as silent:
        second = Announcement(one.address, one.port, load=1000)
        stage.plant(front, Announcement(silent.address, silent.port, load=0), second)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(front.get("/")))
        asking.start()
        wait_for(lambda: front.status().servers[silent.id]["in_flight"] == 1, 5, "the request to be decided")
        stage.plant(front, second.with_(state=MAINTENANCE))
        asking.join()
        assert answers[0].status == 503
        assert one.requests == []
        # Draining servers are asked if there are no others.
        stage.plant(front, second.with_(state=DRAINING))
        assert front.get("/").text == one.id
