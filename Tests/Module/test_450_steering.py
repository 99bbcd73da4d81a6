# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Nobody on the network can name servers that it is not: announced addresses, crowds, and rows that expire."""

import pytest
from harness import announce
from harness.announce import Announcement, Peer
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

KEY = "0123456789abcdef0123456789abcdef"
# The announced address, and what counts it; all sent from 127.0.9.50.
NOT_SERVERS = {
    "another peer": ("127.0.9.51", "others_address", "BH0321"),
    "outside": ("127.0.0.51", "outside", "BH0320"),
    "another network": ("192.0.2.7", "outside", "BH0320"),
    "IPv4 metadata": ("169.254.169.254", "forbidden", "BH0319"),
    "link-local": ("169.254.0.1", "forbidden", "BH0319"),
}


@pytest.fixture(params=["without a key", "with a key"])
def server(request, stage):
    config = CLUSTER_OF_9.replace(
        "AcceptStats 127", "AcceptStats 169.254.0.0/16\nAcceptStats fe80::/10\nAcceptStats 127"
    )
    if request.param == "with a key":
        path = stage.folder / "key"
        path.write_text(KEY)
        path.chmod(0o600)
        config += f"BackhandKey {path}\n"
    server = stage.httpd(config)
    server.key = KEY if request.param == "with a key" else None
    server.knows()
    return server


def count(server, name):
    return server.status().counters[name]


@pytest.mark.parametrize("address, counter, line", NOT_SERVERS.values(), ids=NOT_SERVERS.keys())
def test_announced_addresses(server, address, counter, line):
    announcement = Announcement(address)
    if counter == "others_address" and server.key:
        pytest.skip("a signature says more than a sender's address")
    announce.send(announcement.encode(key=server.key), server.group, "127.0.9.50")
    wait_for(lambda: count(server, counter) == 1, 5, "the count", show=server.status)
    assert server.status().others == {}
    server.log.expect(line)


def test_link_local_of_ipv6(server):
    data = Announcement("0.0.0.1").encode()
    data = data[:24] + b"\xfe\xbf" + b"\0" * 13 + b"\1" + data[40:]
    if server.key:
        data = data + announce.extension(announce.TAG_SIGNATURE, b"\0" * 32)[:4]
        data = data[:6] + (len(data) + 32).to_bytes(2, "big") + data[8:]
        data += announce.signature(server.key, data)
    announce.send(data, server.group, "127.0.9.50")
    wait_for(lambda: count(server, "forbidden") == 1, 5, "the count", show=server.status)
    assert server.status().others == {}
    server.log.expect("BH0319")


def test_with_a_key_a_server_may_send_from_elsewhere(server):
    """Its signature proves that it belongs to the cluster; AcceptStats still says where its servers are."""
    if not server.key:
        pytest.skip("without a key it may not")
    other = Announcement("127.0.9.51", 81)
    with Peer(Announcement("127.0.9.50"), server.group, server.key) as peer:
        peer.announcement = other
        peer.announce()
        peer.answer(*peer.challenged())
        wait_for(lambda: other.id in server.status().servers, 5, "the row", show=server.status)


def test_a_crowd_of_one_sender(stage):
    """32 new servers at once; those known go on, and others bring theirs."""
    server = stage.httpd(CLUSTER)
    server.knows()
    for port in range(1000, 1100):
        stage.announce(Announcement("127.0.9.70", port))
    wait_for(lambda: count(server, "crowd") == 68, 5, "the count", show=server.status)
    assert len(server.status().others) == 32
    assert len(server.log.lines("BH0322")) == 1
    stage.plant(server, Announcement("127.0.9.71"), Announcement("127.0.9.70", 1031))
    server.log.expect("BH0322")


@pytest.mark.parametrize("value", ["59", "604801", "0", "-1", "1h", "60.5", "99999999999999999999"])
def test_bad_expiry(stage, value):
    code, said = stage.httpd(f'BackhandExpire "{value}"\n', start=False).test_config()
    assert code == 1
    assert f"BackhandExpire: '{value}' is not a number of seconds from 60 to 604800" in said


def test_good_expiry(stage):
    assert stage.httpd("BackhandExpire 60\n", start=False).test_config()[0] == 0
    assert stage.httpd("BackhandExpire 604800\n", start=False).test_config()[0] == 0
