# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Contenders that are httpds: balancer://, and ours."""

from Bench.Balance.contender import BALANCERS, Contender, weights
from Bench.Balance.lean import Lean

# As many threads as requests may wait; two children, so that what children share is shared.
THREADS, CHILDREN = 1024, 2

FARM = """
<Proxy balancer://servers>
{members}
    ProxySet lbmethod={method} {settings}
</Proxy>
ProxyPass / balancer://servers/
ProxyPreserveHost On
{more}
"""

LISTENING = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.10.0/24
"""

OURS = """
<Location />
    Backhand removeSelf
{chain}
</Location>
"""


class HttpdContender(Contender):
    """An httpd for each balancer."""

    modules, without = (), ()

    def __init__(self, name, title):
        super().__init__(name, title)
        self._running, self._stage = [], None

    def config(self, stage, farm):
        """Of each of them."""
        raise NotImplementedError

    def start(self, stage, farm):
        self._stage = stage
        for number in range(1, self.count(farm) + 1):
            server = Lean(
                stage.folder,
                f"{self.name}-{next(stage.numbers)}",
                group=stage.group,
                address=f"{BALANCERS}.{number}",
                mpm="event",
                workers=THREADS,
                children=CHILDREN,
                modules=self.modules,
                without=self.without,
                config=self.config(stage, farm),
            )
            stage.httpds.append(server)
            self._running.append(server)
            server.start()
        self.settle(farm)
        return [server.id for server in self._running]

    def settle(self, farm):
        """Until they are ready for requests."""

    def check(self, server):
        """Whether its log is as it should be; what a rival's log says is its own business."""

    def stop(self):
        for server in self._running:
            server.stop()
            self.check(server)
            self._stage.httpds.remove(server)
        self._running = []


class Balancer(HttpdContender):
    """balancer:// with an lbmethod."""

    without = ("backhand",)

    def __init__(self, name, title, method, settings="", has_weights=False):
        super().__init__(name, title)
        self.method, self.settings, self.has_weights = method, settings, has_weights
        self.modules = ("proxy_balancer", f"lbmethod_{method}", "slotmem_shm")

    def config(self, stage, farm):
        factors = weights(farm, 100) if self.has_weights else [1] * len(farm.servers)
        members = "\n".join(
            f"    BalancerMember http://{server.httpd.id} loadfactor={factor}"
            for server, factor in zip(farm.servers, factors)
        )
        more = f"HeartbeatStorage {stage.heartbeats}" if self.method == "heartbeat" else ""
        return FARM.format(members=members, method=self.method, settings=self.settings, more=more)


class Method(Balancer):
    """lbmethod=backhand. announced: the table has what the servers announce, else only what it sees of them counts."""

    without = ()

    def __init__(self, name, title, announced):
        super().__init__(name, title, "backhand")
        self.announced = announced

    def config(self, stage, farm):
        return (LISTENING if self.announced else "") + super().config(stage, farm)

    def check(self, server):
        server.log.check()

    def settle(self, farm):
        if self.announced:
            for server in self._running:
                server.knows(*(other.httpd for other in farm.running), deadline=20)


class Ours(HttpdContender):
    """A chain of candidacy functions. The servers are found, not configured."""

    def __init__(self, name, title, *chain):
        super().__init__(name, title)
        self.chain = "\n".join(f"    Backhand {line}" for line in chain)

    def config(self, stage, farm):
        return LISTENING + OURS.format(chain=self.chain)

    def start(self, stage, farm):
        if not farm.scenario.is_symmetric:
            return super().start(stage, farm)
        servers = [server.httpd for server in farm.running]
        for server in servers:
            server.knows(*servers, deadline=20)
        return [server.id for server in servers]

    def check(self, server):
        server.log.check()

    def settle(self, farm):
        for server in self._running:
            server.knows(*(other.httpd for other in farm.running), deadline=20)
