# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which content filters run where, and what else two httpds must not do twice; what a light front does to servers that
do nothing."""

import gzip
import subprocess

import pytest
from harness.backend import Reply
from harness.front import front_of
from harness.stage import CLUSTER
from Module.test_721_two_httpds import CHAIN, Cluster

HOST = {"Host": "shop.test"}


def cookies(answer):
    return [value for name, value in answer.headers if name.lower() == "set-cookie"]


# ---- Injection ----

INJECTING = "#!/bin/sh\nprintf 'Content-Type: text/html\\n\\nyou said: <!--#echo var=\"DOCUMENT_ROOT\" -->'\n"
INCLUDES = """
<Location /cgi-bin/>
    Options +ExecCGI +Includes
    SetOutputFilter INCLUDES
</Location>
<Location /cgi-bin/raw>
    Options +ExecCGI +Includes
    SetOutputFilter INCLUDES;SUBSTITUTE
    Substitute "s/said/<!--#echo var='DOCUMENT_ROOT' -->/"
</Location>
"""


def test_what_the_servers_includes_print_is_not_parsed_again(stage):
    """Includes run before Substitute: what that makes would be a command for the front's."""
    cluster = Cluster(stage, INCLUDES, files={"cgi-bin/raw": INJECTING}, modules=["include", "substitute"])
    alone, front = cluster.both("/cgi-bin/raw")
    assert "<!--#echo" in alone.text
    # The path is that of the server's files, once.
    assert front.text.replace("/server/", "/alone/") == alone.text


# ---- Cookies ----

TRACKING = "CookieTracking On\nCookieName track\n"
SESSION = """
<Location /cgi-bin/session>
    Session On
    SessionCookieName session path=/
    SessionEnv On
    SessionMaxAge 600
</Location>
"""
OWN_COOKIE = (
    "#!/bin/sh\nprintf 'Content-Type: text/html\\nSet-Cookie: application=1; Path=/\\nX-Replace-Session: "
    "user=me\\n\\nyou'\n"
)


@pytest.mark.parametrize("path", ["/cgi-bin/own", "/index.html", "/missing"])
def test_one_cookie_of_usertrack(stage, path):
    cluster = Cluster(stage, TRACKING, files={"cgi-bin/own": OWN_COOKIE}, modules=["usertrack"])
    alone, front = cluster.both(path)
    names = [cookie.partition("=")[0] for cookie in cookies(front)]
    assert names == [cookie.partition("=")[0] for cookie in cookies(alone)]
    assert names.count("track") == 1
    # The client that has it gets no other.
    _, again = cluster.both(
        path,
        headers={"Cookie": next(cookie.partition(";")[0] for cookie in cookies(front) if cookie.startswith("track"))},
    )
    assert not [cookie for cookie in cookies(again) if cookie.startswith("track")]


def test_one_cookie_of_a_session(stage):
    """The application puts it in on the server; the front's session is another one, which nobody wrote to."""
    config = SESSION + "<Location /cgi-bin/session>\nSessionHeader X-Replace-Session\n</Location>\n"
    cluster = Cluster(stage, config, files={"cgi-bin/session": OWN_COOKIE}, modules=["session", "session_cookie"])
    alone, front = cluster.both("/cgi-bin/session")

    def sessions(answer):
        return sorted(
            {
                cookie.partition("&")[0].partition("expiry")[0]
                for cookie in cookies(answer)
                if cookie.startswith("session")
            }
        )

    assert len([cookie for cookie in cookies(front) if cookie.startswith("session")]) == len(
        [cookie for cookie in cookies(alone) if cookie.startswith("session")]
    )
    assert sessions(front) == sessions(alone)


