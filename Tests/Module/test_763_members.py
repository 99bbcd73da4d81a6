# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Members of farms: servers that announce themselves, and members of which another server's announcements tell."""

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.gateways import FastCGI
from harness.stage import CLUSTER_OF_9
from harness.status import Status
from harness.wait import wait_for
from Module.test_540_drain import ctl
from Module.test_760_farms import ENGINE, MODULES, PASS, farm, shares

STATUS = "<Location /status>\n    SetHandler backhand-handler\n</Location>\nProxyPass /status !\n"
FAST = "    Backhand byAge 6\n    Backhand byRandom\n"


def pattern(text, more=""):
    return f'    AthMembers "{text}"\n{more}'


def announced(backends, names):
    return [Announcement(each.address, each.port, name) for each, name in zip(backends, names)]


def become(front, wanted):
    """Waits until the farm has these members: one does not fail its requests."""
    wait_for(lambda: set(shares(front, 12)) == wanted, 10, f"the members {wanted}", show=front.show_status)


# ---- AthMembers ----


def test_they_join_and_leave(stage, mpm, backends):
    """Those whose name matches, in every child, without a restart."""
    lines = farm([], FAST + pattern("^app[0-9]+\\."))
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines + PASS, modules=MODULES, mpm=mpm)
    front.log.allow("BH0166")
    assert front.get("/").status == 503
    servers = announced(backends, ["app1.test", "APP22.test", "web3.test"])
    stage.plant(front, *servers)
    assert set(shares(front)) == {backends[0].id, backends[1].id}
    assert front.get("/athena/balance/?farm_one").text.strip() in (backends[0].id, backends[1].id)
    # Another name, in the same row.
    for again in (servers[1].with_(hostname="old2.test"), servers[2].with_(hostname="app3.test")):
        stage.announce(again, group=front.group)
    become(front, {backends[0].id, backends[2].id})


def test_one_that_leaves(stage, backends):
    """It is forgotten after BackhandExpire."""
    config = CLUSTER_OF_9 + "BackhandExpire 60\n" + ENGINE + farm([], pattern("app")) + PASS
    front = stage.httpd(config, modules=MODULES)
    front.log.allow("BH0166")
    server = announced(backends, ["app1.test"])[0]
    stage.plant(front, server)
    assert set(shares(front, 10)) == {backends[0].id}
    # Its httpd has been started again at another port.
    moved = server.with_(port=backends[1].port, address=backends[1].address, boot_id=server.boot_id)
    wait_for(
        lambda: stage.announce(moved, group=front.group) or set(shares(front, 5)) == {backends[1].id},
        20,
        "the new place",
        every=0.5,
        show=front.show_status,
    )


def test_lines_mix(stage, backends):
    """A server that both lines name is there once, with the loadfactor of its AthMember line."""
    lines = farm(
        [f"{backends[0].id} loadfactor=3"],
        FAST.replace("byRandom", "bySample 1") + pattern("^app1") + pattern("^app", "") + pattern("^web"),
    )
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines + PASS, modules=MODULES)
    stage.plant(front, *announced(backends, ["app1.test", "app2.test", "web3.test"]))
    assert set(shares(front)) == {each.id for each in backends}


def test_loadfactor_of_a_pattern(stage, backends):
    lines = farm([], '    AthMembers "app1" loadfactor=8\n    AthMembers app\n    Backhand byLeastTime\n')
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines + PASS, modules=MODULES)
    for each in backends:
        each.reply = lambda request, each=each: Reply(body=each.id.encode(), delay=0.02)
    stage.plant(front, *announced(backends[:2], ["app1.test", "app2.test"]))
    counts = shares(front, 100)
    assert counts[backends[0].id] > counts[backends[1].id]


def test_this_httpd_is_none(stage, backends):
    """It would get its own requests again."""
    config = CLUSTER_OF_9 + "ServerName app0.test\n" + ENGINE + farm([], pattern("app")) + PASS
    front = stage.httpd(config, address="127.0.9.60", modules=MODULES)
    front.log.allow("BH0166")
    wait_for(lambda: front.status().self, 5, "its first announcement")
    assert front.status().self["hostname"].startswith("app0")
    assert front.get("/").status == 503
    stage.plant(front, *announced(backends, ["app1.test"]))
    assert set(shares(front, 20)) == {backends[0].id}


