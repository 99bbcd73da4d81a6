# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The loop guard: Backhand-Proxied is believed from servers, and from nobody else."""

import time

import pytest
from harness import announce
from harness.announce import MAINTENANCE, Announcement
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

# Peers are 127.0.9.x; this one is one.
PEER, STRANGER = "127.0.9.50", "127.0.0.50"

SCRIPT = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "address=$REMOTE_ADDR header=$HTTP_BACKHAND_PROXIED action=$BACKHAND_ACTION"
"""

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
Backhand removeSelf
<Location /cgi-bin/here>
    Backhand off
</Location>
<Location /private>
    Require ip 203.0.113.0/24
</Location>
<Location /private-here>
    Require ip 203.0.113.0/24
    Backhand off
</Location>
"""
)


class Members:
    def __init__(self, stage, mpm):
        self.backend = stage.backend("127.0.9.2")
        self.front = stage.httpd(
            CONFIG,
            mpm=mpm,
            cgi=True,
            files={"cgi-bin/who": SCRIPT, "cgi-bin/here": SCRIPT, "private": "secret", "private-here": "secret"},
        )
        # The peer is a server that gets no requests.
        stage.plant(
            self.front, Announcement(self.backend.address, self.backend.port), Announcement(PEER, state=MAINTENANCE)
        )

    def get(self, path, source, value):
        before = len(self.backend.requests)
        answer = self.front.get(path, source=source, headers={"Backhand-Proxied": value})
        return answer, self.backend.requests[before:]


@pytest.fixture(scope="module")
def members(mpm_stage, module_mpm):
    return Members(mpm_stage, module_mpm)


@pytest.mark.parametrize("client", ["203.0.113.7", "2001:db8::7"])
def test_a_peers_request_is_served_here_for_its_client(members, client):
    answer, forwarded = members.get(f"/cgi-bin/who?{client}", PEER, client)
    assert forwarded == []
    assert f"address={client} " in answer.text and answer.text.endswith("action=looped\n")
    line = members.front.logged(f"who?{client}")
    assert line.startswith(client + " ") and "action=looped" in line


def test_access_control_sees_the_client(members):
    answer, forwarded = members.get("/private", PEER, "203.0.113.7")
    assert (answer.status, answer.text, forwarded) == (200, "secret", [])
    answer, forwarded = members.get("/private", PEER, "198.51.100.7")
    assert (answer.status, forwarded) == (403, [])
    members.front.log.expect(r"\[client 198\.51\.100\.7:?\d*\] AH01630")


def test_a_strangers_header_is_removed_and_not_believed(members):
    members.front.log.allow("BH0407")
    answer, forwarded = members.get("/page", STRANGER, "203.0.113.7")
    assert answer.text == members.backend.id
    assert [request.header("Backhand-Proxied") for request in forwarded] == [STRANGER]
    answer, _ = members.get("/cgi-bin/here", STRANGER, "203.0.113.7")
    assert answer.text == f"address={STRANGER} header= action=\n"
    assert members.get("/private-here", STRANGER, "203.0.113.7")[0].status == 403
    members.front.log.expect("AH01630")


def test_a_strangers_two_headers_are_both_removed(members):
    members.front.log.allow("BH0407")
    before = len(members.backend.requests)
    members.front.raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nBackhand-Proxied: 203.0.113.7\r\nbackhand-proxied: 203.0.113.8\r\n"
        b"Connection: close\r\n\r\n",
        source=STRANGER,
    )
    (request,) = members.backend.requests[before:]
    assert request.header("Backhand-Proxied") == STRANGER


def test_without_the_header_a_peer_is_a_client(members):
    before = len(members.backend.requests)
    assert members.front.get("/", source=PEER).text == members.backend.id
    assert members.backend.requests[before].header("Backhand-Proxied") == PEER


@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        "localhost",
        "203.0.113.7, 203.0.113.8",
        "203.0.113.7:80",
        "203.0.113.256",
        "-1",
        "0",
        "203.0.113.0/24",
        "[2001:db8::7]",
        "203.0.113.7%lo",
        "%s%n",
        "9" * 4000,
    ],
    ids=lambda value: value[:20] or "nothing",
)
def test_what_is_no_address_is_refused(members, value):
    """Served with the sender's address, it would be the sender's request."""
    members.front.log.allow("BH0431")
    for path in ("/cgi-bin/here", "/private-here"):
        answer, forwarded = members.get(path, PEER, value)
        assert (answer.status, forwarded) == (400, [])
    refused = members.front.logged(" 400 ")
    assert refused.startswith("0.0.0.0 ")