@pytest.mark.parametrize(
    "own, kept",
    [
        ("a=2; Path=/", ["a=1; Path=/; Domain=shop.test", "a=2; Path=/"]),
        ("a=2; Path=/; Domain=.SHOP.test", ["a=1; Path=/; Domain=shop.test"]),
        ("a=2; Path=/x; Domain=shop.test", ["a=1; Path=/; Domain=shop.test", "a=2; Path=/x; Domain=shop.test"]),
        ("A=2; Path=/; Domain=shop.test", ["a=1; Path=/; Domain=shop.test", "A=2; Path=/; Domain=shop.test"]),
        ("a=1; Path=/; Domain=shop.test", ["a=1; Path=/; Domain=shop.test"]),
        ("b=1", ["a=1; Path=/; Domain=shop.test", "b=1"]),
    ],
)
@pytest.mark.parametrize("condition", ["", "always "])
def test_cookies_by_name_domain_and_path(pair, own, kept, condition):
    pair.configure(
        server='Header add Set-Cookie "a=1; Path=/; Domain=shop.test"\n',
        front=f'Header {condition}add Set-Cookie "{own}"\n',
    )
    assert sorted(cookies(pair.get())) == sorted(kept)


# ---- Different configurations ----


class Pair:
    """A front and a server of its cluster whose configurations differ."""

    def __init__(self, stage, modules=("alias", "brotli", "deflate", "filter", "substitute", "cache", "cache_disk")):
        self.front = stage.httpd(
            name="front", address="127.0.9.1", modules=modules, start=False, files={"page.html": "the front's"}
        )
        self.server = stage.httpd(
            name="server", address="127.0.9.2", modules=modules, start=False, files={"page.html": "a page" + "\n" * 400}
        )
        self.started = False

    def configure(self, server="", front=""):
        self.server.configure(CLUSTER + CHAIN + server)
        self.front.configure(CLUSTER + CHAIN + front)
        for httpd in (self.server, self.front):
            if self.started:
                httpd.restart()
            else:
                httpd.start()
        self.started = True
        self.front.knows(self.server)
        self.server.knows(self.front)

    def get(self, path="/page.html", **how):
        answer = self.front.get(path, headers={**HOST, **how.pop("headers", {})}, **how)
        assert answer.header("Backhand-Filtered") is None
        return answer

    def text(self, **how):
        """Without the lines that make it worth compressing."""
        return self.get(**how).text.strip()


@pytest.fixture(scope="module")
def pair(module_stage):
    return Pair(module_stage)


@pytest.mark.parametrize(
    "server, front, name, value",
    [
        ("Header set X-A server", "Header set X-A front", "X-A", "server"),
        ("Header set X-A server", "Header always set X-A front", "X-A", "server"),
        ("Header always set X-A server", "Header set X-A front", "X-A", "server"),
        ("Header set X-A server", "Header add X-A front", "X-A", "server"),
        ("Header set X-A server", "Header edit X-A ^ more", "X-A", "server"),
        ("Header set X-A server", "Header unset X-A", "X-A", None),
        ("Header set X-A server", "Header unset X-A\nHeader always set X-A front", "X-A", "front"),
        ("", "Header set X-A front", "X-A", "front"),
        ("", "Header always set X-A front", "X-A", "front"),
        ("", "Header add X-A one\nHeader add X-A two", "X-A", "one, two"),
        ("Header add X-A one\nHeader add X-A two", "Header add X-A one", "X-A", "one, two"),
        ("Header set Vary Cookie", "Header append Vary Accept", "Vary", "Cookie,Accept"),
        ("Header set Vary Cookie", "Header always set Vary accept", "Vary", "accept,Cookie"),
        ("Header set Vary Cookie", "Header always set Vary cookie", "Vary", "Cookie"),
        (
            'Header set Cache-Control "max-age=60"',
            'Header set Cache-Control "max-age=5, no-transform"',
            "Cache-Control",
            "max-age=60, no-transform",
        ),
        (
            'Header set Cache-Control "max-age=60"',
            'Header always set Cache-Control "max-age=5"',
            "Cache-Control",
            "max-age=60",
        ),
        (
            'Header set Content-Security-Policy "default-src a"',
            'Header always set Content-Security-Policy "default-src b"',
            "Content-Security-Policy",
            "default-src b, default-src a",
        ),
        (
            "Header set Access-Control-Allow-Origin https://a.test",
            "Header always set Access-Control-Allow-Origin *",
            "Access-Control-Allow-Origin",
            "https://a.test",
        ),
        ('Header set Alt-Svc h3=\\":1\\"', "", "Alt-Svc", None),
        ('Header set Alt-Svc h3=\\":1\\"', "Header set Alt-Svc clear", "Alt-Svc", "clear"),
        ("Header set Backhand-Trace theirs", "", "Backhand-Trace", None),
        ("Header set Backhand-Filtered includes", "", "Backhand-Filtered", None),
        ("Header set Backhand-Trace theirs", "BackhandTrace On", "Backhand-Trace", "action=proxy"),
        ("Header set ETag '\"a\"'", "Header always set ETag '\"b\"'", "ETag", '"a"'),
    ],
)
def test_whose_header_stays(pair, server, front, name, value):
    pair.configure(server + "\n", front + "\n")
    found = pair.get().header(name)
    assert found == value or (value == "action=proxy" and found.startswith(value))


