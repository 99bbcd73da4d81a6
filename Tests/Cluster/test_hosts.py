# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A cluster of hosts, each httpd on its own, and faults of the network between them.

The first hosts' httpds balance over all others; a client on a host of its own asks them meanwhile.
"""

import time
from collections import Counter

import pytest
from harness.cable import SlowCable, every_third_late
from harness.hosts import Losses, Network, why_not
from harness.load import Load
from harness.wait import wait_for

REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "")

ANNOUNCED = "MulticastStats ${address}:${port} ${group},1\n"
MEMBER = """
UnixSocketDir ${sockets}
AcceptStats 10.99.0.0/28
Header setifempty X-Served-By "${address}:${port}"
BackhandTrace On
Timeout 10
ProxyTimeout 2
Backhand removeSelf
Backhand byRandom
"""
# A server whose last four announcements are missing is gone; the longest silence that this bears is told in
# docs/functions/byAge.md.
AGE = 4

# Tables are whole again so many seconds after a fault.
CONVERGENCE = 5.0
# What a client waits at most for one server that has gone: ProxyTimeout on a connection that was there, or 3 s for a
# new one; then for the server that answers, on a machine that does other things too.
WAIT, SLACK = 3.0, 2.0
# The longest back-off: four times the wait of 3 s for a connection.
BACKOFF = 12.0
# What mod_proxy and our back-off say of servers that do not answer.
UNREACHABLE = "AH00898|AH00957|AH01114|AH00959|AH01102|AH10154|BH04"
# Challenges of the beginning, and answers to them, are as late as anything else; one that was in time sufficed.
LATE_PROOFS = {"answered", "bad_answer"}
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def network(stage):
    made = stage.enter(Network())
    made.client = made.host("client", "10.99.0.100")
    return made


@pytest.fixture
def member(network, stage):
    """Starts httpds on hosts of their own."""

    def start(number, config="", host=None, age=AGE):
        host = host or network.host(f"member{number}", f"10.99.0.{number}")
        return stage.httpd(MEMBER + f"Backhand byAge {age}\n" + (config or ANNOUNCED), name=host.name, host=host)

    return start


@pytest.fixture
def cluster(member):
    """Four httpds on four hosts, which have found each other."""
    return found_each_other([member(number) for number in (1, 2, 3, 4)])


@pytest.fixture(params=["without a key", "with a key"])
def key(request, stage):
    """A line of configuration: BackhandKey, or nothing."""
    if request.param == "without a key":
        return ""
    path = stage.folder / "key"
    path.write_text(KEY)
    path.chmod(0o600)
    return f"BackhandKey {path}\n"


def found_each_other(members):
    for one in members:
        one.knows(*members)
    return members


def whole(servers):
    """Whether each of the servers has heard each other one a moment ago, and knows it up."""
    return all(
        set(rows) == {other.id for other in servers if other is not server}
        and all(row["age_ms"] < 1500 and row["state"] == "up" for row in rows.values())
        for server in servers
        for rows in [server.status().others]
    )


def converges(servers):
    """Waits until all tables are whole."""
    wait_for(lambda: whole(servers), CONVERGENCE, "whole tables", show=lambda: [server.status() for server in servers])


def silent(table, *servers):
    """Whether the table has not heard these servers for longer than byAge takes."""
    return all(table.servers[server.id]["age_ms"] > 1000 * AGE for server in servers)


def hears_all_but(one, front, other):
    """Waits until the one has heard all others, and the front the other one, a moment ago: who does not hear never
    has."""

    def found():
        rows = (*one.status().others.values(), front.status().servers[other.id])
        return all(row["age_ms"] < 2000 for row in rows)

    wait_for(found, 3, "announcements to be heard", show=lambda: (one.status(), front.status()))


class Watch(Load):
    """Load from the client's host that notes who served, and how many servers byAge left of those that were not in
    back-off."""

    def __init__(self, network, front):
        self.network, self.front, self.seen = network, front, []
        # At most so many are made as the front has workers, also when many of them wait.
        super().__init__(front, new=2, kept=2, pause=0.01, good=self._look)

    def _look(self, answer):
        left = dict(answer.trace.left).get("byAge") if answer.trace else None
        self.seen.append((time.monotonic(), answer.header("X-Served-By"), left))
        return answer.status == 200

    def served(self, after=0.0):
        """Who served how many of the requests answered since then."""
        return Counter(server for when, server, _ in self.seen if when >= after)

    def left(self, after=0.0):
        """How many servers byAge left, over the requests answered since then."""
        return Counter(left for when, _, left in self.seen if when >= after)

    def until(self, condition, seconds, what):
        """Waits for the condition; returns the time."""
        wait_for(
            condition,
            seconds,
            what,
            every=0.05,
            show=lambda: (self.served(time.monotonic() - 2), self.left(time.monotonic() - 2), self.front.show_status()),
        )
        return time.monotonic()

    def nobody_noticed(self, gone=1):
        """Each request was answered with 200, none later than the waits for so many servers take."""
        assert self.wrong == []
        assert self.longest < gone * WAIT + SLACK

    def __enter__(self):
        # Threads belong where they are started.
        with self.network.client.inside():
            return super().__enter__()


# ---- Announcements that do not come, come twice, late, or in another order ----


def test_a_fifth_of_the_announcements_is_lost(network, member, key, stage):
    """With byAge 6 nobody leaves, and nobody has to prove itself; the losses are chosen so that four in a row are among
    them.

    Two balancers; the third server announces to the group, the fourth by unicast to each of the two, and they to it:
    without a key it serves those that it hears.
    """
    port = stage.group[1]
    unicast = "".join(f"MulticastStats ${{address}}:${{port}} 10.99.0.{number}:{port}\n" for number in (1, 2))
    back = f"MulticastStats ${{address}}:${{port}} 10.99.0.4:{port}\n"
    members = [
        member(1, ANNOUNCED + back + key, age=6),
        member(2, ANNOUNCED + back + key, age=6),
        member(3, ANNOUNCED + key),
        member(4, unicast + key),
    ]
    balancers, others = members[:2], {front: [one for one in members if one is not front] for front in members[:2]}
    for front in balancers:
        front.knows(*others[front])
    losses = Losses([one.host for one in members], 20, seed=34)
    oldest = Counter()
    with Watch(network, members[0]) as first, Watch(network, members[1]) as second:
        with network.lose(losses, port) as fault:
            # Announcements of nineteen seconds, and three for those that come late.
            end = time.monotonic() + 22
            while time.monotonic() < end:
                for front in balancers:
                    for row in front.status().others.values():
                        pair = row["address"], front.address
                        oldest[pair] = max(oldest[pair], row["age_ms"])
                        assert row["state"] == "up" and row["backoff_ms"] == 0
                time.sleep(0.05)
            assert fault.hits() > 20
    for front, watch in zip(balancers, (first, second)):
        assert watch.wrong == []
        assert set(watch.left()) == {3}
        assert set(watch.served()) == {one.id for one in others[front]}
    # Each loss has had its effect, and no other: so many seconds of silence, and one more.
    for front in balancers:
        for other in others[front]:
            run = losses.longest(other.host, front.host, among=19)
            assert oldest[other.address, front.address] >= 1000 * run + 500, (other, front, run, oldest)
    assert max(oldest.values()) < 6000


def test_announcements_come_twice_late_and_in_another_order(network, member, key, stage):
    """The second server's come twice. Of the third one's some take 2.5 s, so that later ones overtake them, and
    requests take 0.1 s there and back."""
    front, doubled = member(1, ANNOUNCED + key), member(2, ANNOUNCED + key)
    cable = stage.enter(SlowCable(network, "member3", "10.99.0.3", every_third_late(late=2.5, usual=0.05)))
    far = member(3, ANNOUNCED + key, host=cable.host)
    front.knows(doubled, far)
    before, overtaken, ages = front.status(), cable.overtaken, []
    with Watch(network, front) as watch, network.double(doubled.host, stage.group[1]) as fault:

        def four_of_each():
            table = front.status()
            ages.append(table.servers[far.id]["age_ms"])
            return fault.hits() >= 4 * 3 and cable.overtaken >= overtaken + 4

        # A server that has not heard the front for a while turns it away, and the next one is asked.
        far.log.allow("BH0432")
        wait_for(four_of_each, 20, "twins and late ones", every=0.1, show=lambda: (fault.hits(), cable.overtaken))
        wait_for(
            lambda: front.status().counters["repeated"] >= before.counters["repeated"] + 4,
            3,
            "the count",
            show=front.status,
        )
    after = front.status()
    assert watch.wrong == [] and set(watch.left()) == {2} and set(watch.served()) == {doubled.id, far.id}
    assert watch.longest >= 0.1
    # The two between are heard in time; a late one changes nothing.
    assert max(ages) < 3500, max(ages)
    # Nothing else than repetition is counted, and nobody has to prove itself again.
    changed = {name for name, count in after.counters.items() if count != before.counters[name]}
    assert changed - LATE_PROOFS <= {"received", "accepted", "own", "announced", "repeated"}, changed
    assert set(after.servers) == set(before.servers)
    if key:
        for one in (front, doubled, far):
            one.log.allow("BH0325: .*too late")


# ---- Hosts that do not reach each other ----


def test_a_server_is_cut_off_and_another_one_freezes(network, cluster):
    """Nothing reaches the second server or comes from it. All processes of the third one stand still; its kernel takes
    connections all the same."""
    front, cut, frozen, well = cluster
    with Watch(network, front) as watch:
        watch.until(lambda: {cut.id, frozen.id} <= set(watch.served()), 5, "their shares")
        with network.cut(cut.host) as fault:
            frozen.pause()
            noticed = watch.until(
                lambda: silent(front.status(), cut, frozen) and silent(cut.status(), front, frozen, well),
                AGE + 3,
                "both sides to notice",
            )
            # All clients may be waiting in vain just now.
            watch.until(lambda: watch.served(noticed)[well.id] > 10, 2 * WAIT + SLACK, "somebody to serve")
            assert set(watch.served(noticed)) == {well.id} and fault.hits() > 0
            frozen.resume()
        converges(cluster)
        # Their back-off may have begun just before byAge dropped them.
        watch.until(lambda: {cut.id, frozen.id} <= set(watch.served(noticed)), BACKOFF + 1, "their shares again")
    watch.nobody_noticed(gone=2)
    front.log.allow(UNREACHABLE)


def test_one_sends_in_vain_and_one_hears_nobody(network, cluster):
    """Nothing comes from the second server, announcements neither; nothing reaches the third one, which announces as if
    nothing were wrong."""
    front, mute, deaf, well = cluster
    with Watch(network, front) as watch:
        with network.mute(mute.host), network.deaf(deaf.host):
            begin = time.monotonic()
            watch.until(
                lambda: silent(front.status(), mute) and silent(deaf.status(), front, mute, well),
                AGE + 3,
                "both to be noticed",
            )
            # The mute one hears the others as ever, but the one that hears nobody: for the front it is well by its age.
            hears_all_but(mute, front, deaf)
            # Those under way when it began have been answered by then.
            answered = begin + 2 * WAIT
            watch.until(lambda: watch.served(answered)[well.id] > 10, 4 * WAIT, "somebody to serve")
            assert set(watch.served(answered)) == {well.id}
        converges(cluster)
    watch.nobody_noticed(gone=2)
    front.log.allow(UNREACHABLE)


def test_only_announcements_or_only_connections_pass(network, cluster):
    """The second server's announcements are lost, but it would serve; the third one's come, but its packet filter
    refuses connections."""
    front, unheard, closed, well = cluster
    with Watch(network, front) as watch:
        with (
            network.mute(unheard.host, f"udp dport {front.group[1]}"),
            network.refuse(closed.host, closed.port) as fault,
        ):
            begin = watch.until(lambda: fault.hits() > 0, 3, "a refused connection")
            # Connections that were there are refused, too, at their next packet.
            watch.until(
                lambda: unheard.id in watch.served(begin) and closed.id not in watch.served(time.monotonic() - 0.3),
                3,
                "its back-off",
            )
            away = watch.until(lambda: silent(front.status(), unheard), AGE + 3, "its silence")
            # Back-off of the third one ends meanwhile, and begins again: that costs no request.
            # Those that were under way when it began have been answered by then.
            answered = away + SLACK
            watch.until(lambda: watch.served(answered)[well.id] > 50, SLACK + 10, "somebody to serve")
            assert set(watch.served(answered)) == {well.id}
            hears_all_but(unheard, front, closed)
            healed = time.monotonic()
        converges(cluster)
        watch.until(lambda: {unheard.id, closed.id} <= set(watch.served(healed)), 9, "both to serve again")
    watch.nobody_noticed()
    front.log.allow(UNREACHABLE)
