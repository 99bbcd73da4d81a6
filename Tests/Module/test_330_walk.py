# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandDirectoryWalk Off: requests for other servers pass <Directory> sections by, those that end here never do."""

import pytest
from harness import ports
from harness.announce import Announcement
from harness.stage import CLUSTER_OF_9

REFUSED = r"AH00957|AH01114|AH00959"

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Directory ${root}/htdocs/app>
    Require ip 203.0.113.0/24
</Directory>
<Location /app>
    BackhandDirectoryWalk Off
    %s
    Backhand byLoad
</Location>
<Location /app/closed>
    Require ip 203.0.113.0/24
</Location>
"""
)


def front(stage, mpm, first="Backhand removeSelf", **how):
    return stage.httpd(CONFIG % first, mpm=mpm, files={"app/page": "local"}, **how)


def test_another_servers_request_passes_by(stage, mpm):
    backend = stage.backend("127.0.9.2")
    server = front(stage, mpm)
    stage.plant(server, Announcement(backend.address, backend.port))
    for path in ("/app/page", "/app/no/such/folder?a=b%2Fc", "/app/"):
        answer = server.get(path)
        assert (answer.status, answer.text, answer.trace.action) == (200, backend.id, "proxy")
        assert backend.requests[-1].line == f"GET {path} HTTP/1.1"
    body = b"x" * 100_000
    assert server.get("/app/page", method="POST", body=body).text == backend.id
    assert backend.requests[-1].body == body


@pytest.mark.parametrize(
    "module, line",
    [
        ("dir", "FallbackResource /index.html"),
        ("speling", "CheckSpelling On"),
        ("negotiation", "Options +MultiViews"),
        ("dir", "DirectoryIndex page"),
    ],
)
def test_what_helps_out_for_missing_files_keeps_quiet(stage, mpm, module, line):
    """Nobody has looked for the file: it is not missing."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(
        CONFIG % f"Backhand removeSelf\n    {line}",
        mpm=mpm,
        modules=(module,),
        files={"app/page": "local", "app/name.txt": "local"},
    )
    stage.plant(server, Announcement(backend.address, backend.port))
    for path in ("/app/pgae", "/app/name", "/app/"):
        answer = server.get(path)
        assert (answer.status, answer.text, answer.header("Location")) == (200, backend.id, None)
        assert backend.requests[-1].line == f"GET {path} HTTP/1.1"


def test_location_guards_as_always(stage, mpm):
    backend = stage.backend("127.0.9.2")
    server = front(stage, mpm)
    stage.plant(server, Announcement(backend.address, backend.port))
    assert server.get("/app/closed").status == 403
    assert backend.requests == []
    server.log.expect("AH01630")


def test_what_is_chosen_to_stay_is_guarded(stage, mpm):
    """Self comes first: the sections are asked, and forbid."""
    server = front(stage, mpm, "Backhand addSelf")
    assert server.get("/app/page").status == 403
    server.log.expect("AH01630")


@pytest.mark.parametrize("method, size", [("GET", 0), ("POST", 50_000)])
def test_what_ends_here_is_guarded(stage, mpm, method, size):
    """The other server refuses, self is next: the request begins anew, and the sections forbid."""
    server = front(stage, mpm, "Backhand addSelf", workers=6)
    server.log.expect(REFUSED)
    server.log.expect("AH01630")
    # Nobody is less loaded than the dead one; our own load is that of the machine.
    stage.plant(server, Announcement("127.0.9.3", ports.free_port("127.0.9.3"), load=-1_000_000))
    assert server.get("/app/page", method=method, body=b"x" * size or None).status == 403


def test_what_ends_here_is_served(stage, mpm):
    """As before, but with leave: the file, and the log tells what happened."""
    server = stage.httpd(
        (CONFIG % "Backhand addSelf").replace(
            "Require ip 203.0.113.0/24\n</Directory>", "Require all granted\n</Directory>"
        ),
        mpm=mpm,
        files={"app/page": "local"},
    )
    server.log.expect(REFUSED)
    stage.plant(server, Announcement("127.0.9.3", ports.free_port("127.0.9.3"), load=-1_000_000))
    answer = server.get("/app/page")
    assert (answer.status, answer.text, answer.trace.action) == (200, "local", "local")
    assert "action=local" in server.logged("/app/page")


def test_nobody_left_is_served_here(stage):
    """removeSelf, and the only other server is too old: Local, with the sections."""
    server = stage.httpd(
        (CONFIG % "Backhand removeSelf").replace(
            "Require ip 203.0.113.0/24\n</Directory>", "Require all granted\n</Directory>"
        ),
        files={"app/page": "local"},
    )
    answer = server.get("/app/page")
    assert (answer.status, answer.text, answer.trace.action) == (200, "local", "none")


def test_a_chain_that_is_turned_off_after_all(stage, mpm):
    """<If> is evaluated after the decision: the request is served here, and the sections are asked."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(
        CONFIG
        % """Backhand removeSelf
    <If "%{HTTP:X-Here} == 'yes'">
        Backhand off
    </If>""",
        mpm=mpm,
        files={"app/page": "local"},
    )
    stage.plant(server, Announcement(backend.address, backend.port))
    assert server.get("/app/page").text == backend.id
    assert server.get("/app/page", headers={"X-Here": "yes"}).status == 403
    assert len(backend.requests) == 1
    server.log.expect("AH01630")


def test_a_rewritten_url_is_walked(stage):
    """What another module makes of the URL belongs to other sections than those that were decided on."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(
        "RewriteEngine On\nRewriteRule ^/app/moved$ /private [PT]\n"
        + CONFIG % "Backhand removeSelf"
        + "<Directory ${root}/htdocs>\n<Files private>\nRequire all denied\n</Files>\n</Directory>\n",
        modules=("rewrite",),
        files={"private": "secret"},
    )
    stage.plant(server, Announcement(backend.address, backend.port))
    assert server.get("/app/moved").status == 403
    assert backend.requests == []
    server.log.expect("AH01630")


@pytest.mark.parametrize("section", ["Directory /tmp", "Files x"])
def test_not_where_it_comes_too_late(stage, section):
    server = stage.httpd(f"<{section}>\nBackhandDirectoryWalk Off\n</{section.split()[0]}>\n", start=False)
    code, text = server.test_config()
    assert code == 1 and "BackhandDirectoryWalk cannot occur within" in text
