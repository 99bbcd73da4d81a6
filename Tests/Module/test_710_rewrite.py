# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_rewrite, mod_dir and their like on the front: what they decide counts; what they translate is not what is
forwarded."""

import pytest
from harness.front import front_of


class Pair:
    def __init__(self, stage):
        self.elsewhere = stage.backend("127.0.0.8")
        self.backend = stage.backend("127.0.9.2")
        self.front = front_of(
            stage,
            self.backend,
            modules=["rewrite", "autoindex"],
            config=f"""
            RewriteEngine On
            RewriteRule ^/old/(.*)$ /new/$1 [R=301,L]
            RewriteRule ^/forbidden - [F]
            RewriteRule ^/elsewhere/(.*)$ http://{self.elsewhere.id}/$1 [P]
            RewriteRule ^/pretty/(.*)$ /ugly.php?page=$1 [B,L]
            RewriteCond %{{HTTP:X-Mark}} ^$
            RewriteRule ^/marked - [E=MARK:yes]
            RequestHeader set X-Seen %{{MARK}}e env=MARK
            DirectoryIndex index.php
            <Directory ${{root}}/htdocs/application>
                AllowOverride FileInfo
                RewriteEngine On
                RewriteBase /application/
                RewriteCond %{{REQUEST_FILENAME}} !-f
                RewriteRule ^(?!gone|moved)(.*)$ index.php?route=$1 [L,QSA]
                RewriteRule ^gone - [G]
                RewriteRule ^moved$ /application/here [R=302,L]
            </Directory>
        """,
            files={
                "application/index.php": "the front's",
                "application/style.css": "the front's",
                "folder/readme": "the front's",
                "application/inner/.htaccess": "RewriteEngine On\nRewriteRule ^(.*)$ /application/index.php?inner=$1 "
                "[L]\n",
                "application/inner/page": "the front's",
            },
        )
        # A front without the site's files.
        (self.front.root / "htdocs/index.html").unlink()


@pytest.fixture(scope="module")
def pair(module_stage):
    return Pair(module_stage)


def forwarded(pair, path, **how):
    """The answer, and what the backend was asked."""
    before = len(pair.backend.requests)
    answer = pair.front.get(path, **how)
    return answer, [request.target for request in pair.backend.requests[before:]]


@pytest.mark.parametrize(
    "path",
    [
        "/pretty/a%20b?x=1",
        "/marked/page",
        "/application/some/route?x=%2F",
        "/application/style.css",
        "/application/",
        "/application/index.php",
        "/application/inner/page",
        "/",
        "/?a=b",
        "/folder/",
        "/folder/readme",
        "/missing/",
        "/missing",
        "/a/b/c.php/info",
    ],
)
def test_what_the_client_sent_is_forwarded(pair, path):
    answer, targets = forwarded(pair, path)
    assert (answer.text, targets) == (pair.backend.id, [path])


@pytest.mark.parametrize(
    "path, status, location",
    [
        ("/old/page?a=b", 301, "/new/page?a=b"),
        ("/forbidden", 403, None),
        ("/application/gone", 410, None),
        ("/application/moved", 302, "/application/here"),
        ("/folder", 301, "/folder/"),  # mod_dir: the front has that folder
    ],
)
def test_what_the_front_decides_is_not(pair, path, status, location):
    answer, targets = forwarded(pair, path, headers={"Host": "shop.test"})
    assert (answer.status, targets) == (status, [])
    assert answer.header("Location") == (location and "http://shop.test" + location)


def test_the_chain_decides_before_a_rule_that_proxies(pair):
    """What the rule names is what "here" means: test_711 has that half."""
    answer, targets = forwarded(pair, "/elsewhere/page")
    assert (answer.text, targets, pair.elsewhere.requests) == (pair.backend.id, ["/elsewhere/page"], [])


def test_variables_of_rules_arrive_as_headers(pair):
    forwarded(pair, "/marked/page")
    assert pair.backend.requests[-1].header("X-Seen") == "yes"


def test_the_index_is_the_servers(stage):
    """mod_dir on the server finds index.php, of which the front has none."""
    server = stage.httpd(
        "DirectoryIndex index.php\n",
        name="server",
        address="127.0.9.2",
        without=("backhand",),
        files={"index.php": "home", "shop/index.php": "shop"},
    )
    front = front_of(stage, server, modules=["autoindex"], config="DirectoryIndex index.php index.html\n")
    (front.root / "htdocs/index.html").unlink()
    assert [front.get(path).text for path in ("/", "/shop/", "/shop/?a=b")] == ["home", "shop", "shop"]
    answer = front.get("/shop", headers={"Host": "shop.test:8080"})
    assert (answer.status, answer.header("Location")) == (301, "http://shop.test:8080/shop/")
