# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The examples of httpd-conf-examples/: as they are for httpd's check, and with addresses of their own as clusters of
real httpds."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from Docs.repository import ROOT
from harness import ports
from harness.backend import Backend
from harness.crowd import Crowd
from harness.status import Status, over_socket
from harness.wait import wait_for
from Module.test_540_drain import ctl

EXAMPLES = ROOT / "httpd-conf-examples"
# Where requests come from: no server has this address.
CLIENT = "127.0.45.1"

# Those that an example needs besides the usual ones.
GROUP = ("proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "lbmethod_backhand")
STEPS = ("observe", "lbmethod", "announce")
MODULES = {"athena": ("athena",), **{f"from-balancer/{step}": GROUP for step in STEPS}}


def example(name, **defines):
    """Configuration that includes the example, with values for its parameters."""
    defines = {"SOCKETS": "${sockets}", "DOCUMENTS": "${root}/htdocs", **defines}
    lines = [f"Define BACKHAND_{key} {value}" for key, value in defines.items() if value is not None]
    return "\n".join([*lines, f"Include {EXAMPLES / name}.conf", ""])


def serve(stage, name, address, config):
    """An httpd on an address; what it answers is its name."""
    return stage.httpd(config, name=name, address=address, files={"page.html": name, "static/page.html": name})


def served_by(server, count, path="/page.html"):
    """Who served how many of these requests to the server."""
    answers = [server.get(path, source=CLIENT) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.text for answer in answers)


def all_serve(server, names):
    """Sends requests to the server until each of these has served some, and nobody else has."""
    seen = set()

    def more():
        # Equal machines announce equal loads, but for up to a second when the system has just counted them anew.
        seen.update(served_by(server, 20))
        return seen >= names

    wait_for(more, 15, f"{sorted(names)} to serve", show=lambda: seen)
    assert seen == names


WHOLE = sorted(
    path.relative_to(EXAMPLES).with_suffix("").as_posix()
    for folder in (EXAMPLES, EXAMPLES / "from-balancer")
    for path in folder.glob("*.conf")
)


@pytest.mark.parametrize("name", WHOLE)
def test_example_is_accepted_as_it_is(stage, name):
    server = stage.httpd(f"Include {EXAMPLES / name}.conf\n", start=False, modules=MODULES.get(name, ()))
    assert server.test_config() == (0, "Syntax OK\n")


def test_athena(stage):
    """The whole way of docs/upgrading-from-mod_athena.md."""
    members = [Backend(f"127.0.41.{number}") for number in (5, 6)]
    config = example(
        "athena", MEMBER1=members[0].id, MEMBER2=members[1].id, SORRY="http://127.0.41.7:9/", NETWORK=CLIENT
    )
    front = stage.httpd(config, modules=MODULES["athena"])
    try:
        assert set(served_by(front, 20, "/reports/today")) <= {each.id for each in members}
        assert members[0].requests[0].target == "/reports/today"
        asked = front.get(f'/ath/status/phys/?Eh={members[0].id},f="%h,%c"', source=CLIENT)
        assert asked.text == f"{members[0].id},0\n"
        assert front.get(f"/ath/update/phys/?h={members[0].id},o=off", source=CLIENT).status == 200
        assert set(served_by(front, 10, "/reports/today")) == {members[1].id}
        front.log.allow("AH01630")
        assert front.get("/ath/balance/?farm_one", source="127.0.41.9").status == 403
    finally:
        for each in members:
            each.close()


PAGE = "#!/bin/sh\nsleep {}\nprintf 'Content-Type: text/plain\\n\\n{}'\n"
STATUS = "/backhand/?format=json"


def test_from_balancer(stage):
    """The three steps of docs/from-balancer.md, one after the other, under the same clients."""
    own = {"OWN": "${address}:${port}", "NETWORK": "127.0.46.0/24", "GROUP": "${group}", "DOCUMENTS": None}
    members = [
        stage.httpd(
            example("from-balancer/member", **own),
            name=name,
            address=f"127.0.46.{number}",
            cgi=True,
            files={"cgi-bin/page": PAGE.format(pause, name)},
        )
        for number, name, pause in ((4, "slow", 0.2), (5, "quick1", 0.02), (6, "quick2", 0.02))
    ]
    places = {f"MEMBER{number}": member.id for number, member in enumerate(members, 1)}
    steps = [example(f"from-balancer/{step}", **own, **places) for step in STEPS]
    front = stage.httpd(steps[0], name="front", address="127.0.46.1", modules=GROUP, workers=32)
    with Crowd(front, paths=("/cgi-bin/page",)) as crowd:
        # Each step begins as an administrator begins it: a graceful restart. No client sees it.
        _observe(front, members, crowd)
        for step, work in zip(steps[1:], (_let_it_choose, _announce)):
            front.configure(step)
            front.restart()
            work(front, members, crowd)
    assert {one.status for one in crowd.asked} == {200}


def _shares(members, crowd, count):
    """Of so many requests, the share of each member."""
    before = [len(member.access_log()) for member in members]
    crowd.for_requests(count)
    counts = [len(member.access_log()) - first for member, first in zip(members, before)]
    return [each / sum(counts) for each in counts]


def _observe(front, members, crowd):
    """The group chooses as before, whatever the log says."""
    front.knows(*members)
    crowd.for_requests(40)
    seen = {found for member in members if (found := front.log.count(f"mode=observe action=proxy server={member.id}"))}
    assert seen, front.log.text()
    assert 0.2 < _shares(members, crowd, 100)[0] < 0.3


def _let_it_choose(front, members, crowd):
    """By what this httpd sees of the members: they announce nothing that it hears."""
    observed = front.log.count("mode=observe")
    assert not front.moderators()
    crowd.for_requests(60)
    assert _shares(members, crowd, 200)[0] < 0.1
    rows = Status(front.get(STATUS, source="127.0.0.1").text).servers
    assert all("load" not in rows[member.id] and rows[member.id]["served"] > 0 for member in members)
    assert front.log.count("mode=observe") == observed


def _announce(front, members, crowd):
    """What they announce counts: one that drains gets nothing more."""

    def are_heard():
        rows = front.status().servers
        return all("load" in rows[member.id] and rows[member.id]["member"] for member in members)

    wait_for(are_heard, 10, "what they announce", show=front.show_status)
    assert _shares(members, crowd, 100)[0] < 0.1
    ctl(members[2], "drain")
    wait_for(lambda: front.status().servers[members[2].id]["state"] == "draining", 5, "draining")
    crowd.for_requests(10)
    assert _shares(members, crowd, 60)[2] == 0


def test_single_balancer(stage):
    network = "127.0.0.0/8"
    balancer = serve(
        stage,
        "balancer",
        "127.0.41.1",
        example("single-balancer", OWN="${address}:${port}", NETWORK=network, GROUP="${group}"),
    )
    servers = [
        serve(
            stage,
            f"server{number}",
            f"127.0.41.{number}",
            example(
                "single-balancer-server", OWN="${address}:${port}", NETWORK=network, GROUP="${group}", DOCUMENTS=None
            ),
        )
        for number in (2, 3, 4)
    ]
    balancer.knows(*servers)
    names = {server.name for server in servers}
    # Without load one server may get everything; with some, all of them get their share, and the balancer none.
    with ThreadPoolExecutor(12) as clients:
        served, end = Counter(), time.monotonic() + 10
        while not set(served) >= names and time.monotonic() < end:
            served += sum(clients.map(lambda _: served_by(balancer, 10), range(12)), Counter())
    assert set(served) == names
    # A server behind it sends nothing on.
    assert set(served_by(servers[0], 20)) == {servers[0].name}
    # The client's address is what the servers log.
    assert {line.split()[0] for server in servers for line in server.access_log()} == {CLIENT}

    # One that is gone costs no request.
    balancer.log.allow("AH00957|AH01114")  # mod_proxy tells of each refused connection
    gone = servers.pop()
    gone.stop()
    assert set(served_by(balancer, 40)) <= {server.name for server in servers}
    assert balancer.get("/backhand/?format=json").status == 200


def test_symmetric_cluster(stage):
    servers = [
        serve(
            stage,
            f"server{number}",
            f"127.0.42.{number}",
            example("symmetric-cluster", OWN="${address}:${port}", NETWORK="127.0.0.0/8", GROUP="${group}"),
        )
        for number in (1, 2, 3, 4)
    ]
    for server in servers:
        server.knows(*servers)
    names = {server.name for server in servers}
    for server in servers:
        all_serve(server, names)
        assert set(served_by(server, 10, "/static/page.html")) == {server.name}

    def each_is_sent_once():
        # A line is written behind the answer.
        actions = Counter(line.split("action=")[1].split()[0] for server in servers for line in server.access_log())
        return actions["proxy"] == actions["looped"] > 0

    wait_for(each_is_sent_once, 5, "as many requests to arrive as were sent")


def test_symmetric_cluster_finds_its_own_address(stage):
    """Without BACKHAND_OWN: the address of the way to the group, here a destination on the loopback interface."""
    port = ports.free_port("127.0.0.1", "0.0.0.0")
    server = serve(
        stage, "server1", "127.0.0.1", example("symmetric-cluster", NETWORK="127.0.0.0/8", GROUP=f"127.0.0.1:{port}")
    )
    assert server.knows().self["address"] == "127.0.0.1"
    assert set(served_by(server, 10)) == {"server1"}


def test_two_networks(stage):
    group_a, group_b = ("{}:{}".format(*ports.free_group()) for _ in range(2))

    def both(name, number):
        port = ports.free_port(f"127.0.43.{number}", f"127.0.44.{number}")
        return stage.httpd(
            example(
                "two-networks",
                OWN_A="${address}:${port}",
                OWN_B=f"127.0.44.{number}:${{port}}",
                TO_A=f"{group_a},1",
                TO_B=f"{group_b},1",
                NETWORK_A="127.0.43.0/24",
                NETWORK_B="127.0.0.0/8",
            )
            + f"Listen 127.0.44.{number}:${{port}}\n",
            name=name,
            address=f"127.0.43.{number}",
            port=port,
            files={"page.html": name},
        )

    def one(name, address, group):
        return serve(
            stage,
            name,
            address,
            example("symmetric-cluster", OWN="${address}:${port}", NETWORK="127.0.0.0/8", GROUP=group),
        )

    middle, twin = both("middle", 4), both("twin", 5)
    in_a, in_b = one("in-a", "127.0.43.6", group_a), one("in-b", "127.0.44.8", group_b)
    # The twin is heard by both networks, and is one server.
    known = Counter(row["hostname"] for row in _table_of(middle, 4))
    assert known == Counter(["middle.test", "twin.test", "in-a.test", "in-b.test"])
    # In each network the two are known by the address that they have there.
    in_a.knows(middle, twin)
    in_b.knows(f"127.0.44.4:{middle.port}", f"127.0.44.5:{twin.port}")
    all_serve(middle, {"middle", "twin", "in-a", "in-b"})


def test_light_front_and_heavy_back(stage):
    network = "127.0.0.0/8"

    def machine(number):
        address = f"127.0.49.{number}"
        port = ports.free_port(address)
        # An httpd without the module for scripts: the source is what must not come out of a front.
        back = stage.httpd(
            example("heavy-back", NETWORK=network, SOCKETS=None, DOCUMENTS=None),
            name=f"back{number}",
            address=address,
            port=port,
            files={"page.php": f"back{number}", "page.html": "from the back"},
        )
        front = stage.httpd(
            example("light-front", BACK=f"${{address}}:{port}", NETWORK=network, GROUP="${group}", DOCUMENTS=None),
            name=f"front{number}",
            address=address,
            files={"page.php": "source", "page.html": f"front{number}"},
        )
        return front, back

    (front1, back1), (front2, back2) = machine(1), machine(2)
    for front in (front1, front2):
        table = wait_for(
            lambda: (
                (now := over_socket(front.sockets / f"backhand-{(back1 if front is front1 else back2).port}.sock"))
                and set(now.servers) == {back1.id, back2.id}
                and now
            ),
            10,
            "both machines",
        )
        assert table.self["port"] == (back1 if front is front1 else back2).port
    # Files come from the front, pages from its back while the machines are equally loaded.
    assert set(served_by(front1, 10)) == {"front1"}
    assert set(served_by(front1, 40, "/page.php")) <= {"back1", "back2"}
    assert set(served_by(front1, 5, "/page.php?a=b")) <= {"back1", "back2"}
    assert CLIENT in {line.split()[0] for line in back1.access_log()}

    # Without its back a machine's requests go to the other one.
    front1.log.allow("AH00957|AH01114|AH00959")
    back1.stop()
    assert set(served_by(front1, 20, "/page.php")) == {"back2"}
    assert set(served_by(front1, 5)) == {"front1"}


def _table_of(server, count):
    return wait_for(
        lambda: (rows := server.status().json["servers"]) and len(rows) == count and rows,
        10,
        f"{count} servers",
        show=server.status,
    )