@pytest.mark.parametrize("value", ["fe80::1", "fe80::1%eth0", "fe80::1%2", "fe80::1%", "2001:db8::7%lo"])
def test_an_address_counts_without_its_zone(members, value):
    """As fronts of before send it: a zone is the name of one of their own interfaces."""
    answer, _ = members.get("/cgi-bin/here", PEER, value)
    client = value.partition("%")[0]
    assert answer.text == f"address={client} header={client} action=\n"


def test_without_accept_stats_nobody_is_a_peer(stage):
    front = stage.httpd("<Location /private>\nRequire ip 203.0.113.0/24\n</Location>\n", files={"private": "secret"})
    assert front.get("/private", headers={"Backhand-Proxied": "203.0.113.7"}).status == 403
    front.log.expect("AH01630")


def test_two_members_do_not_pass_a_request_round(stage, mpm):
    """Both send everything away: a request goes over once, and its client's address with it."""
    # The kernel gives mod_proxy's connections on the loopback interface the address 127.0.0.1.
    config = CLUSTER_OF_9 + "AcceptStats 127.0.0.1\nBackhand removeSelf\n"
    first, second = (
        stage.httpd(config, mpm=mpm, address=address, cgi=True, files={"cgi-bin/who": SCRIPT}, name=name)
        for name, address in (("first", "127.0.9.2"), ("second", "127.0.9.3"))
    )
    for server in (first, second):
        server.knows(first, second)
    answer = first.get("/cgi-bin/who", source=STRANGER)
    assert answer.text == f"address={STRANGER} header={STRANGER} action=looped\n"
    line = second.logged()
    assert line.startswith(STRANGER + " ") and "action=looped" in line
    line = first.logged()
    assert line.endswith(f"action=proxy server={second.id}")


@pytest.mark.parametrize("header", ["Connection", "Proxy-Connection"])
@pytest.mark.parametrize(
    "tokens",
    [
        "close, Backhand-Proxied",
        "backhand-proxied",
        "X-A , BACKHAND-PROXIED,x-forwarded-proto, Backhand-Hops",
        "close;q=1, Backhand-Proxied",
        ";,; Backhand-Proxied ;;",
        '"Backhand-Proxied, Backhand-Proxied',
        "Backhand-Proxied" + ", a" * 2000,
    ],
)
def test_a_client_cannot_strip_the_guard(members, header, tokens):
    """mod_proxy drops the headers that Connection names: not ours, or the server would take the request for the
    balancer's own."""
    before = len(members.backend.requests)
    answer = members.front.get("/page", source=STRANGER, headers={header: tokens, "X-A": "1"})
    (request,) = members.backend.requests[before:]
    assert answer.status == 200
    assert request.header("Backhand-Proxied") == STRANGER
    if header == "Connection" and tokens.startswith("X-A"):
        assert request.header("X-A") is None


def test_a_ring_of_strangers_ends(stage, mpm):
    """Two servers that hear each other, but whose connections come from another address than they announce: a request
    does not go round without end."""
    pair = [
        stage.httpd(
            f"""
UnixSocketDir ${{sockets}}
MulticastStats ${{address}}:${{port}} ${{group}},1
AcceptStats {other}
ProxySourceAddress 127.0.0.1
BackhandTrace On
Backhand removeSelf
""",
            address=own,
            mpm=mpm,
        )
        for own, other in (("127.0.9.61", "127.0.9.62"), ("127.0.9.62", "127.0.9.61"))
    ]
    for server in pair:
        server.log.expect("BH0407")
    pair[0].knows(pair[1])
    pair[1].knows(pair[0])
    answer = pair[0].get("/index.html", timeout=10)
    assert answer.status == 200

    def passed():
        return [line for server in pair for line in server.access_log() if "/index.html" in line]

    wait_for(lambda: len(passed()) == 4, 5, "four lines", show=passed)
    assert sum("action=looped" in line for line in passed()) == 1


# ---- With a key ----

KEY, SECOND_KEY = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def signed(path, client, *, key=KEY, method="GET", seconds=None, shown=None):
    """A header's value as docs/protocol.md says; shown: the client that it names."""
    seconds = int(time.time()) if seconds is None else seconds
    text = f"Backhand-Proxied\n{method}\n{path}\n{client}\n{seconds}"
    return f"{shown or client}; t={seconds}; s={announce.signature(key, text.encode()).hex()[:32]}"


@pytest.fixture(scope="module")
def keyed(mpm_stage, module_mpm):
    path = mpm_stage.folder / "key"
    path.write_text(f"{KEY}\n{SECOND_KEY}\n")
    path.chmod(0o600)
    return mpm_stage.httpd(
        CONFIG + f"BackhandKey {path}\n",
        mpm=module_mpm,
        cgi=True,
        files={"cgi-bin/here": SCRIPT, "private-here": "secret"},
        address="127.0.9.1",
        group=mpm_stage.new_group(),
    )


