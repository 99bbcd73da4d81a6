# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The same faults, under the same load, behind mod_backhand, httpd's balancer:// and HAProxy: make torture-compare
SECONDS=60 SEED=n.

Each contender stands alone in front of the same four servers, in a run of its own. The seed determines which fault
comes when: kill -9 of a server or of one of its children, stop, graceful stop, restart, graceful restart, SIGSTOP.
Draining is left out, because each has its own way of it. At any time at least one server is whole. All wait a second
for a connection and for an answer, and may try three times more.
"""

import argparse
import contextlib
import http.client
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import client, ports  # noqa: E402
from harness.haproxy import HAProxy  # noqa: E402
from harness.httpd import RUNNING  # noqa: E402
from harness.stage import CLUSTER, Stage  # noqa: E402
from harness.wait import Late, wait_for  # noqa: E402
from torture import ORDER, SERVER, SERVERS, start_again  # noqa: E402

ADDRESS = "127.0.61.1"

# ---- Contenders: each makes itself ready and has an address, a port and a close() ----

BACKHAND = (
    CLUSTER.replace("127.0.0.0/8", "127.0.62.0/24")
    + """
Timeout 3
ProxyTimeout 1
BackhandSlowStart 10
BackhandRetries 3
BackhandNoCandidate Unavailable
Backhand removeSelf
Backhand default
"""
)


def backhand(stage, servers):
    front = stage.httpd(BACKHAND, name="front", address=ADDRESS, workers=32, children=2)
    front.knows(*servers, deadline=20)
    return front


# failontimeout: a hung server is left out as a dead one is. retry: seconds after which it is asked again.
MEMBERS = """
Timeout 3
ProxyTimeout 1
<Proxy balancer://servers>
{members}
    ProxySet lbmethod=byrequests failonstatus=503 failontimeout=On maxattempts=3
</Proxy>
ProxyPass / balancer://servers/
"""
MEMBER = "    BalancerMember http://{server.id} retry=1 ping=1 connectiontimeout=1 timeout=1"
CHECKED = MEMBER + " hcmethod=GET hcuri=/ hcinterval=1 hcfails=2 hcpasses=1"
MODULES = ("proxy_balancer", "lbmethod_byrequests", "slotmem_shm")


def _balancer(stage, servers, member, modules):
    config = MEMBERS.format(members="\n".join(member.format(server=server) for server in servers))
    return stage.httpd(
        config, name="front", address=ADDRESS, workers=32, children=2, without=("backhand",), modules=modules
    )


def balancer(stage, servers):
    return _balancer(stage, servers, MEMBER, MODULES)


def checked_balancer(stage, servers):
    return _balancer(stage, servers, CHECKED, (*MODULES, "proxy_hcheck"))


# redispatch 1: each retry goes to another server, which is better for it than the usual (only the last one does).
HAPROXY = """
global
    maxconn 1000
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 1s
    timeout check 1s
    option redispatch 1
    retries 3
    retry-on all-retryable-errors
frontend front
    bind {address}:{port}
    http-request disable-l7-retry unless METH_GET
    default_backend farm
