# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Our figures on mod_status's page."""

import re

import pytest
from harness.backend import Reply
from harness.front import CHAIN, announcement_of, front_of, row
from harness.wait import wait_for
from Module.test_313_no_candidate import Silent

CONFIG = """
<Location /server-status>
    Backhand off
    SetHandler server-status
</Location>
"""

FIGURES = [
    "ServersKnown",
    "ServersHeard",
    "ServersBackedOff",
    "Arrivals",
    "Proxied",
    "Failed",
    "InFlight",
    "Unattended",
]


def figures(text):
    """Our lines of ?auto."""
    return {name: int(value) for name, value in re.findall(r"^Backhand(\w+): (\d+)$", text, flags=re.M)}


def test_the_figures(stage):
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(drop=request.target == "/drop"))
    front = front_of(stage, backend, config=CONFIG, modules=["status"])
    # It answers no connection, and is left out for longer than all this takes.
    gone = announcement_of(stage.enter(Silent("127.0.9.3")))
    stage.plant(front, announcement_of(backend), gone)
    before = figures(front.get("/server-status?auto").text)
    assert list(before) == FIGURES
    assert (before["ServersKnown"], before["ServersHeard"], before["ServersBackedOff"]) == (2, 2, 0)
    # It is asked first, once.
    stage.plant(front, announcement_of(backend, load=5000), gone)
    front.log.expect("AH01114")
    front.log.allow("AH00957|AH00959|AH01102|AH00898|AH01110")
    for path in ("/1", "/2", "/3"):
        assert front.get(path).status == 200
    assert front.get("/drop", method="POST", body=b"x").status == 502
    # A request is counted when it is over, which its client may notice before.
    wait_for(lambda: row(front, backend)["served"] == 3, 5, "three that were answered")
    after = figures(front.get("/server-status?auto").text)
    assert {name: after[name] - before[name] for name in FIGURES if after[name] != before[name]} == {
        "ServersBackedOff": 1,
        "Arrivals": 5,
        "Proxied": 3,
        "Failed": 2,
    }


def test_the_page(stage):
    backend = stage.backend("127.0.9.2")
    front = front_of(stage, backend, config=CONFIG, modules=["status"])
    front.get("/")
    wait_for(lambda: row(front, backend)["served"] == 1, 5, "one that was answered")
    text = front.get("/server-status").text
    section = text.partition("<h1>Backhand</h1>")[2].partition("</dl>")[0]
    assert re.sub(r"<[^>]*>|\n", "", section) == (
        "Other servers: 1 known, 1 heard within 20 seconds, 0 left out for refused connections"
        "Requests received: 2; sent to other servers: 1 answered, 0 failed, 0 under way"
    )
    assert "</body></html>" in text.partition("<h1>Backhand</h1>")[2]


@pytest.mark.parametrize("query", ["?auto", ""])
def test_without_a_moderator_nothing_is_told(stage, query):
    server = stage.httpd(CONFIG.replace("    Backhand off\n", ""), modules=["status"])
    answer = server.get("/server-status" + query)
    assert answer.status == 200 and "Backhand" not in answer.text.replace("balanced_by_mod_backhand", "")


def test_no_chain_sends_the_page_s_request_away(stage):
    backend = stage.backend("127.0.9.2")
    front = front_of(stage, backend, config=CONFIG.replace("    Backhand off\n", ""), modules=["status"])
    assert "Apache Server Status" in front.get("/server-status").text and backend.requests == []


def test_without_mod_status(stage):
    assert stage.httpd(CHAIN).get("/").status == 200
