# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A request that httpd redirects internally is still the one that came: counted once, its client known, nobody
accused."""

import time

import pytest
from harness import announce
from harness.announce import MAINTENANCE, Announcement
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

PEER, STRANGER, CLIENT = "127.0.9.50", "127.0.0.50", "203.0.113.7"
KEY = "0123456789abcdef0123456789abcdef"
SCRIPT = """#!/bin/sh
[ "$REDIRECT_STATUS" = 404 ] && echo "Status: 404 Not Found"
echo "Content-Type: text/plain"
echo
echo "address=$REMOTE_ADDR header=$HTTP_BACKHAND_PROXIED redirected=$REDIRECT_STATUS"
"""
# As front controllers have it; an error page; an SSI page, whose part is a subrequest that is redirected in its turn.
CONFIG = (
    CLUSTER_OF_9
    + """
RewriteEngine On
<Directory ${root}/htdocs>
    AllowOverride None
    Options +Includes +FollowSymLinks
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
    RewriteEngine On
    RewriteCond %{REQUEST_URI} ^/app/
    RewriteRule .* /cgi-bin/who [L]
</Directory>
ErrorDocument 404 /cgi-bin/who
"""
)
FILES = {"cgi-bin/who": SCRIPT, "page.shtml": '<!--#include virtual="/app/part" -->', "index.html": "index"}
PATHS = {
    "a rewritten path": ("/app/some/page", 200),
    "an error page": ("/missing", 404),
    "a part that is rewritten": ("/page.shtml", 200),
}


def signed(path):
    seconds = int(time.time())
    text = f"Backhand-Proxied\nGET\n{path}\n{CLIENT}\n{seconds}"
    return f"{CLIENT}; t={seconds}; s={announce.signature(KEY, text.encode()).hex()[:32]}"


class Members:
    def __init__(self, stage, mpm, key):
        path = stage.folder / "key"
        path.write_text(KEY)
        path.chmod(0o600)
        self.sign = signed if key else lambda path: CLIENT
        self.server = stage.httpd(
            CONFIG + (f"BackhandKey {path}\n" if key else ""),
            mpm=mpm,
            cgi=True,
            address="127.0.9.1",
            files=FILES,
            modules=("rewrite", "include"),
            group=stage.new_group(),
        )
        if not key:
            stage.plant(self.server, Announcement(PEER, state=MAINTENANCE))

    def arrivals(self):
        return self.server.status().self["arrivals"]


@pytest.fixture(scope="module", params=["without a key", "with a key"])
def members(request, mpm_stage, module_mpm):
    return Members(mpm_stage, module_mpm, request.param == "with a key")


@pytest.mark.parametrize("path, status", PATHS.values(), ids=PATHS.keys())
def test_scripts_see_the_client(members, path, status):
    answer = members.server.get(path, source=PEER, headers={"Backhand-Proxied": members.sign(path)})
    assert answer.status == status
    assert f"address={CLIENT} header={CLIENT} " in answer.text
    assert members.server.logged(path).startswith(CLIENT + " ")


@pytest.mark.parametrize("path, status", PATHS.values(), ids=PATHS.keys())
def test_a_strangers_claim_is_removed_once(members, path, status):
    members.server.log.allow("BH0407")
    answer = members.server.get(path, source=STRANGER, headers={"Backhand-Proxied": CLIENT})
    assert f"address={STRANGER} header= " in answer.text


def test_it_is_counted_once(members):
    """What arrives, and what is done here of the cluster's work."""

    def counted():
        row = members.server.status().self
        return row["arrivals"], row["served"]

    def settled():
        """The announcements of two seconds say the same."""
        first = counted()
        time.sleep(2.2)
        return first if counted() == first else None

    before = wait_for(settled, 12, "the counters to stand")
    for path, _ in PATHS.values():
        for _ in range(5):
            members.server.get(path, source=PEER, headers={"Backhand-Proxied": members.sign(path)})
        for _ in range(3):
            members.server.get(path, source=STRANGER)
    wait_for(lambda: counted()[0] >= before[0] + 24, 5, "the arrivals")
    after = wait_for(settled, 12, "the counters to stand")
    assert (after[0] - before[0], after[1] - before[1]) == (24, 15)


# ---- Requests that httpd refuses before any module has seen them ----

EARLY = {
    "400": b"GET / HTTP/1.1\r\nBackhand-Proxied: 203.0.113.7\r\nBackhand-Hops: 1\r\nConnection: close\r\n\r\n",
    "417": b"GET / HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\nBackhand-Proxied: 203.0.113.7\r\nConnection: "
    b"close\r\n\r\n",
}


@pytest.mark.parametrize("source", [PEER, STRANGER])
@pytest.mark.parametrize("status", EARLY)
def test_an_early_error_page_shows_no_claim(stage, mpm, status, source):
    server = stage.httpd(
        CLUSTER_OF_9 + f"ErrorDocument {status} /cgi-bin/who\nBackhand byAge 600\n",
        mpm=mpm,
        cgi=True,
        files=FILES,
        address="127.0.9.1",
    )
    answer = server.raw(EARLY[status], source=source)
    assert b"203.0.113.7" not in answer and f"address={source} header= ".encode() in answer


@pytest.mark.parametrize("status", EARLY)
def test_an_early_error_page_opens_no_door(stage, status):
    """It is another server's, which believes this one."""
    server = stage.httpd(
        CLUSTER_OF_9 + "<Location /private>\nRequire ip 203.0.113.7\n</Location>\n",
        address="127.0.9.2",
        files={"private": "secret"},
    )
    front = stage.httpd(
        CLUSTER_OF_9 + f"ErrorDocument {status} /private\nProxySourceAddress 127.0.9.1\nProxyPass /private "
        f"http://{server.id}/private\n",
        address="127.0.9.1",
    )
    front.knows(server)
    server.knows(front)
    server.log.expect("AH01630")
    assert b"secret" not in front.raw(EARLY[status], source=STRANGER)


@pytest.mark.parametrize("key", [False, True])
def test_a_part_of_a_page_sees_nothing_that_was_for_a_server(stage, mpm, key):
    """The front's own filter fetches it while the server's page passes."""
    lines = CLUSTER_OF_9
    if key:
        path = stage.folder / "key"
        path.write_text(KEY)
        path.chmod(0o600)
        lines += f"BackhandKey {path}\n"
    server = stage.httpd(
        lines,
        address="127.0.9.2",
        files={"app/page.html": '<!--#include virtual="/cgi-bin/who" --><!--#include virtual="/dyn/x" -->'},
    )
    other = stage.backend("127.0.0.8")
    front = stage.httpd(
        lines + "<Location /app>\nBackhand removeSelf\nSetOutputFilter INCLUDES\nOptions +Includes\n</Location>\n"
        f"ProxyPass /dyn http://{other.id}/\n",
        address="127.0.9.1",
        modules=("include",),
        cgi=True,
        files=FILES,
        mpm=mpm,
    )
    front.knows(server)
    server.knows(front)
    assert " header= " in front.get("/app/page.html", source=STRANGER).text
    assert [request.header("Backhand-Proxied") for request in other.requests] == [None]