backend farm
    balance leastconn
    option httpchk GET /
    default-server check inter 1s fall 2 rise 1
{servers}
"""


def haproxy(stage, servers):
    port = ports.free_port(ADDRESS)
    lines = "\n".join(f"    server {server.name} {server.id}" for server in servers)
    return HAProxy(stage.folder, ADDRESS, port, HAPROXY.format(address=ADDRESS, port=port, servers=lines))


CONTENDERS = {
    "mod_backhand": backhand,
    "HAProxy, leastconn": haproxy,
    "balancer://, byrequests": balancer,
    "the same with mod_proxy_hcheck": checked_balancer,
}

# ---- The load ----


class Note(NamedTuple):
    """One safe request."""

    begin: float
    end: float
    wrong: str  # what was wrong with the answer; "": nothing


class Load:
    """Clients of one contender, until `stop`."""

    def __init__(self, front, names):
        self.front, self.names = front, names
        self.notes, self.ordered, self.repeated = [], {}, 0
        self.end = threading.Event()
        self.threads = [
            threading.Thread(target=work) for work in (self._new,) * 3 + (self._kept,) * 3 + (self._orders,)
        ]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join()

    def _note(self, begin, wrong):
        self.notes.append(Note(begin, time.monotonic(), wrong))
        self.end.wait(0.004)

    def _wrong(self, answer):
        return "" if answer.status == 200 and answer.text in self.names else f"{answer.status} {answer.text[:40]!r}"

    def _new(self):
        while not self.end.is_set():
            begin = time.monotonic()
            try:
                wrong = self._wrong(client.request(self.front.address, self.front.port, "/"))
            except (OSError, http.client.HTTPException) as error:
                wrong = repr(error)
            self._note(begin, wrong)

    def _kept(self):
        while not self.end.is_set():
            with client.Client(self.front.address, self.front.port) as connection:
                for used in range(50):
                    begin = time.monotonic()
                    try:
                        answer = connection.request("/")
                    except (ConnectionError, http.client.RemoteDisconnected) as error:
                        # Closed before any byte, on a used connection: the client repeats, as with every server.
                        if used:
                            self.repeated += 1
                        else:
                            self._note(begin, repr(error))
                        break
                    except (OSError, http.client.HTTPException) as error:
                        self._note(begin, repr(error))
                        break
                    self._note(begin, self._wrong(answer))
                    if self.end.is_set() or answer.header("Connection") == "close":
                        break

    def _orders(self):
        for number in range(1_000_000):
            if self.end.is_set():
                return
            try:
                answer = client.request(
                    self.front.address, self.front.port, f"/cgi-bin/order?{number}", method="POST", body=b"x" * 4096
                )
                self.ordered[str(number)] = answer.status == 200
            except (OSError, http.client.HTTPException):
                self.ordered[str(number)] = False
            self.end.wait(0.02)


# ---- Faults ----

KINDS = ("kill a child", "kill all", "stop", "stop gracefully", "restart", "restart gracefully", "freeze")


class Fault(NamedTuple):
    """One line of the plan."""

    at: float  # seconds after the beginning
    kind: str
    whom: list  # servers in the order of preference: the first that is whole
    lasts: float


def plan(seconds, seed):
    """All faults of a run, from the seed alone."""
    chance = random.Random(seed)
    at, faults = 1.0, []
    while at < seconds:
        faults.append(Fault(at, chance.choice(KINDS), chance.sample(range(SERVERS), SERVERS), chance.uniform(0.3, 3)))
        at += chance.uniform(0.1, 0.9)
    return faults


def finish_restart(server, before):
    """Waits until it has restarted; one that has missed its signal is started again."""
    try:
        wait_for(lambda: server.log.count(RUNNING) > before, 5, "the restart")
    except Late:
        start_again(server)


class Faults:
    """Carries the plan out."""

    def __init__(self, servers):
        self.servers = servers
        self.down = {}  # server -> when it is mended, and how
        self.done = Counter()
        self.told = []  # when what happened

    def _tell(self, text):
        self.told.append((time.monotonic(), text))

    def mend(self, everything=False):
        for server, (until, how) in list(self.down.items()):
            if everything or time.monotonic() >= until:
                how()
                del self.down[server]
                self._tell(f"{server.name} is whole")

    def _until(self, server, lasts, how):
        self.down[server] = (time.monotonic() + lasts, how)

    def hit(self, fault):
        # Late rather than not at all: every contender gets as many.
        while len(self.servers) - len(self.down) < 2:
            time.sleep(0.02)
            self.mend()
        server = next(self.servers[number] for number in fault.whom if self.servers[number] not in self.down)
        self.done[fault.kind] += 1
        self._tell(f"{server.name}: {fault.kind}")
        if fault.kind == "kill a child":
            # One that has just restarted may have none yet, and one that is seen may have ended.
            child = wait_for(server.children, 10, "a child")[0]
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        elif fault.kind == "kill all":
            server.end_everything()
            self._until(server, fault.lasts, server.start)
        elif fault.kind.startswith("stop"):
            server.process.send_signal(signal.SIGTERM if fault.kind == "stop" else signal.SIGWINCH)
            self._until(server, fault.lasts, lambda: start_again(server))
        elif fault.kind.startswith("restart"):
            before = server.log.count(RUNNING)
            server.restart(signal.SIGHUP if fault.kind == "restart" else signal.SIGUSR1, wait=False)
            # A signal that comes before that is lost: httpd forgets it when it begins anew.
            self._until(server, 0.3, lambda: finish_restart(server, before))
        else:
            server.pause()
            self._until(server, fault.lasts, server.resume)

    def run(self, seconds, seed):
        begin = time.monotonic()
        for fault in plan(seconds, seed):
            while time.monotonic() < begin + fault.at:
                self.mend()
                time.sleep(0.02)
            self.mend()
            self.hit(fault)
        self.mend(everything=True)
        time.sleep(1)


# ---- The table ----


class Result(NamedTuple):
    """One row."""

    contender: str
    faults: int
    safe: int
    lost: int
    repeated: int
    unsafe: int
    unanswered: int
    doubled: int
    outage_s: float
    median_ms: float
    p99_ms: float


def judge(contender, faults, load, ledger):
    done = Counter(ledger.read_text().split())
    ends = sorted(note.end for note in load.notes if not note.wrong)
    took = sorted(1000 * (note.end - note.begin) for note in load.notes)
    return Result(
        contender,
        sum(faults.done.values()),
        len(load.notes),
        sum(bool(note.wrong) for note in load.notes),
        load.repeated,
        len(load.ordered),
        sum(not good for good in load.ordered.values()),
        sum(times > 1 for times in done.values()),
        max(after - before for before, after in zip(ends, ends[1:])),
        statistics.median(took),
        took[len(took) * 99 // 100],
    )


def tell_losses(load, faults):
    """What was lost, and what had happened in the seconds before."""
    for note in load.notes:
        if note.wrong:
            print(f"lost: {note.begin:.2f} to {note.end:.2f}: {note.wrong}; before it:", file=sys.stderr)
            for at, text in faults.told:
                if note.begin - 4 < at <= note.end:
                    print(f"    {at:.2f} {text}", file=sys.stderr)


def run(contender, seconds, seed):
    """One contender, with servers of its own."""
    stage, front = Stage("compare"), None
    try:
        ledger = stage.folder / "ledger"
        ledger.touch()
        ledger.chmod(0o666)
        names = [f"server{number}" for number in range(SERVERS)]
        servers = [
            stage.httpd(
                SERVER,
                name=name,
                address=f"127.0.62.{number + 1}",
                workers=32,
                children=2,
                cgi=True,
                files={"index.html": name, "cgi-bin/order": ORDER.format(ledger=ledger, name=name)},
            )
            for number, name in enumerate(names)
        ]
        front = CONTENDERS[contender](stage, servers)
        load, faults = Load(front, names), Faults(servers)
        try:
            faults.run(seconds, seed)
        finally:
            for server in servers:
                server.resume()
            load.stop()
        result = judge(contender, faults, load, ledger)
        if contender == "mod_backhand":
            tell_losses(load, faults)
        return result
    finally:
        if isinstance(front, HAProxy):
            front.close()
        # The logs are full of what was done on purpose.
        stage.close(check=False)


def table(results):
    heads = (
        "",
        "faults",
        "safe",
        "lost",
        "repeated",
        "unsafe",
        "not answered",
        "doubled",
        "outage, s",
        "median, ms",
        "p99, ms",
    )
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " --: |" * (len(heads) - 1)]
    for result in results:
        cells = [
            f"{value:.1f}"
            if name.endswith("_ms")
            else f"{value:.2f}"
            if name.endswith("_s")
            else f"{value:,}"
            if isinstance(value, int)
            else value
            for name, value in result._asdict().items()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    # Ended from outside, it must still let go on what it has stopped, and end what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CONTENDERS, action="append")
    arguments = parser.parse_args()
    results = [run(contender, arguments.seconds, arguments.seed) for contender in arguments.only or CONTENDERS]
    print(f"torture-compare: {arguments.seconds} s each, seed {arguments.seed}\n\n{table(results)}")
    # Of the rivals nothing is asked.
    return 1 if any(result.contender == "mod_backhand" and (result.lost or result.doubled) for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
