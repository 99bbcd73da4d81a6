# Licensed under the Apache License, Version 2.0; see LICENSE.
"""ProxySet lbmethod=backhand, where mod_proxy's groups and members are not as in the first example."""

import contextlib
import os
import socket
import threading
import time

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.certificates import Authority
from harness.ftp import FTP
from harness.stage import CLUSTER
from harness.status import Status
from harness.wait import wait_for
from Module.test_540_drain import ctl
from Module.test_750_lbmethod import MANAGER, MODULES, NOBODY, STATUS, balancer, manage, shares
from Module.test_764_farm_schemes import h2_member


def rows(front):
    return Status(front.get("/status?format=json").text).json["servers"]


def total(front, field):
    return sum(row[field] for row in rows(front))


def group(name, members, more=""):
    lines = "".join(f"    BalancerMember http://{each.id}\n" for each in members)
    return f"<Proxy balancer://{name}>\n{lines}{more}</Proxy>\n"


@pytest.mark.parametrize("way", ["ProxyPass", "ProxySet"])
def test_many_groups_with_the_method_outside_of_the_section(stage, backends, way):
    """mod_proxy moves its list of groups when it grows, and each member keeps a copy of its group as it was."""
    names = [f"group{number}" for number in range(14)]
    lines = "".join(group(name, backends) for name in names)
    for name in names:
        lines += f"ProxySet balancer://{name} lbmethod=backhand\n" if way == "ProxySet" else ""
        lines += f"ProxyPass /{name}/ balancer://{name}/ {'lbmethod=backhand' if way == 'ProxyPass' else ''}\n"
    front = stage.httpd(STATUS + lines, modules=MODULES)
    for name in names:
        before = total(front, "served")
        assert [front.get(f"/{name}/").status for _ in range(3)] == [200] * 3
        assert total(front, "served") == before + 3, name


