# Licensed under the Apache License, Version 2.0; see LICENSE.
"""More datagrams than a moderator can read: servers do not age, and new ones become known."""

import time

import pytest
from harness import announce
from harness.announce import Announcement
from harness.flood import flood
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

KEY = "0123456789abcdef0123456789abcdef"
STRANGERS = [f"127.0.0.{number}" for number in range(50, 54)]
MEMBERS = [f"127.0.9.{number}" for number in range(50, 54)]
# More than a moderator could read that takes 512 in 10 ms.
RATE = 80_000
# byAge of the examples is 6: a server may be half as old.
LIMIT = 3000


@pytest.fixture
def keyed(stage):
    path = stage.folder / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return CLUSTER_OF_9 + f"BackhandKey {path}\n"


def oldest(server, other, seconds):
    """The greatest age at which the server saw the other one in this time."""
    worst, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        status = server.show_status()
        if not isinstance(status, OSError):
            worst = max(worst, status.servers[other.id]["age_ms"])
        time.sleep(0.05)
    return worst


ANNOUNCED = Announcement("127.0.9.60", 80, "flood").encode()
SIGNED = Announcement("127.0.9.60", 80, "flood").encode(key="another key of thirty-two characters")

# Whether there is a key, what is sent, from where, and whether the kernel drops it.
FLOODS = {
    "foreign, keyed": (True, b"x" * 200, MEMBERS, True),
    "foreign": (False, b"x" * 200, MEMBERS, True),
    "strangers' announcements": (False, ANNOUNCED, STRANGERS, True),
    "unsigned": (True, ANNOUNCED, MEMBERS, True),
    "another key's": (True, SIGNED, MEMBERS, False),
    "an announcement": (False, ANNOUNCED, ["127.0.9.60"], False),
}


@pytest.mark.parametrize("with_key, datagram, sources, is_filtered", FLOODS.values(), ids=FLOODS.keys())
def test_servers_do_not_age(stage, keyed, with_key, datagram, sources, is_filtered):
    config = keyed if with_key else CLUSTER_OF_9
    first, second = (stage.httpd(config, address=f"127.0.9.{number}") for number in (1, 2))
    third = stage.httpd(config, address="127.0.9.3", start=False)
    for server in (first, second, third):
        server.log.allow("BH03")
    first.knows(second)
    with flood(stage, datagram, RATE, sources=sources, seconds=6) as sent:
        assert oldest(first, second, 3) < LIMIT
        third.start()
        begin = time.monotonic()
        wait_for(lambda: third.id in first.status().servers, 5, "the new server", every=0.02, show=first.status)
        took = time.monotonic() - begin
        count = sent()
    assert took < 2.5, took
    assert count > RATE, "the flood was none"
    counters = first.status().counters
    assert (counters["filtered"] > count / 2) == is_filtered, counters
    assert (first.log.lines("BH0350") != []) == is_filtered
    print({name: value for name, value in counters.items() if value}, count, took)


def test_the_filter_goes_with_the_flood(stage):
    """It is noticed when it ends: then whoever is foreign is counted one by one again."""
    server = stage.httpd(CLUSTER_OF_9)
    server.log.allow("BH03")
    server.knows()
    with flood(stage, b"x" * 200, 20_000, sources=MEMBERS[:1], seconds=2) as sent:
        sent()
    before = server.status().counters
    assert before["filtered"] > 10_000

    def counted():
        announce.send(b"y" * 200, server.group, MEMBERS[0])
        before = server.status().counters["foreign"]
        announce.send(b"y" * 200, server.group, MEMBERS[0])
        time.sleep(0.1)
        return server.status().counters["foreign"] > before

    wait_for(counted, 12, "the filter's end", every=0.5, show=server.status)
    assert len(server.log.lines("BH0350")) == 1


@pytest.mark.parametrize(
    "rate, sources",
    [(20_000, ["127.0.9.77"]), (20_000, ["127.0.9.2"]), (20_000, MEMBERS)],
    ids=["by another host", "by the server's own", "by four hosts"],
)
def test_a_recording_does_not_use_up_the_challenges(stage, keyed, rate, sources):
    """Of an announcement of an earlier start of a server that is known."""
    server, known = (stage.httpd(keyed, address=f"127.0.9.{number}") for number in (1, 2))
    new = stage.httpd(keyed, address="127.0.9.3", start=False)
    for one in (server, known, new):
        one.log.allow("BH03")
    server.knows(known)
    recording = Announcement("127.0.9.2", known.port, "earlier").encode(key=KEY)
    with flood(stage, recording, rate, sources=sources, seconds=5):
        time.sleep(1.5)  # long enough for a common bound of 2048 to be used up
        begin = time.monotonic()
        new.start()
        wait_for(lambda: new.id in server.status().servers, 8, "the new server", every=0.02, show=server.status)
        took = time.monotonic() - begin
    # An idle machine takes 0.2 s; without a bound for each sender it is never while the flood lasts.
    assert took < 3, took
    assert server.status().counters["challenged"] < 100


def test_a_recorded_challenge_does_not_use_up_the_answers(stage, keyed):
    """Whoever has heard a server being challenged can repeat that; others still get their answers."""
    first, second = (stage.httpd(keyed, address=f"127.0.9.{number}", start=number == 1) for number in (1, 2))
    for one in (first, second):
        one.log.allow("BH03")
    first.knows()
    asker = announce.Peer(Announcement("127.0.9.77", 80, "asker"), first.group, KEY)
    data, where = announce.heard(first.group, first.address)
    recording = announce.challenge(int.from_bytes(data[8:16], "big"), b"n" * 16, KEY)
    with asker, flood(stage, recording, 20_000, sources=MEMBERS, seconds=5, destination=where):
        time.sleep(1.5)
        begin = time.monotonic()
        second.start()
        wait_for(lambda: first.id in second.status().servers, 8, "an answer", every=0.02, show=second.status)
        took = time.monotonic() - begin
    assert took < 3, took
    assert first.status().counters["answered"] < 100
