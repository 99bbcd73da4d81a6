# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The address that a front sends is its client's, and never becomes the front's: clients with link-local addresses."""

import json

import pytest
from harness import client
from harness.hosts import Network, why_not
from harness.wait import wait_for

REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "")

KEY = "0123456789abcdef0123456789abcdef"
SCRIPT = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "address=$REMOTE_ADDR header=$HTTP_BACKHAND_PROXIED"
"""
MEMBER = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 10.99.0.0/28
Listen [::]:8080
<Location /cluster>
    Require ip 10.99.0.0/28
</Location>
<Location /link>
    Require ip fe80::/10
</Location>
"""
FRONT = (
    MEMBER.replace("<Location /cluster>\n    Require ip 10.99.0.0/28", "<Location /cluster>\n    Require all granted")
    + "Backhand removeSelf\n"
)


def link_local(host):
    """The host's link-local address; waits until it is nobody else's."""

    def found():
        listed = json.loads(
            host.run("ip", "-json", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative")
        )
        return [entry["local"] for interface in listed for entry in interface.get("addr_info", ())]

    return wait_for(found, 8, "a link-local address")[0]


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
def test_a_link_local_client(stage, key):
    network = stage.enter(Network())
    asking = network.host("client", "10.99.0.100")
    hosts = [network.host(name, f"10.99.0.{number}") for number, name in enumerate(("front", "server"), 1)]
    if key:
        file = stage.folder / "key"
        file.write_text(key)
        file.chmod(0o600)
        key = f"BackhandKey {file}\n"
    front, server = (
        stage.httpd(
            config + key,
            name=host.name,
            host=host,
            cgi=True,
            files={"cgi-bin/who": SCRIPT, "cluster": "secret", "link": "for neighbours"},
        )
        for config, host in zip((FRONT, MEMBER), hosts)
    )
    front.knows(server)
    server.knows(front)
    own, target = link_local(asking), link_local(hosts[0])

    def get(path):
        with asking.inside():
            return client.request(f"{target}%eth0", 8080, path, headers={"Host": "front.test"})

    assert get("/cgi-bin/who").text == f"address={own} header={own}\n"
    assert get("/cluster").status == 403
    assert (get("/link").status, get("/link").text) == (200, "for neighbours")
    assert {line.split()[0] for line in server.access_log()} == {own}
    server.log.expect(f"client {own}.* AH01630")
