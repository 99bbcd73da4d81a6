# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Random faults in a cluster of real httpds, under load: make torture SECONDS=60 SEED=n.

Two balancers and four servers. A random generator, which the seed determines, kills, stops, restarts and drains them
one after the other; at any time at least one server is whole. As root each is a host of its own, in a network
namespace: interfaces go and come back, addresses change. One server runs prefork and ends each child after 50
connections. What must hold, whatever happens:

- every request that was answered was served by one server;
- a request that is safe to repeat never fails, but for two races that nobody can avoid: its balancer was killed or
  stopped under it, or a kept-alive connection was closed before any byte of an answer;
- a request that is not safe is never done twice; (a balancer knows only what its moderator has heard: while that is
  stopped, the servers that have been whole since then are not all broken)
- within five seconds after the last fault, which kills three of the four servers, the tables of both balancers show all
  servers, up.
"""

import argparse
import contextlib
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import client, processes  # noqa: E402
from harness.hosts import BRIDGE, Network, why_not  # noqa: E402
from harness.httpd import BUILD  # noqa: E402
from harness.stage import CLUSTER, Stage  # noqa: E402
from harness.wait import Late, wait_for  # noqa: E402
from Torture.announced import Announced  # noqa: E402

# Balancers are no candidates of each other.
BALANCER = """
Timeout 3
ProxyTimeout 1
BackhandSlowStart 2
BackhandRetries 4
# As in Debian's apache2.conf. Without it httpd looks for /.htaccess, and answers with 403 where it has no descriptor
# for that.
<Directory />
    AllowOverride None
</Directory>
"""

CHAIN = """
Backhand removeSelf
Backhand byAge 5
Backhand byRandom
BackhandNoCandidate Unavailable
"""

# The first server is a member by its address of the beginning, and by what it announces if it has another one.
FARM = """
AthEngine On
<AthFarm farm_one>
    AthMember {first}
    AthMembers .
    Backhand byAge 5
    Backhand byRandom
</AthFarm>
ProxyPass / http://farm_one/
"""

# As an administrator of prefork may have it: all children of a balancer have one pool.
SHARED = {"mpm": "prefork", "config": "BackhandConnectionPools Shared\n"}

# Keeps each id that it gets: one line, appended by one write.
ORDERS = """
Timeout 5
<Directory />
    AllowOverride None
</Directory>
<Directory ${root}/cgi-bin>
    Options +ExecCGI