@pytest.mark.parametrize("where", ["main", "host"])
def test_the_chain_of_a_group_with_sessions(stage, backends, where):
    """The group's chain counts also where a route has chosen the first member, and that refuses."""
    members = [(each.id, f"route=r{number} retry=0") for number, each in enumerate(backends)]
    lines = balancer(members, "    ProxySet stickysession=ID\n" + NOBODY)
    front = stage.httpd(lines if where == "main" else f"<VirtualHost *:*>\n{lines}</VirtualHost>\n", modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959|AH01157|AH01167|AH01170")
    backends[1].close()
    assert [front.get("/", headers={"Cookie": "ID=x.r1"}).status for _ in range(3)] == [503] * 3


@pytest.mark.parametrize("inside", ["", "    ProxySet lbmethod=backhand\n"], ids=["the host's", "both"])
@pytest.mark.parametrize("method", ["", "lbmethod=backhand"])
def test_a_group_of_the_main_server(stage, backends, method, inside):
    host = f"<VirtualHost *:*>\nProxyPass /status !\nProxyPass / balancer://app/ {method}\n</VirtualHost>\n"
    front = stage.httpd(
        STATUS + group("app", backends, inside) + host,
        modules=(*MODULES, "lbmethod_byrequests"),
    )
    if method:
        assert not front.log.lines("BH0144")
        before = total(front, "served")
        assert len(shares(front, 30)) == 3 and total(front, "served") == before + 30
    elif inside:
        front.log.allow("BH0144: balancer://app has the method byrequests in this virtual host")
        assert front.log.lines("BH0144")


@pytest.mark.parametrize("order", ["drain", "maintenance"])
def test_spares_where_the_core_refuses(stage, backends, order):
    members = [(backends[0].id, ""), (backends[1].id, "status=+R"), (backends[2].id, "status=+R+D")]
    front = stage.httpd(CLUSTER + balancer(members), modules=MODULES)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    assert set(shares(front, 5)) == {backends[0].id}
    ctl(front, order, backends[0].id)
    assert set(shares(front, 5)) == {backends[1].id}


def test_all_members_fall_silent(stage, backends):
    """It may be the network: they are the last resort. One that is heard comes before them."""
    members = backends[:2]
    front = stage.httpd(CLUSTER + balancer([(each.id, "") for each in members]), modules=MODULES)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    stage.plant(front, *[Announcement(each.address, each.port) for each in members])
    silent = [each.id for each in members]
    wait_for(lambda: all(front.status().servers[each]["reason"].startswith("silent") for each in silent), 15, "silence")
    assert set(shares(front, 20)) == set(silent)
    stage.plant(front, Announcement(members[0].address, members[0].port, sequence=50))
    assert set(shares(front, 20)) == {members[0].id}


class Quiet:
    """A server whose queue of connections is full, so that no further one is taken."""

    def __init__(self, address):
        self.server = socket.socket()
        self.server.bind((address, 0))
        self.server.listen(0)
        self.id = "{}:{}".format(*self.server.getsockname())
        self.waiting = [socket.socket() for _ in range(4)]
        for each in self.waiting:
            each.setblocking(False)
            each.connect_ex(self.server.getsockname())

    def close(self):
        for each in (*self.waiting, self.server):
            each.close()


def test_one_that_refuses_does_not_stop_the_others(stage, backends):
    """Whether it is the server's fault is found out while other requests go on."""
    quiet = stage.enter(contextlib.closing(Quiet("127.0.9.86")))
    members = [(backends[0].id, ""), (quiet.id, "connectiontimeout=100ms retry=0")]
    front = stage.httpd(
        balancer(members, "    Backhand byRandom\n"), modules=MODULES, mpm="event", children=1, workers=40
    )
    front.log.allow("AH00957|AH01114|AH00959|AH01157")
    took = []

    def ask():
        began = time.monotonic()
        assert front.get("/").status == 200
        took.append(time.monotonic() - began)

    def crowd(count):
        made = [threading.Thread(target=ask) for _ in range(count)]
        for each in made:
            each.start()
        return made

    first = crowd(30)
    time.sleep(0.15)
    for each in (*first, *crowd(10)):
        each.join()
    # Two waits for each request that met it, and none of them for another one: five in a row took a second.
    assert len(took) == 40 and sorted(took)[35] < 0.8, sorted(took)


class Unix:
    """A server on a socket in the file system; answer: what it does with a connection."""

    def __init__(self, path, answer):
        self.server, self.answer, self.path = socket.socket(socket.AF_UNIX), answer, path
        self.server.bind(str(path))
        os.chmod(path, 0o777)
        self.server.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection):
        with connection, contextlib.suppress(OSError):
            self.answer(connection)

    def close(self):
        self.server.close()


def slow(connection):
    connection.recv(4000)
    time.sleep(0.3)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def crash(connection):
    connection.recv(4000)


