# Licensed under the Apache License, Version 2.0; see LICENSE.
"""nginx."""

from Bench.Balance.contender import Programs, weights
from harness import nginx

CONFIG = """\
    keepalive_requests 100000000;
    upstream farm {{
        zone farm 256k;
        {balance};
{servers}
        keepalive 512;
        keepalive_requests 100000000;
        keepalive_timeout 110s;
    }}
    server {{
        listen {address} backlog=4096;
        location / {{
            proxy_pass http://farm;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_next_upstream {retry};
        }}
    }}
"""


class Nginx(Programs):
    """balance, and when another server is asked."""

    def __init__(self, name, title, balance, *, has_weights=False, retry="error timeout"):
        super().__init__(name, title)
        self.balance, self.has_weights, self.retry = balance, has_weights, retry

    def command(self, stage, farm, number, address):
        root = stage.folder / f"{self.name}-{number}-{next(stage.numbers)}"
        root.mkdir()
        root.chmod(0o777)
        servers = "\n".join(
            f"        server {server.httpd.id} weight={weight if self.has_weights else 1};"
            for server, weight in zip(farm.servers, weights(farm, 100))
        )
        http = CONFIG.format(balance=self.balance, servers=servers, address=address, retry=self.retry)
        return nginx.command(root, http, level="crit")