</Directory>
"""
SERVER = CLUSTER + ORDERS
ORDER = """#!/bin/sh
cat > /dev/null
echo "$QUERY_STRING" >> {ledger}
printf 'Content-Type: text/plain\\n\\n{name}'
"""

BALANCERS, SERVERS = 2, 4
# What one of the servers runs. Few children, and few requests on a connection: a child ends every second or so, and not
# twice a minute.
RECYCLING, RECYCLED = 1, {"mpm": "prefork", "workers": 8}
RECYCLES = "MaxConnectionsPerChild 50\nMaxKeepAliveRequests 3\n"
# Seconds without a free descriptor.
STARVED = 1
# What happens to a balancer breaks requests under way there; what comes within so many seconds of it is not counted.
GRACE = 0.5
# Seconds in which a server that restarts gracefully may be deaf: httpd's parent starts new children as old ones end, or
# after a second in which it has seen none end. So long nobody accepts connections.
RESTART = 1.5


class Loopback:
    """All on addresses of one host, where no network can fail."""

    faults = ()

    def server(self, stage, number, config, **how):
        return stage.httpd(CLUSTER + config, address=f"127.0.62.{number + 1}", **how)

    def balancer(self, stage, number, config="", **how):
        return stage.httpd(
            CLUSTER.replace("127.0.0.0/8", "127.0.62.0/24") + BALANCER + config, address=f"127.0.61.{number + 1}", **how
        )

    def clients(self):
        return contextlib.nullcontext()


class Hosts:
    """Each on a host of its own, whose address no configuration tells: it is found, and found again."""

    faults = ("interface away", "another address")
    MEMBER = "UnixSocketDir ${sockets}\nMulticastStats ${group},1\nAcceptStats 10.99.0.%s\n"

    def __init__(self, stage):
        self.network = stage.enter(Network())
        self.client = self.network.host("client", "10.99.0.100")

    def server(self, stage, number, config, **how):
        return self._member(stage, self.MEMBER % "0/24" + config, f"10.99.0.{33 + number}", **how)

    def announced(self, stage, number, config, **how):
        server = self._member(stage, "UnixSocketDir ${sockets}\n" + config, f"10.99.0.{33 + number}", **how)
        server.__class__ = Announced
        server.begin(stage.group)
        return server

    def balancer(self, stage, number, config="", **how):
        return self._member(stage, self.MEMBER % "32/27" + BALANCER + config, f"10.99.0.{1 + number}", **how)

    def _member(self, stage, config, address, name, **how):
        host = self.network.host(name, address)
        self._route(host)
        return stage.httpd(config, name=name, host=host, listen="0.0.0.0", **how)

    @staticmethod
    def _route(host):
        host.run("ip", "route", "replace", "239.0.0.0/8", "dev", "eth0")

    def clients(self):
        return self.client.inside()

    def unplug(self, server):
        """The interface goes, with its address and routes; returns what makes another one in its place."""
        self.network.switch.run("ip", "link", "delete", server.host.port)

        def plug():
            self.network.plug(server.host, self.network.switch)
            self.network.switch.run("ip", "link", "set", server.host.port, "master", BRIDGE)
            server.host.configure()
            self._route(server.host)

        return plug

    def move(self, server):
        """Another address in the place of the one that it has: of two, which it has in turn."""
        old, host = server.address, server.host
        last = int(old.rpartition(".")[2])
        new = f"10.99.0.{last + 12 if last < 45 else last - 12}"
        host.run("ip", "address", "add", f"{new}/{host.prefix}", "dev", "eth0")
        host.run("ip", "address", "delete", f"{old}/{host.prefix}", "dev", "eth0")
        # The new one was the second address of its network, and went with the first.
        host.run("ip", "address", "replace", f"{new}/{host.prefix}", "dev", "eth0")
        self._route(host)
        host.address = server.address = new
        if isinstance(server, Announced):
            server.moved()


def start_again(server):
    """Starts a server that was told to stop. What is left of it is killed, as systemd does after a while: a child of
    the event MPM may miss the byte that tells it to end, when another was killed, and then outlives a graceful stop for
    ever."""
    server.end_everything()
    server.start()


class Torture:
    """One run."""

    def __init__(self, stage, seed, shared=False, announced=False, farm=False):
        self.random = random.Random(seed)
        self.stage = stage
        self.farm = farm
        self.ledger = stage.folder / "ledger"
        self.ledger.touch()
        self.ledger.chmod(0o666)
        self.place = Loopback() if why_not() else Hosts(stage)
        self.announced = range(SERVERS // 2, SERVERS) if announced and not why_not() else ()
        self.servers = [self._server(number) for number in range(SERVERS)]
        how = {"workers": 32, "children": 2} | (SHARED if shared else {})
        how["config"] = how.get("config", "") + (FARM.format(first=self.servers[0].id) if farm else CHAIN)
        how["modules"] = ("athena",) if farm else ()
        self.balancers = [
            self.place.balancer(stage, number, name=f"balancer{number}", **how) for number in range(BALANCERS)
        ]
        self.down = {}  # server -> when it must be mended, and how
        self.mended = dict.fromkeys(self.servers, 0.0)
        self.frozen = {}  # balancer whose moderator is stopped -> since when, and the servers that it knew to be well
        self.happened = []
        self.disturbed = dict.fromkeys(self.balancers, 0.0)
        self.end = threading.Event()
        self.lock = threading.Lock()
        self.count = Counter()
        self.wrong = []
        self.wrong_spans = []  # balancer, and the wall clock before and after what went wrong there
        self.ordered = {}  # id -> whether it was answered with 200
        self.faults = Counter()
        # Children of the server that recycles them, at the last look; None: something else has ended them since.
        self.recycling = None

    def _server(self, number):
        name = f"server{number}"
        how = {"workers": 32, "children": 2} | (RECYCLED if number == RECYCLING else {})
        make = self.place.announced if number in self.announced else self.place.server
        return make(
            self.stage,
            number,
            ORDERS + (RECYCLES if number == RECYCLING else ""),
            name=name,
            cgi=True,
            files={"index.html": name, "cgi-bin/order": ORDER.format(ledger=self.ledger, name=name)},
            **how,
        )

    # ---- The load ----

    def _note(self, kind, balancer, begin, what=None):
        with self.lock:
            self.count[kind] += 1
            if what is None:
                return
            # The balancer itself was hit: whoever talks to it then notices.
            if self.disturbed[balancer] >= begin - GRACE:
                self.count[kind + " cut off with the balancer"] += 1
            else:
                took = time.monotonic() - begin
                self.wrong.append(
                    f"{begin - self.began:.2f}..{begin - self.began + took:.2f} {kind} {balancer.name}: {what}"
                )
                self.wrong_spans.append((balancer, time.time() - took, time.time()))

    def _judge(self, kind, balancer, begin, answer):
        good = answer.status == 200 and answer.text in {server.name for server in self.servers}
        self._note(kind, balancer, begin, None if good else f"{answer.status} {answer.text[:60]!r}")

    def _new(self, balancer):
        while not self.end.is_set():
            begin = time.monotonic()
            try:
                self._judge(
                    "safe, new connection", balancer, begin, client.request(balancer.address, balancer.port, "/")
                )
            except (OSError, http.client.HTTPException) as error:
                self._note("safe, new connection", balancer, begin, repr(error))
            self.end.wait(0.004)

    def _kept(self, balancer):
        while not self.end.is_set():
            with client.Client(balancer.address, balancer.port) as connection:
                for used in range(50):
                    begin = time.monotonic()
                    try:
                        answer = connection.request("/")
                    except (ConnectionError, http.client.RemoteDisconnected) as error:
                        # Closed before any byte, on a used connection: the client repeats.
                        self._note(
                            "safe, kept alive, repeated" if used else "safe, kept alive",
                            balancer,
                            begin,
                            None if used else repr(error),
                        )
                        break
                    except (OSError, http.client.HTTPException) as error:
                        self._note("safe, kept alive", balancer, begin, repr(error))
                        break
                    self._judge("safe, kept alive", balancer, begin, answer)
                    if self.end.wait(0.004):
                        break

    def _orders(self, balancer, number):
        for count in range(1_000_000):
            if self.end.is_set():
                return
            order = f"{number}-{count}"
            try:
                answer = client.request(
                    balancer.address, balancer.port, f"/cgi-bin/order?{order}", method="POST", body=b"x" * 4096
                )
                good = answer.status == 200
            except (OSError, http.client.HTTPException):
                good = False
            with self.lock:
                self.ordered[order] = good
                self.count["unsafe, answered" if good else "unsafe, not answered"] += 1
            self.end.wait(0.02)

    # ---- Faults ----

    def _whole(self):
        return [server for server in self.servers if server not in self.down]

    def _known(self, balancer):
        """The servers that the balancer knows to be well: it has heard them lately."""
        try:
            rows = balancer.status().servers
        except OSError:
            return set()
        return {
            server
            for server in self.servers
            if server.id in rows and rows[server.id]["state"] == "up" and rows[server.id]["age_ms"] <= 1500
        }

    def _trusted(self, server):
        """Whether every balancer knows that the server is whole: one whose moderator is stopped knows what it knew
        then."""
        for balancer in self.balancers:
            since, known = self.frozen.get(balancer) or (self.mended[server], self._known(balancer))
            if server not in known or self.mended[server] > since:
                return False
        return True

    def _note_fault(self, kind, httpd):
        self.faults[kind] += 1
        self.happened.append(f"{time.monotonic() - self.began:.2f} {kind}: {httpd.name}")

    def _ctl(self, httpd, *arguments):
        subprocess.run(
            [str(BUILD / "backhandctl"), *arguments, "-s", str(httpd.control_socket)],
            capture_output=True,
            timeout=10,
            check=False,
        )

    def _break_server(self):
        server = self.random.choice(self._whole())
        if not any(self._trusted(other) for other in self._whole() if other is not server):
            return
        kind = self.random.choice(
            [
                "kill a child",
                "kill the moderator",
                "stop",
                "stop gracefully",
                "kill all",
                "freeze",
                "freeze the moderator",
                "restart gracefully",
                "drain",
                "maintenance",
                "no descriptors",
                *self.place.faults,
            ]
        )
        # httpd answers 403 for files that it cannot open, except to a chain's requests if it has a moderator of ours.
        if kind == "no descriptors" and (self.farm or isinstance(server, Announced)):
            return
        self._note_fault(kind, server)
        self._look_at_recycling()
        until = time.monotonic() + self.random.uniform(0.3, 3)
        if kind == "kill a child":
            if children := server.children():  # none while it restarts
                os.kill(self.random.choice(children), signal.SIGKILL)
        elif kind == "kill the moderator":
            self._kill_moderator(server)
        elif kind == "no descriptors":
            self._starve(server)
        elif kind == "restart gracefully":
            server.restart(wait=False)
            self.down[server] = (time.monotonic() + RESTART, lambda: None)
        elif kind in ("stop", "stop gracefully"):
            server.process.send_signal(signal.SIGTERM if kind == "stop" else signal.SIGWINCH)
            self.down[server] = (until, lambda: start_again(server))
        elif kind == "kill all":
            server.end_everything()
            self.down[server] = (until, server.start)
        elif kind == "interface away":
            self.down[server] = (until, self.place.unplug(server))
        elif kind == "another address":
            self.place.move(server)
            self.down[server] = (until, lambda: None)
        elif kind == "freeze":
            server.pause()
            self.down[server] = (until, server.resume)
        elif kind == "freeze the moderator":
            for pid in server.moderators():
                server.stopped_by_test.add(pid)
                os.kill(pid, signal.SIGSTOP)
            self.down[server] = (until, server.resume)
        else:
            self._ctl(server, "drain" if kind == "drain" else "maintenance")
            self.down[server] = (until, lambda: self._ctl(server, "resume"))

    def _starve(self, httpd):
        """One child has no free descriptor for a second: it cannot accept, connect or open files."""
        children = httpd.children()
        if not children:  # it restarts
            return
        child = self.random.choice(children)
        try:
            before = processes.leave_descriptors(child, 0)
        except (OSError, subprocess.CalledProcessError):  # it has just ended
            return

        def feed():
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                processes.limit_descriptors(child, before)

        # A clock of its own: mending others takes seconds.
        timer = threading.Timer(STARVED, feed)
        timer.start()
        self.down[httpd] = (time.monotonic() + STARVED, timer.join)

    def _look_at_recycling(self):
        """Counts the children that have ended since the last look because their time had come."""
        server = self.servers[RECYCLING]
        if server in self.down:
            self.recycling = None
            return
        now = set(server.children())
        if self.recycling is not None:
            self.faults["a child recycled"] += len(self.recycling - now)
        self.recycling = now

    @staticmethod
    def _kill_moderator(httpd):
        if isinstance(httpd, Announced):
            return httpd.kill_moderator()
        for pid in httpd.moderators():
            os.kill(pid, signal.SIGKILL)

    def _break_balancer(self):
        balancer = self.random.choice(self.balancers)
        kind = self.random.choice(
            [
                "balancer: kill a child",
                "balancer: kill the moderator",
                "balancer: restart gracefully",
                "balancer: freeze the moderator",
                "balancer: no descriptors",
            ]
        )
        self._note_fault(kind, balancer)
        if kind.endswith("a child"):
            children = balancer.children()
            if children:
                # Its clients may notice before we go on: nobody judges them between the two.
                with self.lock:
                    os.kill(self.random.choice(children), signal.SIGKILL)
                    self.disturbed[balancer] = time.monotonic()
        elif kind.endswith("kill the moderator"):
            self._kill_moderator(balancer)
        elif kind.endswith("gracefully"):
            balancer.restart(wait=False)
            # httpd does not take two at once: the next is another fault.
            time.sleep(0.3)
        elif kind.endswith("no descriptors"):
            if balancer not in self.down:
                self._starve(balancer)
        elif balancer not in self.down and any(map(self._trusted, self._whole())):
            known = self._known(balancer)
            pids = balancer.moderators()
            for pid in pids:
                balancer.stopped_by_test.add(pid)
                os.kill(pid, signal.SIGSTOP)
            self.frozen[balancer] = (time.monotonic(), known)
            self.down[balancer] = (time.monotonic() + self.random.uniform(0.5, 5), balancer.resume)

    def _mend(self, everything=False):
        for broken, (until, how) in list(self.down.items()):
            if everything or time.monotonic() >= until:
                how()
                del self.down[broken]
                self.frozen.pop(broken, None)
                self.mended[broken] = time.monotonic()
                self.happened.append(f"{time.monotonic() - self.began:.2f} mended: {broken.name}")

    def _fault(self):
        self._mend()
        self._look_at_recycling()
        if len(self._whole()) <= 1 or self.random.random() < 0.3:
            self._break_balancer()
        else:
            self._break_server()

    # ---- The run ----

    def _know(self, balancer):
        """Whether its table shows all servers, fresh and up."""
        rows = balancer.status().servers
        return all(
            server.id in rows and rows[server.id]["state"] == "up" and rows[server.id]["age_ms"] < 1000
            for server in self.servers
        )

    def converge(self, deadline):
        for balancer in self.balancers:
            wait_for(lambda: self._know(balancer), deadline, f"{balancer.name} to know all", show=balancer.show_status)

    def run(self, seconds):
        for balancer in self.balancers:
            balancer.knows(*self.servers, deadline=20)
        self.began = time.monotonic()
        threads = [
            threading.Thread(target=work, args=arguments)
            for number, balancer in enumerate(self.balancers)
            for work, arguments in (
                (self._new, (balancer,)),
                (self._kept, (balancer,)),
                (self._orders, (balancer, number)),
            )
        ]
        with self.place.clients():
            for thread in threads:
                thread.start()
        try:
            while time.monotonic() < self.began + seconds:
                self._fault()
                time.sleep(self.random.uniform(0.05, 0.6))
            if self.servers[0] in self.down:
                time.sleep(max(0.0, self.down[self.servers[0]][0] - time.monotonic()))
            self._mend(everything=True)
            # The last fault is the worst: three of four are gone at once.
            for server in self.servers[1:]:
                server.end_everything()
            time.sleep(1)
            for server in self.servers[1:]:
                server.start(wait=False)
            begin = time.monotonic()
            self.converge(5)
            self.converged = time.monotonic() - begin
            time.sleep(0.5)
        finally:
            for server in list(self.down):
                server.resume()
            self.end.set()
            for thread in threads:
                thread.join()
        return self._verdict()

    def _verdict(self):
        done = Counter(self.ledger.read_text().split())
        twice = {order: times for order, times in done.items() if times > 1}
        lost = [order for order, good in self.ordered.items() if good and not done[order]]
        if self.wrong:
            print("the faults:\n  " + "\n  ".join(self.happened), flush=True)
            self._show_logs()
        return (
            self.wrong
            + [f"done {times} times: order {order}" for order, times in twice.items()]
            + [f"answered, but not done: order {order}" for order in lost]
        )

    def _show_logs(self):
        """What the balancers said while something went wrong there."""
        for balancer in self.balancers:
            spans = [(begin, end) for where, begin, end in self.wrong_spans if where is balancer]
            lines = [
                line.whole
                for line in balancer.log.lines("candidate|answered with|AH00489|AH00493|moderator|BH0166|BH0411")
                if any(begin - 0.2 <= line.when <= end + 0.2 for begin, end in spans)
            ]
            print(f"{balancer.name}:\n  " + "\n  ".join(lines[:200]), flush=True)

    def report(self):
        lines = [f"  {number:8} {kind}" for kind, number in sorted(self.count.items())]
        lines += [f"  {number:8} faults: {kind}" for kind, number in sorted(self.faults.items())]
        return "\n".join(lines + [f"  {self.converged:8.2f} s until all tables were whole"])


def torture(seconds, seed, shared=False, announced=False, farm=False):
    """Runs once; returns what went wrong. shared: with balancers of prefork, each with one pool for all children.
    announced: backhand-announce announces half of the servers. farm: of mod_athena, in the place of a chain."""
    stage = Stage("torture")
    run = None
    try:
        run = Torture(stage, seed, shared, announced, farm)
        wrong = run.run(seconds)
        how = f"{', shared pools' if shared else ''}{', half of the servers announced' if announced else ''}"
        how += ", a farm" if farm else ""
        print(
            f"torture: {seconds} s, seed {seed}{how}: {'FAILED' if wrong else 'passed'}\n{run.report()}",
            flush=True,
        )
        return wrong
    finally:
        for server in run.servers if run else ():
            if isinstance(server, Announced):
                server.end()
        # The logs are full of what was done on purpose.
        stage.close(check=False)


def main():
    # Ended from outside, it must still let go on what it has stopped, and end what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--shared", action="store_true", help="balancers of prefork with BackhandConnectionPools Shared"
    )
    parser.add_argument("--announced", action="store_true", help="backhand-announce announces half of the servers")
    parser.add_argument("--farm", action="store_true", help="balancers send to a farm of mod_athena")
    words = parser.parse_args()
    try:
        wrong = torture(words.seconds, words.seed, words.shared, words.announced, words.farm)
    except Late as late:
        wrong = [str(late)]
    for line in wrong[:40]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
