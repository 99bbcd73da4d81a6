# Licensed under the Apache License, Version 2.0; see LICENSE.
"""HAProxy."""

from Bench.Balance.contender import Programs, weights

CONFIG = """\
global
    maxconn 8000
    nbthread 1
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
    timeout queue 20s
    option redispatch
    retries 3
    http-reuse always
frontend front
    bind {address}
    default_backend farm
backend farm
    balance {balance}
    retry-on {retry}
    http-request disable-l7-retry if METH_POST
    {check}
{servers}
"""


class HAProxy(Programs):
    """balance, and what is set for every server."""

    def __init__(
        self,
        name,
        title,
        balance,
        *,
        has_weights=False,
        agent=False,
        retry="conn-failure empty-response",
        check="",
        maxconn=False,
    ):
        super().__init__(name, title)
        self.balance, self.has_weights, self.agent, self.retry, self.check, self.maxconn = (
            balance,
            has_weights,
            agent,
            retry,
            check,
            maxconn,
        )

    def _server(self, server, weight):
        words = ["server", server.name, server.httpd.id, "check inter 1s fall 2 rise 1"]
        if self.has_weights:
            words.append(f"weight {weight}")
        if self.agent:
            words.append(f"agent-check agent-inter 1s agent-addr 127.0.0.1 agent-port {server.agent}")
        if self.maxconn:
            words.append(f"maxconn {max(1, server.settings.workers)}")
        return "    " + " ".join(words)

    def command(self, stage, farm, number, address):
        path = stage.folder / f"{self.name}-{number}.cfg"
        path.write_text(
            CONFIG.format(
                address=address,
                balance=self.balance,
                retry=self.retry,
                check=self.check,
                servers="\n".join(map(self._server, farm.servers, weights(farm, 100))),
            )
        )
        return ["/usr/sbin/haproxy", "-db", "-f", path]
