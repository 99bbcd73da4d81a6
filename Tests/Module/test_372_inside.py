# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hooks and callbacks of ours inside one request: with another configuration than before, under redirects, for parts of
pages and error pages."""

import pytest
from harness import ports
from harness.announce import Announcement
from harness.backend import Reply
from harness.front import CHAIN, front_of
from harness.stage import CLUSTER_OF_9

# What a script is asked with.
SCRIPT = (
    '#!/bin/sh\necho Content-Type: text/plain\necho\necho "proxied=$HTTP_BACKHAND_PROXIED hops=$HTTP_BACKHAND_HOPS '
    '$REQUEST_METHOD"\ncat\n'
)


def test_a_condition_brings_another_chain_after_the_decision(stage, mpm):
    """Decided early, without <Directory>, by the chain of <Location>. The chain of <If> is a longer one, and counts.
    httpd looks at conditions before a URL is translated and again after it."""
    backends = [stage.backend(address) for address in ("127.0.9.2", "127.0.9.4")]
    front = front_of(
        stage,
        *backends,
        mpm=mpm,
        modules=["rewrite"],
        chain=CLUSTER_OF_9,
        config="""
        BackhandTrace On
        RewriteEngine On
        RewriteCond %{QUERY_STRING} (other|here)
        RewriteRule ^ - [E=CHAIN:%1]
        <Location />
            BackhandDirectoryWalk Off
            Backhand removeSelf
        </Location>
        <If "reqenv('CHAIN') == 'other'">
            Backhand addSelf
            Backhand byAge
            Backhand byAge 60
            Backhand byAge 600
            Backhand byLoad
            Backhand removeSelf
        </If>
        <If "reqenv('CHAIN') == 'here'">
            Backhand byAge 600
            Backhand byCost
            Backhand off
        </If>
        """,
    )
    assert front.get("/").trace.left == [("removeSelf", 2)]
    answer = front.get("/?other")
    assert answer.trace.left == [
        ("addSelf", 3),
        ("byAge", 3),
        ("byAge", 3),
        ("byAge", 3),
        ("byLoad", 3),
        ("removeSelf", 2),
    ]
    assert answer.text == answer.trace.server == backends[0].id
    assert front.get("/index.html?here").text == f"{front.name}\n"


@pytest.mark.parametrize("mpm", ["worker", "event"])
def test_parts_of_a_page_have_connections_of_their_own(stage, mpm):
    """The answer to a POST, by HTTP/2, includes what the front gets from elsewhere: that connection is not the POST's,
    which must be made once."""
    server = stage.httpd(
        "Protocols h2c http/1.1\n",
        mpm=mpm,
        modules=["http2"],
        cgi=True,
        address="127.0.9.2",
        group=stage.new_group(),
        files={
            "cgi-bin/page": "#!/bin/sh\nprintf 'Content-Type: text/html\\n\\n[<!--#include virtual=\"/part\" -->]'\n"
        },
    )
    elsewhere = stage.backend("127.0.0.8", reply=lambda request: Reply(body=b"part"))
    front = front_of(
        stage,
        Announcement(server.address, server.port),
        mpm=mpm,
        modules=["http2", "proxy_http2", "include", "filter"],
        chain=CLUSTER_OF_9,
        config=f"""
        ProxyPass /part http://{elsewhere.id}/part
        <Location /cgi-bin>
            Backhand removeSelf
            BackhandScheme h2c
            Options +Includes
            SetOutputFilter INCLUDES
        </Location>
        """,
    )
    assert [front.get("/cgi-bin/page", method=method, body=b"").text for method in ("POST", "POST", "GET")] == [
        "[part]"
    ] * 3
    assert [request.target for request in elsewhere.requests] == ["/part"] * 3


def test_an_error_page_sees_the_clients_headers(stage, mpm):
    """A server's error is answered with a page of the front's own, which begins with the headers as the client sent
    them: it is told from no peer's."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(500, b"the server's"))
    front = front_of(
        stage,
        backend,
        mpm=mpm,
        cgi=True,
        config="""
        ProxyErrorOverride On
        ErrorDocument 500 /cgi-bin/show
        <Location /cgi-bin>
            Backhand off
        </Location>
        """,
        files={"cgi-bin/show": SCRIPT},
    )
    answer = front.get("/", method="POST", body=b"", headers={"X-Forwarded-Proto": "gopher"})
    assert (answer.status, answer.text) == (500, "proxied= hops= GET\n")
    assert backend.requests[0].header("Backhand-Proxied") == "127.0.0.1"


def test_the_body_of_a_plain_proxy_pass_stays_mod_proxys(stage, mpm):
    """With our module the error page of a request that no chain has seen is what it is without."""
    config = """
        ProxyPass /gone http://127.0.0.8:PORT/
        ErrorDocument 503 /cgi-bin/show
        """.replace("PORT", str(ports.free_port("127.0.0.8")))
    answers = []
    for without in (["backhand"], []):
        server = stage.httpd(config, mpm=mpm, cgi=True, files={"cgi-bin/show": SCRIPT}, without=without)
        server.log.expect("AH00957|AH01114")
        answer = server.get("/gone", method="POST", body=b"the body")
        answers.append((answer.status, answer.text))
    assert answers[0] == answers[1]


def test_sections_of_the_file_that_was_found_decide(stage, mpm):
    """mod_dir's fast redirect brings the chain of <Files>."""
    backend = stage.backend("127.0.9.2")
    front = front_of(
        stage,
        backend,
        mpm=mpm,
        chain=CHAIN,
        config="""
        DirectoryIndex start.txt
        <Files start.txt>
            Backhand off
        </Files>
        """,
        files={"folder/start.txt": "here\n"},
    )
    assert front.get("/folder/").text == "here\n"
    assert front.get("/folder/other").text == backend.id
