# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Somebody sets the clock, by an hour either way: ages, back-off and requests do not notice. Debian's libfaketime plays
the clock."""

import time
from pathlib import Path

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
HOUR = 3600


@pytest.fixture
def clock(tmp_path_factory):
    """A file that says how far the wall clock is off."""
    if LIBRARY is None:
        pytest.skip("Debian's package faketime is not installed")
    folder = tmp_path_factory.mktemp("clock")
    # The children's user must come to the file, through whatever folders pytest has made.
    for each in (folder, *folder.parents):
        if each.name.startswith(("pytest-", "popen-")) or each == folder:
            each.chmod(0o755)
    path = folder / "offset"
    path.write_text("+0\n")
    return path


def environment(clock):
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


@pytest.mark.parametrize(
    "steps", [(HOUR, 0), (-HOUR, 0), (HOUR, -HOUR)], ids=lambda steps: "then".join(map(str, steps))
)
def test_steps(stage, clock, steps):
    one = stage.backend("127.0.9.2")
    gone = Announcement("127.0.9.9", 1)
    server = stage.httpd(
        CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byAge 5\nBackhandNoCandidate Unavailable\n",
        environment=environment(clock),
    )
    there = Announcement(one.address, one.port)
    stage.plant(server, gone)
    assert server.get("/").status == 503
    stage.plant(server, there, gone)
    before = server.status()
    for step in steps:
        clock.write_text(f"{step:+d}\n")
        # The step is there: the moderator's own wall clock tells.
        table = wait_for(
            lambda: (now := server.status()) and abs(now.json["now"] - time.time() - step) < 5 and now,
            5,
            "the step",
            show=lambda: server.status().json["now"] - time.time(),
        )
        assert table.servers[one.id]["age_ms"] < 5000 and table.json["self"]["moderator_age_ms"] < 1500
        assert table.servers[gone.id]["backoff_ms"] <= before.servers[gone.id]["backoff_ms"] <= 16_000
        assert [server.get("/").text for _ in range(5)] == [one.id] * 5
        stage.plant(server, there)
    announced = server.status().counters["announced"]
    wait_for(lambda: server.status().counters["announced"] >= announced + 2, 4, "two more announcements")
    server.log.allow("AH00957|AH01114|BH0404|AH0")


def test_a_step_while_a_request_waits(stage, clock):
    """It goes to the next candidate all the same, though by the wall clock an hour has passed."""
    slow = stage.backend("127.0.9.2", reply=lambda request: Reply(drop=True, delay=1.5))
    good = stage.backend("127.0.9.3")
    server = stage.httpd(
        CLUSTER_OF_9 + "Backhand removeSelf\nBackhandRetryTimeout 10\n", environment=environment(clock)
    )
    stage.plant(server, Announcement(slow.address, slow.port))
    stage.plant(server, Announcement(slow.address, slow.port), Announcement(good.address, good.port))
    with server.client() as client:
        client.send("/")
        wait_for(lambda: slow.requests, 5, "the request to arrive")
        clock.write_text(f"+{HOUR}\n")
        assert client.receive().text == good.id
    server.log.allow("AH")
