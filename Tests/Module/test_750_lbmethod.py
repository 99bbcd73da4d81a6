# Licensed under the Apache License, Version 2.0; see LICENSE.
"""ProxySet lbmethod=backhand: the core chooses the members of a balancer:// group."""

import collections
import re
import time

import pytest
from harness.announce import DRAINING, Announcement
from harness.applications import LocalApplication
from harness.backend import Backend, Reply
from harness.conversation import Server
from harness.crowd import Crowd
from harness.httpd import USUAL
from harness.stage import CLUSTER
from harness.status import Status
from harness.wait import wait_for
from harness.websocket import WebSocket, echo
from Module.test_540_drain import ctl

MODULES = ("proxy_balancer", "slotmem_shm", "lbmethod_backhand")


def balancer(members, more="", name="pool"):
    """A user's lines, with members as (place, arguments)."""
    lines = "".join(f"    BalancerMember http://{place} {arguments}\n" for place, arguments in members)
    return (
        f"<Proxy balancer://{name}>\n{lines}    ProxySet lbmethod=backhand\n{more}</Proxy>\n"
        f"ProxyPass / balancer://{name}/\n"
    )


def shares(front, count=60, path="/"):
    return collections.Counter(front.get(path).text for _ in range(count))


def answer_after(backends, delay):
    """Each says who it is, so much later."""
    for each in backends:
        each.reply = lambda request, each=each: Reply(body=each.id.encode(), delay=delay)


def ratio(front, first, second):
    """Of the requests that two members get while many clients ask."""
    with Crowd(front, clients=20) as crowd:
        crowd.for_requests(100)
        counts = [len(each.requests) for each in (first, second)]
        crowd.for_requests(400)
    one, other = (len(each.requests) - before for each, before in zip((first, second), counts))
    return one / other


def test_without_any_other_line(stage, mpm, backends):
    """No moderator, no announcements: no warning, and all members get requests."""
    front = stage.httpd(balancer([(each.id, "") for each in backends]), modules=MODULES, mpm=mpm)
    assert not front.moderators() and not front.log.lines("BackhandAsync")
    found = shares(front)
    assert set(found) == {each.id for each in backends}


@pytest.mark.parametrize("order", ["before", "after"])
def test_order_of_the_modules(stage, backends, order):
    names = [*USUAL, "proxy_balancer", "slotmem_shm"]
    names.insert(0 if order == "before" else len(names), "lbmethod_backhand")
    front = stage.httpd(balancer([(each.id, "") for each in backends]), order=names)
    assert len(shares(front)) == 3


def test_without_mod_backhand(stage, backends):
    front = stage.httpd(balancer([(backends[0].id, "")]), modules=MODULES, without=("backhand",), start=False)
    code, text = front.test_config()
    assert code != 0 and "BH0160: mod_lbmethod_backhand needs mod_backhand, which is not loaded" in text


STATUS = "<Location /status>\n    SetHandler backhand-handler\n</Location>\nProxyPass /status !\n"


def test_the_status_page_without_a_moderator(stage, backends):
    """What this httpd sees of the members is true of now."""
    front = stage.httpd(STATUS + balancer([(each.id, "") for each in backends]), modules=MODULES)
    shares(front, 30)
    page = front.get("/status?format=json")
    table = Status(page.text)
    assert page.status == 200 and table.json["trouble"] == "" and set(table.servers) == {each.id for each in backends}
    assert sum(row["served"] for row in table.servers.values()) == 30
    assert all(row["member"] and "load" not in row for row in table.servers.values())
    assert backends[0].id in front.get("/status").text and "added since" not in front.get("/status").text