@pytest.mark.parametrize("key", [KEY, SECOND_KEY])
@pytest.mark.parametrize("client", ["203.0.113.7", "2001:db8::7"])
def test_a_signed_header_is_believed(keyed, key, client):
    path = "/cgi-bin/here?a=%20b&c"
    answer = keyed.get(path, source=PEER, headers={"Backhand-Proxied": signed(path, client, key=key)})
    # What a script sees holds no signature.
    assert f"address={client} header={client} " in answer.text


def test_each_method_has_a_signature_of_its_own(keyed):
    value = signed("/cgi-bin/here", "203.0.113.7", method="POST")
    assert (
        "address=203.0.113.7 "
        in keyed.get("/cgi-bin/here", source=PEER, method="POST", body=b"", headers={"Backhand-Proxied": value}).text
    )
    assert keyed.get("/cgi-bin/here", source=PEER, headers={"Backhand-Proxied": value}).status == 503
    keyed.log.expect("BH0430: .* none of our keys has signed it for this request")


FORGED = {
    "no signature": lambda path: "203.0.113.7",
    "of another key": lambda path: signed(path, "203.0.113.7", key="k" * 32),
    "of another path": lambda path: signed("/private", "203.0.113.7"),
    "of another query": lambda path: signed(path + "?a", "203.0.113.7"),
    "of another client": lambda path: signed(path, "203.0.113.8", shown="203.0.113.7"),
    "of two minutes ago": lambda path: signed(path, "203.0.113.7", seconds=int(time.time()) - 120),
    "of the future": lambda path: signed(path, "203.0.113.7", seconds=int(time.time()) + 120),
    "time changed": lambda path: signed(path, "203.0.113.7", seconds=1000).replace("t=1000", f"t={int(time.time())}"),
    "short": lambda path: signed(path, "203.0.113.7")[:-2],
    "long": lambda path: signed(path, "203.0.113.7") + "00",
    "no number": lambda path: signed(path, "203.0.113.7")[:-32] + "x" * 32,
    "no time": lambda path: signed(path, "203.0.113.7", seconds="").replace("t=", "t="),
    "endless time": lambda path: signed(path, "203.0.113.7", seconds="9" * 400),
    "other blanks": lambda path: signed(path, "203.0.113.7").replace("; ", ";"),
    "semicolons": lambda path: ";" * 3000,
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_a_forged_header_of_a_peer_is_not_believed(keyed, make):
    for path in ("/private-here", "/cgi-bin/here"):
        answer = keyed.get(path, source=PEER, headers={"Backhand-Proxied": make(path)})
        assert (answer.status, answer.header("Retry-After"), answer.header("Backhand-Refused")) == (
            503,
            "1",
            "unknown-server",
        )
    keyed.log.allow("BH0430")


def test_a_key_is_no_pass_for_strangers(keyed):
    """Who is outside AcceptStats is not believed, whatever it has got hold of."""
    answer = keyed.get(
        "/cgi-bin/here", source=STRANGER, headers={"Backhand-Proxied": signed("/cgi-bin/here", "203.0.113.7")}
    )
    assert f"address={STRANGER} " in answer.text
    keyed.log.allow("BH0407")


def test_without_a_key_a_signature_does_not_matter(members):
    answer, _ = members.get("/cgi-bin/here", PEER, signed("/elsewhere", "203.0.113.7"))
    assert "address=203.0.113.7 header=203.0.113.7 " in answer.text


@pytest.mark.parametrize(
    "path", ["/cgi-bin/who", "/cgi-bin/who?", "/cgi-bin/who?a=%2f%20;b==&c#d", "//cgi-bin/../cgi-bin/who/%7Etail;x?y"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_two_members_with_a_key(stage, path, method):
    config = CLUSTER_OF_9 + "AcceptStats 127.0.0.1\nBackhand removeSelf\n"
    file = stage.folder / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    first, second = (
        stage.httpd(config + f"BackhandKey {file}\n", address=address, cgi=True, files={"cgi-bin/who": SCRIPT})
        for address in ("127.0.9.2", "127.0.9.3")
    )
    first.knows(second)
    second.knows(first)
    answer = first.raw(
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode(),
        source=STRANGER,
    )
    if b"400 Bad Request" not in answer:
        assert f"address={STRANGER} header={STRANGER} action=looped\n".encode() in answer
    else:
        assert "#" in path