def test_no_server_is_left(stage, backends):
    sorry = backends[2]
    lines = farm([], pattern("app") + f"    AthForward http://{sorry.id}/closed\n")
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines + PASS, modules=MODULES)
    assert front.get("/").text == sorry.id and sorry.requests[0].target == "/closed"


def test_after_a_restart(stage, backends):
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + farm([], pattern("app")) + PASS, modules=MODULES)
    stage.plant(front, *announced(backends, ["app1.test", "app2.test"]))
    front.restart()
    assert set(shares(front, 30)) == {backends[0].id, backends[1].id}


def test_no_server_can_be_heard(stage, backends):
    """Without MulticastStats."""
    lines = ENGINE + farm([backends[0].id], pattern("app")) + PASS
    _, text = stage.httpd(lines, modules=MODULES, start=False).test_config(advice=True)
    assert "BH0192: the farm farm_one of" in text
    _, text = stage.httpd(CLUSTER_OF_9 + lines, modules=MODULES, start=False).test_config(advice=True)
    assert "BH0192" not in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('AthMembers "app["', "AthMembers 'app[': a regular expression is wanted"),
        ("AthMembers app loadfactor=200", "AthMembers 'loadfactor=200' is not a loadfactor from 0.01 to 100"),
        ("AthMembers app weight=2", "AthMembers 'weight=2' is unknown: loadfactor= is known"),
        ("AthMembers", "AthMembers takes"),
    ],
)
def test_what_is_wrong_is_said(stage, line, said):
    code, text = stage.httpd(ENGINE + farm([], f"    {line}\n"), modules=MODULES, start=False).test_config()
    assert code != 0 and said in text, text


def test_outside_of_a_farm(stage):
    code, text = stage.httpd("AthMembers a\n", modules=MODULES, start=False).test_config()
    assert code != 0 and "AthMembers" in text


# ---- Facts of the machine ----


def php(members, more=""):
    return STATUS + ENGINE + farm([each.id for each in members], more) + "ProxyPass / fcgi://farm_one/\n"


@pytest.fixture
def responders():
    made = [FastCGI(f"127.0.9.{number}") for number in (80, 81)]
    yield made
    for each in made:
        each.close()


def row(front, place):
    return Status(front.get("/status?format=json").text).servers[place]


def test_php_beside_an_httpd(stage, responders):
    """What a real httpd announces of its machine counts for the FastCGI member there; its drain does not."""
    there = stage.httpd(CLUSTER_OF_9, address=responders[0].address, name="there")
    front = stage.httpd(CLUSTER_OF_9 + php(responders), modules=(*MODULES, "proxy_fcgi"), address="127.0.9.60")
    table = front.knows(there, *responders)
    seen = wait_for(
        lambda: (shown := row(front, responders[0].id)).get("facts_of") == table.servers[there.id]["id"] and shown,
        10,
        "the facts of the machine",
        show=front.show_status,
    )
    assert "age_ms" in seen and "load" not in seen and "workers" not in seen
    assert "facts_of" not in row(front, responders[1].id)
    assert seen["member"] and seen["port"] == responders[0].port
    ctl(there, "drain")
    wait_for(lambda: row(front, there.id)["state"] == "draining", 5, "the drain")
    assert row(front, responders[0].id)["state"] == "up"
    assert set(shares(front)) == {each.id for each in responders}


def test_by_load_of_the_machine(stage, responders):
    """byLoad sends requests to the member on the idle machine; byBusyChildren does not know the member's workers."""
    places = {"/load": "Backhand byLoad", "/busy": "Backhand byBusyChildren"}
    lines = STATUS + ENGINE
    for path, line in places.items():
        name = path.strip("/")
        lines += farm([each.id for each in responders], f"    {line}\n", name=name)
        lines += f"ProxyPass {path} fcgi://{name}/\n"
    front = stage.httpd(CLUSTER_OF_9 + lines, modules=(*MODULES, "proxy_fcgi"))
    busy = Announcement(responders[0].address, 80, "busy.test", load=9000, load_hwm=16000, idle=0)
    idle = Announcement(responders[1].address, 80, "idle.test", load=100, load_hwm=16000, idle=90)
    stage.plant(front, busy, idle)
    assert set(shares(front, 30, "/load")) == {responders[1].id}
    assert responders[0].id in shares(front, 60, "/busy")


# ---- forward= ----