def test_orders(stage, mpm, backends):
    """As for other servers: drained here by address or name."""
    lines = [(each.id, "") for each in backends[:2]] + [(f"localhost:{backends[2].port}", "")]
    front = stage.httpd(CLUSTER + balancer(lines), modules=MODULES, mpm=mpm)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    ctl(front, "drain", backends[0].id)
    ctl(front, "drain", "localhost")
    assert set(shares(front, 20)) == {backends[1].id}
    shown = ctl(front, "status")
    assert any(backends[0].id in line and "drained (here)" in line for line in shown.splitlines()), shown
    assert backends[0].id not in ctl(front, "status", "--means")
    ctl(front, "resume", backends[0].id)
    wait_for(lambda: backends[0].id in shares(front, 10), 20, "the member that is drained no more")


def test_a_slow_member_gets_less(stage, backends):
    slow = backends[0]
    slow.reply = lambda request: Reply(body=slow.id.encode(), delay=0.2)
    front = stage.httpd(balancer([(each.id, "") for each in backends]), modules=MODULES)
    with Crowd(front, clients=6) as crowd:
        asked = crowd.for_requests(300)
    assert {one.status for one in asked} == {200}
    assert sum(len(each.requests) for each in backends[1:]) > 10 * len(slow.requests)


def test_a_dead_member(stage, mpm, backends):
    """No client sees it, and it is asked no more."""
    front = stage.httpd(balancer([(each.id, "retry=0") for each in backends]), modules=MODULES, mpm=mpm)
    front.log.allow("AH00957|AH01114|AH00959|AH01157")
    shares(front)
    backends[0].close()
    assert backends[0].id not in shares(front, 100)


def test_loadfactor(stage, backends):
    answer_after(backends, 0.05)
    members = [(backends[0].id, "loadfactor=4"), (backends[1].id, "")]
    front = stage.httpd(balancer(members), modules=MODULES, workers=32)
    assert 2.5 < ratio(front, *backends[:2]) < 6


def test_sessions_stay(stage, backends):
    members = [(each.id, f"route=r{number}") for number, each in enumerate(backends)]
    front = stage.httpd(balancer(members, "    ProxySet stickysession=ID\n"), modules=MODULES)
    for number, each in enumerate(backends):
        found = {front.get("/", headers={"Cookie": f"ID=x.r{number}"}).text for _ in range(10)}
        assert found == {each.id}