def test_an_own_shortage_is_no_refusal_of_a_socket(stage):
    servers = [stage.enter(contextlib.closing(Unix(stage.folder / f"{name}.sock", slow))) for name in ("one", "two")]
    members = "".join(
        f"    BalancerMember unix:{each.path}|http://localhost/{each.path.stem} max=1 acquire=50 retry=0\n"
        for each in servers
    )
    front = stage.httpd(STATUS + balancer([], members), modules=MODULES, mpm="event", workers=32, children=1)
    front.log.allow("AH")
    crowd = [threading.Thread(target=front.get, args=("/",)) for _ in range(6)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert front.log.lines("AH00939|AH10292|failed to acquire"), "no request has met the shortage"
    assert total(front, "refused") == 0


def test_an_application_that_crashes_is_no_refusal(stage):
    """One URL that ends a worker must not take the socket from everybody; a socket without a server does."""
    server = stage.enter(contextlib.closing(Unix(stage.folder / "php.sock", crash)))
    members = f"    BalancerMember unix:{server.path}|fcgi://localhost retry=0\n"
    front = stage.httpd(STATUS + balancer([], members), modules=(*MODULES, "proxy_fcgi"))
    front.log.allow("AH")
    assert {front.get("/x.php").status for _ in range(3)} == {503}
    assert total(front, "refused") == 0 and total(front, "failed") >= 3
    server.close()
    front.get("/x.php")
    assert total(front, "refused") > 0


def test_a_member_that_the_manager_adds_has_no_past(stage, mpm, backends):
    """Its row was another one's before the restart."""
    front = stage.httpd(
        STATUS + MANAGER + balancer([(backends[0].id, "")], "    ProxySet growth=6\n"), modules=MODULES, mpm=mpm
    )
    backends[1].reply = lambda request: Reply(500)
    manage(front, backends[1])

    def added():
        return [row for row in rows(front) if "added since" in row["hostname"]]

    wait_for(lambda: front.get("/") and any("doubt" in row["reason"] for row in added()), 10, "a member in doubt")
    assert not front.restart() and not added()
    manage(front, backends[2])
    asked = shares(front, 20)[backends[2].id]
    assert [(row["served"], row["failed"], row["reason"]) for row in added()] == [(asked, 0, "")]


def test_members_that_speak_ftp(stage):
    """What is known of a member is found by the port of its scheme, or by its own."""
    servers = [stage.enter(contextlib.closing(FTP(f"127.0.9.{number}"))) for number in (80, 81, 82)]
    for each in servers:
        each.reply = lambda request, each=each: Reply(body=each.id.encode(), drop=each is servers[0])
    members = "".join(f"    BalancerMember ftp://{each.id} retry=0\n" for each in servers)
    chain = "    Backhand byRandom\n    Backhand byHealth\n"
    front = stage.httpd(STATUS + balancer([], members + chain), modules=(*MODULES, "proxy_ftp"))
    front.log.allow("AH00957|AH00959|AH01114|AH00898|AH01033|AH01102|AH01030")
    found = {front.get("/pub/file.txt").text for _ in range(40)}
    assert {each.id for each in servers[1:]} <= found
    servers[1].close()
    assert servers[2].id in {front.get("/pub/file.txt").text for _ in range(20)}
    by_place = Status(front.get("/status?format=json").text).servers
    assert by_place[servers[0].id]["failed"] > 0 and by_place[servers[1].id]["refused"] > 0
    assert by_place[servers[2].id]["served"] > 0


def test_members_that_speak_http2_over_tls(stage, mpm):
    authority = Authority(stage.folder)
    servers = [h2_member(stage, authority, f"127.0.9.{number}", "h2 http/1.1") for number in (80, 81)]
    members = "".join(f"    BalancerMember h2://{each.id}\n" for each in servers)
    verify = f"SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile {authority.certificate}\n"
    front = stage.httpd(
        STATUS + verify + balancer([], members + "    Backhand byRandom\n"),
        modules=(*MODULES, "http2", "proxy_http2", "ssl"),
        mpm=mpm,
        name="front",
    )
    front.log.allow("AH01873|AH10034")
    found = [front.get("/x") for _ in range(30)]
    assert {(answer.status, answer.text) for answer in found} == {(200, each.address) for each in servers}
    assert all("HTTP/2.0" in each.logged("/x") for each in servers)
    wait_for(lambda: total(front, "served") == 30, 5, "thirty that were answered", show=lambda: rows(front))


def test_parts_of_a_page_from_a_group(stage):
    """They know the group, and what they are sent to is no member of it."""
    page = b'<!--#include virtual="/part/" -->'
    member = stage.backend("127.0.9.2", reply=lambda request: Reply(body=page, headers={"Content-Type": "text/html"}))
    other = stage.backend("127.0.9.3", reply=lambda request: Reply(body=b"part"))
    config = (
        "<Location />\n    Options +Includes\n    SetOutputFilter INCLUDES\n</Location>\n"
        "<Location /status>\n    SetHandler backhand-handler\n</Location>\nProxyPass /status !\n"
        f"ProxyPass /part/ http://{other.id}/\n" + balancer([(member.id, "")])
    )
    front = stage.httpd(config, modules=(*MODULES, "include"))
    assert [front.get("/x").text for _ in range(5)] == ["part"] * 5
    assert "added since the start" not in front.get("/status").text
