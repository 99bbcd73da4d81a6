# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Balancers in front of the same servers: ours, which keeps what servers can spare, all connections, or none; and
HAProxy, likewise."""

import subprocess

from Bench.Connections.servers import TAKEN
from harness import ports, processes, sockets
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

# Balancers do not hear each other, but servers hear them: they accept 127.0.9.x.
FRONT = (
    CLUSTER_OF_9.replace("127.0.9.0/24", "127.0.9.0/28")
    + """
BackhandConnectionPools POOLS
"""
)

# How a balancer of ours is configured: the modules beside mod_backhand, and the lines for these servers.
DOORS = {
    "chain": ((), lambda servers: "Backhand removeSelf\nBackhand default\n"),
    "farm": (
        ("athena",),
        lambda servers: (
            "AthEngine On\n<AthFarm pool>\n"
            + "".join(f"AthMember {server.id}\n" for server in servers)
            + "</AthFarm>\nProxyPass / http://pool/\n"
        ),
    ),
    "lbmethod": (
        ("proxy_balancer", "slotmem_shm", "lbmethod_backhand"),
        lambda servers: (
            "<Proxy balancer://pool>\n"
            + "".join(f"BalancerMember http://{server.id}\n" for server in servers)
            + "ProxySet lbmethod=backhand\n</Proxy>\nProxyPass / balancer://pool/\n"
        ),
    ),
}

# Threads, or children, of a balancer: more than there are clients, each of which may hold one.
WORKERS = 80

HAPROXY = """\
global
    maxconn 4000
    nbthread 2
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse {reuse}
    option redispatch
    retry-on conn-failure empty-response
listen front
    bind {address}
    balance leastconn
{servers}
"""


class Ours:
    """So many httpds with our module."""

    def __init__(self, name, pools, door="chain"):
        self.name, self.pools, self.door = name, pools, door

    def start(self, stage, servers, mpm, count=1, workers=WORKERS):
        """Returns the balancers' "address:port"s."""
        modules, lines = DOORS[self.door]
        self.fronts = []
        for number in range(count):
            size = f"MaxRequestWorkers {workers}\n" if mpm == "prefork" else ""
            front = stage.httpd(
                size + FRONT.replace("POOLS", self.pools) + lines(servers),
                mpm=mpm,
                modules=modules,
                workers=workers,
                children=max(1, workers // 10),
                address=f"127.0.9.{100 + len(stage.httpds)}",
                name=f"{self.name}-{number}-{len(stage.httpds)}",
            )
            front.log.always(TAKEN + "|BH0310|AH01114|AH00957")
            self.fronts.append(front)
        for front in self.fronts:
            front.knows(*servers, deadline=20)
        # Those that do not know a front answer it with 503.
        wanted = {front.id for front in self.fronts}
        for server in servers:
            wait_for(
                lambda server=server: wanted <= set(server.status().servers),
                20,
                f"{server} to know {wanted}",
                every=0.1,
            )
        return [front.id for front in self.fronts]

    def stop(self, stage):
        for front in self.fronts:
            front.stop()
            stage.httpds.remove(front)


class HAProxy:
    """So many HAProxies."""

    def __init__(self, name, reuse):
        self.name, self.reuse = name, reuse

    def start(self, stage, servers, mpm, count=1, workers=WORKERS):
        """Returns the balancers' "address:port"s. They are what they are: mpm and workers are for others."""
        del mpm, workers
        self.running, found = [], []
        lines = "\n".join(f"    server {server.name} {server.id} check inter 1s" for server in servers)
        for number in range(count):
            address = f"127.0.20.{number + 1}"
            port = ports.free_port(address)
            path = stage.folder / f"{self.name.replace(' ', '-')}-{port}"
            path.with_suffix(".cfg").write_text(
                HAPROXY.format(reuse=self.reuse, address=f"{address}:{port}", servers=lines)
            )
            with open(path.with_suffix(".log"), "ab") as log:
                self.running.append(
                    subprocess.Popen(
                        ["/usr/sbin/haproxy", "-db", "-f", path.with_suffix(".cfg")],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=processes.end_with_parent,
                    )
                )
            found.append((address, port))
        for address, port in found:
            wait_for(
                lambda address=address, port=port: sockets.is_listening(address, port), 10, f"{self.name} to listen"
            )
        return [f"{address}:{port}" for address, port in found]

    def stop(self, stage):
        del stage
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


OURS = "ours"


def contenders():
    """All of them, by their names; ours has nothing configured (Auto is the default)."""
    return {
        one.name: one
        for one in (
            Ours(OURS, "Auto"),
            Ours("On", "On"),
            Ours("Off", "Off"),
            HAProxy("never", "never"),
            HAProxy("always", "always"),
        )
    }
