# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The servers of a scenario: real httpds with our module, whose work the bench makes longer or shorter while they
run."""

import mmap
import os
import struct
import time

from Bench.Balance.control_group import ControlGroup
from Bench.Balance.lean import Lean
from harness import ports
from harness.httpd import REPOSITORY
from harness.wait import wait_for

NETWORK = "127.0.10"
DEMAND_MODULE = REPOSITORY / "build/bench/mod_demand.so"

# With 16 threads a core and more, byForecast counts all that computes on the machine as this server's work: here that
# would be the balancers, the generator and the other servers too.
THREADS = 15 * (os.cpu_count() or 2)
# A server that is a balancer too has one for each request that it sends on.
PROXY_THREADS = 512

CONFIG = """
LoadModule demand_module {module}
DemandControl {control}
DemandName {name}
DemandMode {mode}
DemandWorkers {workers}
HeartbeatAddress 127.0.0.1:{heartbeat}
UnixSocketDir ${{sockets}}
MulticastStats ${{address}}:${{port}} ${{group}},1
# Balancers, but their announcements are nobody's candidates.
AcceptStats 127.0.0.1
AcceptStats 127.0.10.0/24
<Location />
    SetHandler demand
</Location>
<Location /backhand/>
    {chain}
</Location>
"""


class Control:
    """The memory that a server shares with the bench; struct control of mod_demand.c."""

    FIELDS = ("slowness", "fails", "working")

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8 * len(self.FIELDS)))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, field):
        return struct.unpack_from("=q", self._memory, 8 * self.FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("=q", self._memory, 8 * self.FIELDS.index(field), value)


class Server:
    """One of them."""

    def __init__(self, stage, number, settings, backlog, proxies):
        self.settings, self.name = settings, f"s{number}"
        self.heartbeat, self.agent = ports.free_port(), ports.free_port()
        self.control = Control(stage.folder / f"{self.name}.control")
        # Without the backlog, httpd has threads for those who wait, and mod_demand has the workers.
        threads = settings.workers if backlog else PROXY_THREADS if proxies else THREADS
        self.httpd = Lean(
            stage.folder,
            self.name,
            group=stage.group,
            address=f"{NETWORK}.{number}",
            mpm="event",
            workers=threads,
            children=1,
            modules=("heartbeat",),
            config="",
        )
        self._stage, self._backlog = stage, backlog
        stage.httpds.append(self.httpd)

    def configure(self, chain):
        """What a chain of its own does with requests below /backhand/."""
        if self.settings.limit and not self.httpd.control_group:
            self.httpd.control_group = self._stage.enter(ControlGroup(self.name))
        self.httpd.configure(
            CONFIG.format(
                module=DEMAND_MODULE,
                control=self.control.path,
                name=self.name,
                mode="burn" if self.settings.limit else "sleep",
                workers=0 if self._backlog else self.settings.workers,
                heartbeat=self.heartbeat,
                chain=chain,
            )
        )

    @property
    def is_up(self):
        return self.httpd.process is not None

    @property
    def left(self):
        """The share of its capacity that it has now."""
        slowness, group = self.control["slowness"] / 1000, self.httpd.control_group
        share = self.settings.slowness / slowness if slowness else 1
        return share * group.limit / self.settings.limit if group else share

    def set(self, what, value):
        """As an Event of scenarios.py says."""
        if what == "slowness":
            self.control["slowness"] = round(1000 * value)
        elif what == "fails":
            self.control["fails"] = int(value)
        elif what == "limit":
            self.httpd.control_group.set(value)
        elif value and not self.is_up:
            self.httpd.start(wait=False)
        elif not value and self.is_up:
            self.httpd.stop()

    def reset(self):
        """As it is when a run begins."""
        self.set("slowness", self.settings.slowness)
        self.set("fails", self.settings.fails)
        if self.settings.limit:
            self.set("limit", self.settings.limit)

    def drain(self):
        """Lets whatever is left of a run end at once."""
        self.set("slowness", 0)


class Farm:
    """All servers of a scenario."""

    _chain = ""

    def __init__(self, stage, scenario, backlog=False):
        self.scenario, self.group = scenario, stage.group
        self.servers = [
            Server(stage, number, settings, backlog, scenario.is_symmetric)
            for number, settings in enumerate(scenario.servers, 1)
        ]

    def start(self, chain=""):
        """Starts those that are up when a run begins; with another chain than before, all begin anew."""
        for server in self.servers:
            if server.is_up and (chain != self._chain or not server.settings.up):
                server.httpd.stop()
        self._chain = chain
        for server in self.servers:
            server.configure(chain)
            server.reset()
            if server.settings.up and not server.is_up:
                server.httpd.start()

    @property
    def running(self):
        return [server for server in self.servers if server.is_up]

    def drain(self):
        """Waits until no request is left."""
        for server in self.running:
            server.drain()

        def is_idle():
            if any(server.control["working"] for server in self.running):
                return False
            time.sleep(0.1)
            return not any(server.control["working"] for server in self.running)

        wait_for(
            is_idle,
            30,
            "the servers to finish what is left",
            show=lambda: [server.control["working"] for server in self.running],
        )
