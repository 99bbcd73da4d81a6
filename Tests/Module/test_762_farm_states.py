# Licensed under the Apache License, Version 2.0; see LICENSE.
"""States of farms and members: orders over the control socket, the status page, and several balancers."""

import json
import socket
import subprocess
import time

import pytest
from harness.backend import Backend, Reply
from harness.crowd import Crowd
from harness.httpd import BUILD
from harness.stage import CLUSTER_OF_9
from harness.status import Status
from harness.wait import wait_for

MODULES = ("athena",)
ENGINE = "AthEngine On\n"


def farm(members, more="", name="farm_one"):
    lines = "".join(f"    AthMember {member}\n" for member in members)
    return f"<AthFarm {name}>\n{lines}{more}</AthFarm>\nProxyPass /{name}/ http://{name}/\n"


@pytest.fixture
def backends():
    made = [Backend(f"127.0.9.{number}") for number in (90, 91)]
    yield made
    for each in made:
        each.close()


def ask(front, line):
    """One line of the control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(front.control_socket))
        client.sendall(line.encode() + b"\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(answer)


def shares(front, path="/farm_one/", count=20):
    return {front.get(path).text for _ in range(count)}


SOCKETS = "UnixSocketDir ${sockets}\n"


def test_orders(stage, mpm, backends):
    """With a control socket and no other line of mod_backhand."""
    # Not by times: what differs by chance would give all requests of one client to the quicker one.
    config = SOCKETS + ENGINE + farm((each.id for each in backends), "    Backhand byRandom\n")
    front = stage.httpd(config, modules=MODULES, mpm=mpm)
    one, two = (each.id for each in backends)
    farms = wait_for(lambda: ask(front, "farms")["farms"])
    assert [(each["name"], each["on"], each["able"]) for each in farms] == [("farm_one", True, 2)]
    front.log.allow("BH0378")
    for order, back in (("off", "on"), ("down", "up")):
        assert ask(front, f"member farm_one {one} {order}")["reason"] == order
        assert shares(front) == {two}
        assert ask(front, f"member farm_one {one} {back}")["reason"] == "slow start"
        wait_for(lambda: shares(front) == {one, two}, deadline=20, what="its growing share")
    front.log.expect("BH0378: .*off' was ordered by the control socket")
    assert ask(front, "farm farm_two")["error"] == "no such farm"


STATUS = "<Location /page>\n    SetHandler backhand-handler\n</Location>\nProxyPass /page !\n"


def test_one_reason_everywhere(stage, backends):
    """A member that fails: the status page, its farms, the oracle and backhandctl say the same."""
    bad, good = backends
    lines = farm([bad.id, good.id], "    Backhand byRandom\n    Backhand byHealth\n")
    front = stage.httpd(SOCKETS + STATUS + ENGINE + lines, modules=MODULES)
    bad.reply = lambda request: Reply(500)

    def found():
        return ask(front, "farm farm_one")["members"][0]["reason"].split(" ")[0]

    wait_for(lambda: ask(front, "farms"))
    with Crowd(front, paths=[f"/farm_one/{name}" for name in "abcde"]):
        wait_for(found, 20, "what speaks against it", show=lambda: ask(front, "farm farm_one"))
    # Failures that go on may become a share.
    ask(front, f"member farm_one {good.id} off")
    words = wait_for(lambda: (word := found()) == found() and word, 5, "what it remains")
    page = front.get("/page?format=json")
    table = Status(page.text)
    # Nothing is to be announced, and members get requests without that.
    assert page.status == 200 and table.json["trouble"] == ""
    shown = {table.servers[bad.id]["reason"], table.json["farms"][0]["members"][0]["reason"]}
    oracle = front.get("/athena/balance/?farm_one", headers={"Accept": "application/json"}).text
    assert words in ("doubt", "failing") and {each.split(" ")[0] for each in shown} == {words}
    assert f'"reason":"the only one of 2: {words}' in oracle, oracle
    assert front.get("/page").text.count(f">{words}") == 2


def test_a_farm_that_is_off(stage, backends):
    """Its requests go to AthForward, also while members could take them."""
    members, sorry = [backends[0].id], backends[1]
    more = f"    AthForward http://{sorry.id}/closed\n"
    front = stage.httpd(SOCKETS + ENGINE + farm(members, more), modules=MODULES)
    front.log.allow("BH0378|BH0166")
    wait_for(lambda: ask(front, "farms"))
    assert not ask(front, "farm farm_one off")["on"]
    assert shares(front) == {sorry.id} and sorry.requests[0].target == "/closed"
    assert front.get("/athena/balance/?farm_one").status == 503
    assert ask(front, "farm farm_one on")["on"]
    assert shares(front) == {members[0]}


def test_states_survive_a_graceful_restart(stage, mpm, backends):
    one, two = (each.id for each in backends)
    front = stage.httpd(SOCKETS + ENGINE + farm([one, two]), modules=MODULES, mpm=mpm)
    front.log.allow("BH0378")
    wait_for(lambda: ask(front, "farms"))
    ask(front, f"member farm_one {one} off")
    front.restart()
    assert wait_for(lambda: ask(front, "farm farm_one"))["able"] == 1
    assert shares(front) == {two}


def test_members_that_send_no_update_are_out(stage, backends):
    more = "    AthExpectUpdate 1\n    AthForward http://127.0.9.91:1/\n"
    front = stage.httpd(SOCKETS + ENGINE + farm([backends[0].id], more), modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959|BH0166")
    assert wait_for(lambda: ask(front, "farm farm_one")["members"][0])["in"] in (True, False)
    seen = wait_for(lambda: [each for each in ask(front, "farm farm_one")["members"] if not each["in"]])
    assert seen[0]["reason"].startswith("out ") and not seen[0]["able"]
    assert front.get("/athena/balance/?farm_one").status == 503


def test_the_status_page(stage, backends):
    config = SOCKETS + ENGINE + farm([backends[0].id]) + "<Location /s>\n    SetHandler backhand-handler\n</Location>\n"
    front = stage.httpd(config, modules=MODULES)
    wait_for(lambda: ask(front, "farms"))
    table = json.loads(front.get("/s?format=json").body)
    assert table["farms"][0]["members"][0]["member"] == backends[0].id and "servers" in table
    page = front.get("/s").text
    assert "<h2>Farms</h2>" in page and backends[0].id in page and page.endswith("</body></html>\n")


def test_backhandctl(stage, backends):
    front = stage.httpd(SOCKETS + ENGINE + farm([backends[0].id]), modules=MODULES)
    front.log.allow("BH0378")
    wait_for(lambda: ask(front, "farms"))

    def run(*words):
        command = [BUILD / "backhandctl", *words, "-s", front.control_socket]
        return subprocess.run(command, capture_output=True, text=True)

    assert run("farms").stdout.splitlines()[1].split()[:4] == ["farm_one", "on", "1", "1"]
    assert "down" in run("member", "farm_one", backends[0].id, "down").stdout
    assert run("farm", "farm_one").stdout.splitlines()[1].split()[:4] == ["farm_one", "on", "0", "1"]
    assert json.loads(run("farm", "farm_one", "--json").stdout)["able"] == 0
    wrong = run("member", "farm_one", "nobody")
    assert wrong.returncode == 1 and "no such member" in wrong.stderr


@pytest.mark.parametrize("mirror", ["On", "Off"])
def test_two_balancers(stage, backends, mirror):
    """An order that one gets is an order for both, within a second or so."""
    key = stage.folder / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    key.chmod(0o600)
    config = CLUSTER_OF_9 + f"BackhandKey {key}\nAthMirror {mirror}\n" + ENGINE + farm(each.id for each in backends)
    first = stage.httpd(config, modules=MODULES, address="127.0.9.1")
    second = stage.httpd(config, modules=MODULES, address="127.0.9.2")
    for server, other in ((first, second), (second, first)):
        wait_for(lambda: other.id in server.status().servers, deadline=10)  # noqa: B023
    first.log.allow("BH0378")
    one, two = (each.id for each in backends)
    ask(first, f"member farm_one {one} off")
    ask(first, f"member farm_one {two} down")
    ask(first, f"member farm_one {two} up")

    def told():
        return ask(second, f"member farm_one {one}")["reason"] == "off"

    if mirror == "On":
        wait_for(told, deadline=5)
        assert shares(second) == {two}
    else:
        time.sleep(2.5)
        assert not told() and shares(second) == {one, two}