def test_standbys_and_sets(stage, backends):
    """A standby of the same set comes before the next set."""
    members = [(backends[0].id, ""), (backends[1].id, "status=+H"), (backends[2].id, "lbset=1")]
    front = stage.httpd(balancer(members), modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959")
    assert set(shares(front, 20)) == {backends[0].id}
    backends[0].close()
    assert set(shares(front, 20)) == {backends[1].id}
    backends[1].close()
    assert set(shares(front, 20)) == {backends[2].id}


def test_members_that_announce(stage, mpm):
    """They are the same servers in the table, so what they announce counts: one that drains gets nothing."""
    servers = [
        stage.httpd(
            "UnixSocketDir ${sockets}\nMulticastStats ${address} ${group},1\nAcceptStats 127.0.0.0/16\n",
            address=f"127.0.0.{number}",
            name=f"server{number}",
        )
        for number in (2, 3)
    ]
    front = stage.httpd(
        "UnixSocketDir ${sockets}\nMulticastStats ${address} ${group},1\nAcceptStats 127.0.0.0/16\n"
        + balancer([(each.id, "") for each in servers]),
        modules=MODULES,
        mpm=mpm,
        name="front",
    )
    front.knows(*servers)
    names = {f"{each.name}\n" for each in servers}
    assert set(shares(front)) == names
    ctl(servers[0], "drain")
    wait_for(lambda: front.status().servers[servers[0].id]["state"] == "draining", 5, "draining")
    assert set(shares(front)) == {"server3\n"}


YOUNG = "    Backhand byAge 6\n    Backhand byRandom\n"


def test_a_member_whose_server_announces_another_address(stage, backends):
    """The row is the member's; the server gets another one."""
    config = balancer([(each.id, "") for each in backends], YOUNG)
    front = stage.httpd(CLUSTER + config, modules=MODULES)
    server = Announcement(backends[0].address, backends[0].port)
    place = stage.plant(front, server).servers[server.id]["id"]
    moved = server.with_(address="127.0.9.99")

    def found():
        stage.announce(moved, group=front.group)
        return moved.id in front.status().servers

    wait_for(found, 15, "the new address", every=0.5, show=front.show_status)
    table = front.status()
    assert table.servers[server.id]["id"] == place and table.servers[server.id]["member"]
    assert not table.servers[moved.id]["member"]
    table = stage.plant(front, server.with_(boot_id=server.boot_id + 1))
    assert table.servers[server.id]["id"] == place and table.servers[server.id]["age_ms"] < 20000
    assert set(shares(front)) == {each.id for each in backends}


def test_a_restart_without_a_moderator(stage, mpm, backends):
    """Nobody hears what the members announce, and nobody can take an order back: neither counts, nor is missed."""
    members = STATUS + balancer([(each.id, "") for each in backends], YOUNG)
    front = stage.httpd(CLUSTER + members, modules=MODULES, mpm=mpm)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    ctl(front, "drain", backends[1].id)
    stage.plant(front, *(Announcement(each.address, each.port, state=DRAINING) for each in backends[:1]))
    assert set(shares(front, 20)) == {backends[2].id}
    front.configure(members)
    front.restart()
    assert set(shares(front)) == {each.id for each in backends}
    time.sleep(3.5)  # then a moderator would be late
    assert set(shares(front)) == {each.id for each in backends}
    table = Status(front.get("/status?format=json").text)
    assert set(table.servers) == {each.id for each in backends} and table.json["trouble"] == ""
    assert all(row["state"] == "up" and "age_ms" not in row and not row["reason"] for row in table.servers.values())
    assert not front.log.lines("BH0410")


def test_a_chain_in_the_section(stage, backends):
    """Here byRandom; the lines are for the members alone, and other requests are not touched."""
    config = balancer([(each.id, "") for each in backends], "    Backhand byRandom\n")
    front = stage.httpd(config, modules=MODULES)
    found = shares(front, 150)
    assert len(found) == 3 and all(30 < count < 75 for count in found.values())


def test_an_error_page_from_another_group(stage, backends):
    """It is a request like others: what has failed the first one does not count for it."""
    dead = Backend("127.0.9.83")
    config = balancer([(backends[0].id, "")], name="sorry").replace("ProxyPass / ", "ProxyPass /sorry/ ")
    front = stage.httpd(config + balancer([(dead.id, "retry=0")]) + "ErrorDocument 503 /sorry/page\n", modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959|AH01170")
    assert front.get("/").text == dead.id
    dead.close()
    for _ in range(3):
        answer = front.get("/")
        assert answer.text == backends[0].id


def test_members_on_sockets(stage):
    """Their host name is the same."""
    paths = [stage.folder / f"{name}.sock" for name in ("one", "two")]
    applications = [stage.enter(LocalApplication(path)) for path in paths]
    members = "".join(f"    BalancerMember unix:{path}|http://localhost/{path.stem}\n" for path in paths)
    front = stage.httpd(balancer([], members + "    Backhand byRandom\n"), modules=MODULES)
    assert {front.get("/").status for _ in range(40)} == {200}
    for each in applications:
        assert 5 < len(each.requests) < 35


def test_members_that_differ_by_path(stage, backends):
    """They are one server, and get what their factors say."""
    place = backends[0].id
    members = [(f"{place}/a", "loadfactor=3"), (f"{place}/b", "")]
    front = stage.httpd(balancer(members), modules=MODULES, mpm="prefork", workers=2)
    for _ in range(80):
        assert front.get("/x").status == 200
    found = collections.Counter(request.target[:2] for request in backends[0].requests)
    assert 56 <= found["/a"] <= 64 and found["/a"] + found["/b"] == 80


def test_an_answer_that_httpd_replaces(stage, backends):
    """The application's own 503 is no refusal: the member goes on."""
    backends[0].reply = lambda request: Reply(503 if request.target == "/bad" else 200, backends[0].id.encode())
    members = [(each.id, "") for each in backends[:2]]
    config = balancer(members, "    Backhand byRandom\n") + "ProxyErrorOverride On\n"
    front = stage.httpd(config, modules=MODULES)
    wait_for(lambda: front.get("/bad").status == 503, 10, "the member that says 503")
    assert backends[0].id in shares(front, 20)


def test_a_name_without_an_address(stage, backends):
    """It is said at the start; the others go on."""
    members = [("no-such-host.invalid", ""), *((each.id, "") for each in backends[:2])]
    front = stage.httpd(balancer(members), modules=MODULES)
    front.log.allow("AH00898|AH01114|AH00957|AH00959|BH0162|AH01")
    front.log.expect("BH0162: BalancerMember http://no-such-host.invalid has no address now")
    wait_for(lambda: set(shares(front, 10)) <= {each.id for each in backends[:2]}, 10, "the others")


def test_a_chain_that_admits_nobody(stage, backends):
    """Nobody is nobody."""
    load = "    BackhandFromSO ${build}/byHostname.so byHostname nobody\n"
    front = stage.httpd(balancer([(backends[0].id, "")], load), modules=MODULES)
    front.log.allow("AH01170")
    assert front.get("/").status == 503


MANAGER = "<Location /balancer-manager>\n    SetHandler balancer-manager\n</Location>\nProxyPass /balancer-manager !\n"


def manage(front, backend):
    """Adds a member and enables it."""
    page = {"path": "/balancer-manager", "headers": {"Referer": f"http://{front.id}/balancer-manager"}}
    nonce = re.search(r"nonce=([0-9a-f-]+)", front.get(**page).text)[1]
    page["method"] = "POST"
    worker = f"http://{backend.id}"
    for form in (f"b=pool&nonce={nonce}&b_nwrkr={worker}&b_wyes=1", f"b=pool&w={worker}&nonce={nonce}&w_status_D=0"):
        assert front.get(**page, body=form.encode()).status == 200


def test_the_manager_adds_a_member(stage, mpm, backends):
    """It is one of them at once, in all children."""
    members = [(each.id, "") for each in backends[:2]]
    front = stage.httpd(MANAGER + balancer(members, "    ProxySet growth=4\n"), modules=MODULES, mpm=mpm)
    manage(front, backends[2])
    assert set(shares(front, 90)) == {each.id for each in backends}


def quick_errors(backends):
    """The first one says 500 at once, the others 200 after a while."""
    backends[0].reply = lambda request: Reply(500)
    for each in backends[1:]:
        each.reply = lambda request, each=each: Reply(body=each.id.encode(), delay=0.05)
    return balancer([(each.id, "") for each in backends])


@pytest.mark.parametrize("more", ["", "ProxyErrorOverride On\n"], ids=["as it is", "replaced"])
def test_quick_errors_are_no_good_answers(stage, backends, more):
    front = stage.httpd(quick_errors(backends) + more, modules=MODULES)
    with Crowd(front, clients=4) as crowd:
        asked = crowd.for_requests(300)
    assert sum(one.status == 500 for one in asked) < 100


def test_replaced_answers_count(stage, backends):
    """A 404 is served, and takes time."""
    backends[0].reply = lambda request: Reply(404, delay=0.02)
    front = stage.httpd(STATUS + balancer([(backends[0].id, "")]) + "ProxyErrorOverride On\n", modules=MODULES)
    assert {front.get("/").status for _ in range(5)} == {404}
    row = Status(front.get("/status?format=json").text).servers[backends[0].id]
    assert (row["served"], row["failed"]) == (5, 0) and row["mean_ms"] >= 20


@pytest.mark.parametrize("order", ["drain", "maintenance"])
def test_standbys_where_the_core_refuses(stage, backends, order):
    """A standby, and then the next set, come before servers that get requests as the last resort."""
    members = [(backends[0].id, ""), (backends[1].id, "status=+H"), (backends[2].id, "lbset=1")]
    front = stage.httpd(CLUSTER + balancer(members), modules=MODULES)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    for gone, left in ((0, 1), (1, 2)):
        ctl(front, order, backends[gone].id)
        assert set(shares(front, 10)) == {backends[left].id}
    front.log.allow("AH01170")
    ctl(front, order, backends[2].id)
    statuses = {front.get("/").status for _ in range(5)}
    assert statuses == ({200} if order == "drain" else {503})


NOBODY = "    BackhandFromSO ${build}/byHostname.so byHostname nobody\n"


def test_the_chain_is_the_groups_own(stage, backends):
    """However the request comes to the group; and not another group's whose name begins with this one."""
    ways = (
        '<Location /handler>\n    SetHandler "proxy:balancer://app"\n</Location>\n'
        '<Location /rule>\n    RewriteEngine On\n    RewriteRule .* "balancer://app/" [P]\n</Location>\n'
        "ProxyPass /handler !\nProxyPass /rule !\nProxyPass /other balancer://app2\n"
    )
    group = balancer([(backends[0].id, "")], NOBODY, name="app").replace("ProxyPass / ", "ProxyPass /pass ")
    second = balancer([(backends[1].id, "")], name="app2").replace("ProxyPass / ", "ProxyPass /second ")
    front = stage.httpd(ways + group + second, modules=(*MODULES, "rewrite"))
    front.log.allow("AH01170|AH01167")
    for path, status in (("/pass", 503), ("/handler/x", 503), ("/rule/x", 503), ("/other", 200), ("/second", 200)):
        assert front.get(path).status == status, path


def test_a_condition_has_no_chain_of_its_own(stage, backends):
    lines = "    <If \"%{REQUEST_URI} == '/x'\">\n        Backhand byRandom\n    </If>\n"
    front = stage.httpd(balancer([(backends[0].id, "")], lines), modules=MODULES, start=False)
    code, text = front.test_config()
    assert code != 0 and "the chain of members is the same for all requests" in text


def test_an_own_shortage_is_no_refusal(stage, backends):
    """Who gets no connection from this httpd's own pool has learnt nothing about the member."""
    for each in backends[:2]:
        each.reply = lambda request: Reply(delay=0.3)
    members = [(each.id, "max=1 acquire=50 retry=0") for each in backends[:2]]
    front = stage.httpd(STATUS + balancer(members), modules=MODULES, mpm="event")
    front.log.allow("AH00941|AH00940|AH01114|AH00959|AH01170|AH03")
    with Crowd(front, clients=6) as crowd:
        crowd.for_requests(30)
    rows = Status(front.get("/status?format=json").text).servers
    assert [row["refused"] for row in rows.values()] == [0, 0]


def test_websockets_are_served(stage):
    server = Server(echo)
    front = stage.httpd(STATUS + balancer([(server.id, "upgrade=websocket")]), modules=MODULES)
    for _ in range(3):
        socket = WebSocket(front, "/chat")
        assert socket.say("hello") == "hello" and socket.close()

    def counts():
        row = Status(front.get("/status?format=json").text).servers[server.id]
        return row["served"], row["failed"], row["in_flight"]

    wait_for(lambda: counts() == (3, 0, 0), 5, "three that were served", show=counts)
    server.close()


def test_a_group_that_begins_without_members(stage, backends):
    """The manager gives it some."""
    front = stage.httpd(MANAGER + balancer([], "    ProxySet growth=6\n"), modules=MODULES)
    for each in backends:
        manage(front, each)
    assert set(shares(front, 90)) == {each.id for each in backends}
