# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docs/high-availability.md, with the examples that it shows: two balancers, one shared address, three servers, each on
a host of its own."""

import shutil
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from harness import client, hosts, keepalived
from harness.httpd import REPOSITORY
from harness.keepalived import Keepalived
from harness.load import Load
from harness.wait import wait_for

REASON = hosts.why_not() or keepalived.why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "")

EXAMPLES = REPOSITORY / "httpd-conf-examples"
BALANCERS = {"balancer1": "10.58.4.1", "balancer2": "10.58.4.2"}
SERVERS = {"server1": "10.58.4.17", "server2": "10.58.4.18", "server3": "10.58.4.19"}
SHARED = SimpleNamespace(address="10.58.4.10", port=80)
CLIENT = "10.58.4.100"

# Seconds, as docs/high-availability.md says. Until the other one has the address after the last announcement of the
# first one that counts: three intervals, and 156/256.
TAKEOVER = 3.61
# Until two checks in a row have failed.
CHECKED = 2.0
# Silence of all servers until a check fails, and until the chain leaves nobody.
SILENT, AGE = 3.0, 6.0
# What clients wait for an answer: longer than TCP takes to connect again, 7 s.
WAIT = 9.0
# What a machine that does other things too adds.
SLACK = 2.0


def example(name, address, **defines):
    defines = {"OWN": address, "SOCKETS": "${sockets}", **defines}
    return "\n".join(
        [*(f"Define BACKHAND_{key} {value}" for key, value in defines.items()), f"Include {EXAMPLES / name}.conf", ""]
    )


class Pair:
    """The two balancers, their keepalived, and the servers behind them."""

    def __init__(self, stage, network):
        self.network, self.client = network, network.host("client", CLIENT)
        self.servers = [
            stage.httpd(
                example("shared-address-server", address) + 'Header set X-Served-By "${address}"\n',
                name=name,
                host=network.host(name, address),
            )
            for name, address in SERVERS.items()
        ]
        self.balancers = [
            stage.httpd(
                example("shared-address", address, DOCUMENTS="${root}/htdocs"),
                name=name,
                listen="0.0.0.0",
                host=network.host(name, address),
            )
            for name, address in BALANCERS.items()
        ]
        for balancer in self.balancers:
            balancer.knows(*self.servers)
            # Connections that were kept over a fault, and requests that were under way in one.
            balancer.log.always("AH00898|AH00957|AH01102|AH01114|BH04")
        # The user that runs the script must be able to.
        check = shutil.copy(EXAMPLES / "keepalived/backhand-check", stage.folder)
        text = (
            (EXAMPLES / "keepalived/keepalived.conf").read_text().replace("/etc/keepalived/backhand-check", str(check))
        )
        self.keepaliveds = [
            Keepalived(balancer.host, stage.folder / f"keepalived-{balancer.name}", text) for balancer in self.balancers
        ]

    def holders(self):
        """Who has the shared address."""
        return [keepalived for keepalived in self.keepaliveds if keepalived.has(SHARED.address)]

    def holder(self, deadline, other_than=None):
        """Waits until one has it alone."""

        def one():
            now = self.holders()
            return now[0] if len(now) == 1 and now[0] is not other_than else None

        return wait_for(
            one,
            deadline,
            "one holder of the shared address",
            show=lambda: [(k.host, k.log()) for k in self.keepaliveds],
        )

    def taker(self, other, deadline):
        """Waits until the other one of the two has the address; what this one thinks does not count."""
        taker = next(one for one in self.keepaliveds if one is not other)
        return wait_for(
            lambda: taker.has(SHARED.address) and taker,
            deadline,
            "the other one to take over",
            show=lambda: [one.log() for one in self.keepaliveds],
        )

    def recover(self):
        """Waits until both are well again for keepalived."""
        wait_for(
            lambda: all(one.is_well() for one in self.keepaliveds),
            30,
            "both to be well",
            show=lambda: [one.log() for one in self.keepaliveds],
        )

    def balancer_of(self, holder):
        return self.balancers[self.keepaliveds.index(holder)]


@pytest.fixture(scope="module")
def pair(module_stage):
    made = Pair(module_stage, module_stage.enter(hosts.Network()))
    for one in made.keepaliveds:
        module_stage.enter(one)
    made.holder(TAKEOVER + SLACK)
    return made


class Clients(Load):
    """From their host to the shared address: two that open a connection for each request, one that keeps its. They wait
    long for an answer."""

    def __init__(self, pair):
        self.pair, self.seen = pair, set()
        super().__init__(SHARED, new=2, kept=1, pause=0.05, timeout=WAIT, good=self._look)

    def _look(self, answer):
        self.seen.add(answer.header("X-Served-By"))
        return answer.status == 200

    def kinds(self):
        """What went wrong, and how often: exceptions, and other answers by their status."""
        return Counter(getattr(what, "status", type(what).__name__) for _, what in self.wrong)

    def outage(self):
        """Seconds from the first answer that went wrong to the last."""
        times = [at for at, what in self.wrong if hasattr(what, "status")]
        return times[-1] - times[0] if times else 0.0

    def lost_only_what_was_under_way(self, besides=()):
        """Besides answers with these statuses, each of the three has waited in vain for one answer at most, or has
        found its connection gone: one that was opened just before, and whose request met the other balancer, which
        knows of no such connection, was reset."""
        lost = {kind: count for kind, count in self.kinds().items() if kind not in besides}
        assert set(lost) <= {"TimeoutError", "ConnectionResetError"} and sum(lost.values()) + self.repeated <= 3, (
            self.wrong,
            self.repeated,
        )

    def go_on(self, count=20):
        """Waits until so many more requests were answered well."""
        before = self.count - len(self.wrong)
        wait_for(
            lambda: self.count - len(self.wrong) >= before + count,
            WAIT + SLACK,
            "requests to be served",
            show=self.kinds,
        )

    def __enter__(self):
        with self.pair.client.inside():
            return super().__enter__()


def test_one_has_the_address_and_all_servers_serve(pair):
    with Clients(pair) as clients:
        clients.go_on(60)
    assert clients.wrong == [] and clients.repeated == 0
    assert clients.seen <= set(SERVERS.values()) and len(clients.seen) > 1
    # The servers know the client, not the balancer, though the balancers' addresses are all that they believe.
    assert {line.split()[0] for server in pair.servers for line in server.access_log()} == {CLIENT}
    # None of the two sends requests to the other: it is not in the table.
    for balancer in pair.balancers:
        assert set(balancer.status().others) == {server.id for server in pair.servers}


def test_the_balancer_is_cut_off(pair):
    """What clients have sent is sent again by their kernel, and then somebody is there. Only answers that were under
    way are lost."""
    first = pair.holder(1)
    with Clients(pair) as clients:
        begin = time.monotonic()
        with pair.network.cut(first.host):
            second = pair.taker(first, TAKEOVER + SLACK)
            took = time.monotonic() - begin
            clients.go_on()
            # It does not know what has happened, but nobody reaches it.
            assert first.has(SHARED.address)
        # Then the two agree without anybody noticing.
        assert pair.holder(TAKEOVER + SLACK) is second
        clients.go_on()
    clients.lost_only_what_was_under_way()
    assert took > TAKEOVER - 1.2
    pair.recover()


def test_the_balancer_s_httpd_dies_and_comes_back(pair):
    first = pair.holder(1)
    with Clients(pair) as clients:
        pair.balancer_of(first).end_everything()
        pair.taker(first, CHECKED + TAKEOVER + SLACK)
        clients.go_on()
        pair.balancer_of(first).start().log.allow("AH00098")  # the process id's file of the one that was killed
        pair.recover()
        clients.go_on()
    # Who is as good as the other does not take the address away from it.
    assert pair.holder(1) is not first
    assert set(clients.kinds()) <= {"ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected"}
    assert clients.outage() < CHECKED + TAKEOVER + SLACK


def test_the_balancer_hears_no_server(pair):
    """Its network to the servers has failed, only there; the other one's has not."""
    first = pair.holder(1)
    with Clients(pair) as clients:
        with pair.network.deaf(first.host, "udp dport 4445"):
            pair.taker(first, SILENT + CHECKED + TAKEOVER + SLACK)
            clients.go_on()
        pair.recover()
    # Before the other one had the address, byAge left no server.
    clients.lost_only_what_was_under_way(besides=[503])
    assert clients.outage() < SILENT + CHECKED + TAKEOVER - AGE + SLACK


def test_keepalived_is_stopped(pair):
    """As before maintenance of a balancer: the other one does not wait."""
    first = pair.holder(1)
    with Clients(pair) as clients:
        begin = time.monotonic()
        first.stop()
        pair.holder(1 + SLACK, other_than=first)
        took = time.monotonic() - begin
        clients.go_on()
    first.start()
    assert took < 1 + SLACK
    clients.lost_only_what_was_under_way()


def test_no_server_is_left(pair):
    """Both balancers are as bad: the address stays where it is, and clients get an answer."""
    pair.recover()
    first = pair.holder(1)
    for server in pair.servers:
        server.stop()
    wait_for(lambda: not any(one.is_well() for one in pair.keepaliveds), SILENT + CHECKED + SLACK, "both to be as bad")
    time.sleep(TAKEOVER)
    assert pair.holder(1) is first
    with pair.client.inside():
        answer = client.request(SHARED.address, SHARED.port)
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