@pytest.mark.parametrize("state", ["drain", "maintenance"])
def test_forward(stage, mpm, backends, state):
    """Requests go to the URL of the member that is out of service, whole, when no other member can take them."""
    first, second, old = backends
    more = f"    AthForward http://{old.id}/sorry\n"
    lines = farm([f"{first.id} forward=http://{old.id}/old?x=1", second.id], more)
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines + PASS, modules=MODULES, mpm=mpm)
    front.log.allow("AH00957|AH01114|AH00959")
    wait_for(lambda: front.status().self, 5, "its first announcement")
    assert set(shares(front, 30)) == {first.id, second.id}
    ctl(front, state, first.id)
    assert set(shares(front, 30)) == {second.id}
    second.close()
    assert set(shares(front, 5, "/a/b?c")) == {old.id}
    assert {request.target for request in old.requests} == {"/old?x=1"}
    # In service again, but its process is gone too.
    ctl(front, "resume", first.id)
    first.close()
    assert front.get("/").text == old.id and old.requests[-1].target == "/sorry"


def test_no_forward(stage, backends):
    """Members without it serve as the last resort while they are drained."""
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + farm([each.id for each in backends]) + PASS, modules=MODULES)
    wait_for(lambda: front.status().self, 5, "its first announcement")
    for each in backends:
        ctl(front, "drain", each.id)
    assert set(shares(front, 30)) <= {each.id for each in backends}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["a forward=/x"], "AthMember 'forward=/x' has no whole URL, such as http://sorry.example.com/"),
        (["a forward="], "AthMember 'forward=' has no whole URL"),
        (["a to=http://b/"], "AthMember 'to=http://b/' is unknown: loadfactor= and forward= are known"),
        (["a forward=http://FARM_ONE:80/x"], "forward='http://FARM_ONE:80/x' points at the farm farm_one of"),
        (["a forward=http://two/x"], "forward='http://two/x' points at the farm two of"),
    ],
)
def test_a_wrong_forward(stage, members, said):
    lines = ENGINE + farm(members) + farm(["localhost"], name="two")
    code, text = stage.httpd(lines, modules=MODULES, start=False).test_config()
    assert code != 0 and said in text, text


# ---- Members that cannot be used ----


def test_a_member_without_an_address(stage, mpm, backends):
    """The others serve, also what cannot be repeated: no server has seen it."""
    front = stage.httpd(ENGINE + farm(["app.invalid", backends[0].id]) + PASS, modules=MODULES, mpm=mpm)
    front.log.expect("BH0190")
    front.log.allow("AH00898|AH1047[5-8]")
    assert {front.get("/", method="POST", body=b"x" * 70_000).text for _ in range(20)} == {backends[0].id}
    assert set(shares(front, 20)) == {backends[0].id}
    assert {len(request.body) for request in backends[0].requests} == {70_000, 0}


CHAIN = "    Backhand byAge 6\n"


@pytest.mark.parametrize(
    "lines",
    [
        f"<Location /x>\n    ProxyPass http://farm_one/\n{CHAIN}</Location>\n",
        f"ProxyPass /x http://farm_one/\n<Location /x>\n{CHAIN}</Location>\n",
        f'<Location "/x">\n{CHAIN}</Location>\nProxyPass "/x" "http://farm_one/"\n',
        f'<LocationMatch ^/x>\n    SetHandler "proxy:http://farm_one/"\n{CHAIN}</LocationMatch>\n',
    ],
)
def test_a_chain_and_a_farm(stage, lines):
    """Both lines are named."""
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + farm(["localhost"]) + lines, modules=MODULES, start=False)
    code, text = front.test_config()
    assert code != 0 and "BH0194: " in text and "names the farm farm_one of" in text and "and Backhand at" in text, text


def test_a_chain_around_a_farm(stage, mpm, backends):
    """The farm wins, and says so; a chain that is off says nothing."""
    other = backends[1]
    lines = farm([backends[0].id]) + "ProxyPass /x http://farm_one/\nProxyPass /y http://farm_one/\n"
    lines += "<Location />\n    Backhand byAge 6\n    Backhand removeSelf\n</Location>\n"
    lines += "<Location /y>\n    Backhand off\n</Location>\n"
    front = stage.httpd(CLUSTER_OF_9 + ENGINE + lines, modules=MODULES, mpm=mpm)
    stage.plant(front, Announcement(other.address, other.port))
    assert front.get("/y").text == backends[0].id
    assert not front.log.lines("BH0195")
    front.log.expect("BH0195: /x goes to the farm farm_one")
    assert set(shares(front, 10, "/x")) == {backends[0].id}
    assert front.get("/").text == other.id
