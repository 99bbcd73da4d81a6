# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Members of farms and groups whose names have no address, or another one than at the start."""

import pytest
from harness.names import NamedHttpd, why_not
from harness.stage import CLUSTER
from harness.wait import wait_for
from Module.test_760_farms import ENGINE, farm

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# What mod_proxy says of a connection, or a name.
FAILS = "AH00957|AH01114|AH00959|AH00898|AH01102"


def lines(door, members, more=""):
    if door == "farm":
        return ENGINE + farm(members) + f"ProxyPass / http://farm_one/ {more}\n"
    group = "".join(f"    BalancerMember http://{each} retry=0 {more}\n" for each in members)
    return f"<Proxy balancer://pool>\n{group}    ProxySet lbmethod=backhand\n</Proxy>\nProxyPass / balancer://pool/\n"


@pytest.fixture(params=["farm", "lbmethod"])
def door(request):
    return request.param


@pytest.fixture
def front(stage, door):
    """Makes one with app.test as its first member."""

    def make(members, names, more=""):
        modules = ("athena",) if door == "farm" else ("proxy_balancer", "slotmem_shm", "lbmethod_backhand")
        config = CLUSTER + lines(door, members, more)
        made = NamedHttpd(
            stage.folder, "front", names=names, config=config, group=stage.group, modules=modules, children=1
        )
        made.log.allow(FAILS)
        stage.httpds.append(made)
        return made.start()

    return make


def is_left_out(front, but_for):
    """Asks until the member that is not this one is left out. No client sees it."""

    def found():
        assert front.get("/").status == 200
        (row,) = (row for place, row in front.status().others.items() if place != but_for.id)
        return row["refused"] and row["backoff_ms"]

    wait_for(found, 10, "the member to be left out", show=front.show_status)


def test_a_name_without_an_address(front, backends):
    """It is not looked up for each request, which may take seconds."""
    is_left_out(front([f"app.test:{backends[0].port}", backends[1].id], {}), backends[1])


def test_a_name_that_got_its_address_later(front, backends):
    """Whether a server is there then is found out, too."""
    made = front([f"app.test:{backends[0].port}", backends[1].id], {})
    made.rename({"app.test": backends[0].address})
    backends[0].close()
    is_left_out(made, backends[1])


def test_an_address_that_changes(stage, front):
    """addressttl of mod_proxy counts."""
    old = stage.backend("127.0.9.80")
    new = stage.backend("127.0.9.81", port=old.port)
    made = front([f"app.test:{old.port}"], {"app.test": old.address}, "addressttl=1")
    assert made.get("/").text == old.id
    made.rename({"app.test": new.address})
    wait_for(lambda: made.get("/").text == new.id, 10, "the new address")


def test_a_new_address_where_no_server_is(stage, front, backends):
    """The old server is there still, and says nothing about it."""
    made = front([f"app.test:{backends[0].port}", backends[1].id], {"app.test": backends[0].address}, "addressttl=1")
    made.rename({"app.test": "127.0.9.83"})
    is_left_out(made, backends[1])
