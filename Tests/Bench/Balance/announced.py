# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The same servers, each behind an nginx that backhand-announce announces: what a balancer of ours makes of servers
that it knows less of."""

import subprocess

from Bench.Balance.httpd_balancer import OURS, Ours
from harness import nginx, ports, processes, sockets
from harness.announcer import Announcer
from harness.wait import wait_for

NETWORK = "127.0.11"

NGINX = """\
    keepalive_requests 100000000;
    keepalive_timeout 65s;
{servers}
"""
SERVER = """
    upstream {name} {{ server {target}; keepalive 512; keepalive_requests 100000000; keepalive_timeout 110s; }}
    server {{
        listen {place} backlog=4096;
        location / {{
            proxy_pass http://{name};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            # Behind it is an httpd with our module, which would ask whether it knows the balancer.
            proxy_set_header Backhand-Proxied "";
        }}
    }}
"""
ANNOUNCE = """MulticastStats {group}:{port},1
AcceptStats 127.0.20.0/24
IdleHoldsWorker Off
KeepAliveTimeout 65
{servers}
"""


class Announced(Ours):
    """Its servers are not the farm's, which announce themselves in the same group, but the nginx of each."""

    def __init__(self, name, title, *chain):
        super().__init__(name, title, *chain)
        self._places, self._nginx, self._announcer = [], None, None

    def config(self, stage, farm):
        return OURS.replace("127.0.10.0/24", f"{NETWORK}.0/24").format(chain=self.chain)

    def start(self, stage, farm):
        root = stage.folder / f"{self.name}-{next(stage.numbers)}"
        root.mkdir()
        root.chmod(0o777)
        hosts = [f"{NETWORK}.{number}" for number, _ in enumerate(farm.servers, 1)]
        self._places = [f"{host}:{ports.free_port(host)}" for host in hosts]
        self._start_nginx(root, farm)
        group, port = stage.group
        servers = "\n".join(
            f"<Server {place}>\nWorkers {server.settings.workers}\n</Server>"
            for place, server in zip(self._places, farm.servers)
        )
        self._announcer = Announcer(root, ANNOUNCE.format(group=group, port=port, servers=servers))
        return super().start(stage, farm)

    def _start_nginx(self, root, farm):
        servers = "".join(
            SERVER.format(name=server.name, target=server.httpd.id, place=place)
            for place, server in zip(self._places, farm.servers)
        )
        self._nginx = subprocess.Popen(
            nginx.command(root, NGINX.format(servers=servers), level="crit"),
            start_new_session=True,
            preexec_fn=processes.end_with_parent,
        )
        for place in self._places:
            host, _, port = place.partition(":")
            wait_for(lambda host=host, port=port: sockets.is_listening(host, int(port)), 10, "nginx")

    def settle(self, farm):
        for server in self._running:
            wait_for(
                lambda server=server: set(self._places) <= set(server.status().servers), 20, "the announced servers"
            )

    def stop(self):
        super().stop()
        self._announcer.__exit__()
        self._nginx.terminate()
        self._nginx.wait()