def test_a_light_front_filters_what_the_server_does_not(pair):
    rules = "SetOutputFilter SUBSTITUTE;DEFLATE\nSubstitute s/page/book/\n"
    pair.configure(front=rules)
    answer = pair.get(headers={"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip", answer
    assert gzip.decompress(answer.body).strip() == b"a book"
    assert (answer.header("Content-Encoding"), answer.header("Vary")) == ("gzip", "Accept-Encoding")
    assert answer.header("ETag").endswith('-gzip"')
    pair.configure(server="SetOutputFilter DEFLATE\n", front=rules.replace(";DEFLATE", ""))
    assert pair.text() == "a book"


@pytest.mark.parametrize(
    "switch, body",
    [
        ("", "aa pgge"),
        ("BackhandFilters Off\n", "aa pgge"),
        ("BackhandFilters On\n", "aaaa pgge"),
        ("BackhandFilters On\n<Location /page.html>\nBackhandFilters Off\n</Location>\n", "aa pgge"),
        ("<Location /page.html>\nBackhandFilters On\n</Location>\n", "aaaa pgge"),
    ],
)
def test_the_switch(pair, switch, body):
    rules = 'SetOutputFilter SUBSTITUTE\nSubstitute "s/^a/aa/"\nSubstitute s/page/pgge/\n'
    pair.configure(rules, rules + switch)
    assert pair.text() == body


def test_a_filter_that_guards_each_httpd_runs_on_both(pair):
    """As mod_security's is called: what the front forbids to leave is none of the server's business."""
    rules = (
        'FilterProvider MODSECURITY_OUT SUBSTITUTE "%{REQUEST_URI} =~ m#page#"\nFilterChain '
        "MODSECURITY_OUT\nSubstitute s/page/pages/\n"
    )
    pair.configure(rules, rules)
    assert pair.text() == "a pagess"


def test_only_a_peer_learns_of_filters(pair):
    pair.configure("SetOutputFilter SUBSTITUTE\nSubstitute s/page/book/\nHeader always set X-A one\n")
    for headers in ({}, {"Backhand-Filtered": "x"}):
        answer = pair.server.get("/missing", headers={**HOST, **headers})
        assert answer.header("Backhand-Filtered") is None


def test_a_cache_on_the_server(pair):
    """What it keeps has passed the filters, and goes to clients of its own too."""
    (pair.server.root / "cache").mkdir(exist_ok=True)
    (pair.server.root / "cache").chmod(0o777)
    rules = (
        'SetOutputFilter SUBSTITUTE\nSubstitute "s/^a/aa/"\nHeader always set X-A one\nHeader set Cache-Control '
        "max-age=600\n"
    )
    pair.configure(
        rules + "CacheEnable disk /\nCacheRoot ${root}/cache\nCacheIgnoreNoLastMod On\nCacheDetailHeader On\n", rules
    )
    answers = [pair.get() for _ in range(3)]
    assert [(answer.text.strip(), answer.header("X-A")) for answer in answers] == [("aa page", "one")] * 3
    assert "HIT" in answers[-1].header("X-Cache-Detail").upper()


def test_a_cache_on_the_front(pair):
    (pair.front.root / "cache").mkdir(exist_ok=True)
    (pair.front.root / "cache").chmod(0o777)
    rules = (
        'SetOutputFilter SUBSTITUTE\nSubstitute "s/^a/aa/"\nHeader always set X-A one\nHeader set Cache-Control '
        "max-age=600\n"
    )
    pair.configure(
        rules, rules + "CacheEnable disk /\nCacheRoot ${root}/cache\nCacheIgnoreNoLastMod On\nCacheDetailHeader On\n"
    )
    answers = [pair.get() for _ in range(3)]
    assert [(answer.text.strip(), answer.header("X-A")) for answer in answers] == [("aa page", "one")] * 3
    assert "HIT" in answers[-1].header("X-Cache-Detail").upper()


@pytest.mark.parametrize("mark", [None, "substitute"])
def test_a_server_without_us(stage, mark):
    """It runs no filter of ours. What it says in our header, clients do not see."""
    headers = {"Content-Type": "text/html", "X-A": "theirs", **({"Backhand-Filtered": mark} if mark else {})}
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(body=b"a page", headers=headers))
    front = front_of(
        stage, backend, modules=["substitute", "filter"], config="SetOutputFilter SUBSTITUTE\nSubstitute s/page/book/\n"
    )
    answer = front.get("/", headers=HOST)
    assert answer.header("Backhand-Filtered") is None
    assert answer.text == ("a page" if mark else "a book")


def test_a_503_that_was_held_back(stage):
    """The last server's page, when no server does better."""
    cluster = Cluster(
        stage,
        "Header always set X-A one\n<Location /cgi-bin/busy>\nSetOutputFilter SUBSTITUTE\nSubstitute "
        "s/^a/aa/\n</Location>\n",
        files={"cgi-bin/busy": "#!/bin/sh\nprintf 'Status: 503\\nContent-Type: text/html\\n\\na page'\n"},
        modules=["substitute"],
    )
    alone, front = cluster.both("/cgi-bin/busy")
    assert (
        (front.status, front.text, front.header("X-A")) == (alone.status, alone.text, "one") == (503, "aa page", "one")
    )


def test_http2_to_the_client(stage):
    config = (
        "Protocols h2c http/1.1\nHeader always set X-A one\nHeader append Vary Cookie\nSetOutputFilter "
        "SUBSTITUTE;DEFLATE\nSubstitute s/^a/aa/\n"
    )
    cluster = Cluster(
        stage, config, files={"page.html": "a page" + "\n" * 400}, modules=["http2", "substitute", "deflate", "filter"]
    )

    def ask(httpd):
        result = subprocess.run(
            [
                "curl",
                "-s",
                "-i",
                "--http2-prior-knowledge",
                "-m",
                "10",
                "-H",
                "Host: shop.test",
                "--compressed",
                f"http://{httpd.id}/page.html",
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        head, _, body = result.stdout.partition("\n\n")
        return sorted(
            line for line in head.replace("\r", "").splitlines() if not line.startswith(("date", "server", "backhand"))
        ), body

    assert ask(cluster.front) == ask(cluster.alone)


def test_http2_to_the_server(stage):
    config = (
        "Protocols h2c http/1.1\nBackhandScheme h2c\nHeader always set X-A one\nSetOutputFilter "
        "SUBSTITUTE\nSubstitute s/^a/aa/\n"
    )
    pair = Pair(stage, ["http2", "proxy_http2", "substitute", "filter"])
    pair.configure(config, config)
    answer = pair.get()
    assert (answer.text.strip(), answer.header("X-A")) == ("aa page", "one")
