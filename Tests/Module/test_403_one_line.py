# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A request that all servers refuse is one line of the error log, with the system's reasons; mod_proxy's own lines come
back at LogLevel proxy:info."""

import re

import pytest
from harness.backend import Reply
from harness.front import announcement_of, front_of

WARN = "LogLevel warn\n"
THEIRS = "AH00957|AH01114|AH00959|AH03352"
SEVEN = range(2, 9)


def farm(stage, config, **how):
    backends = [stage.backend(f"127.0.9.{last}") for last in SEVEN]
    for backend in backends:
        backend.close()
    return backends, front_of(stage, *(announcement_of(backend) for backend in backends), config=config, **how)


def errors(front):
    """At warn or above, but for those of the configuration and the moderator."""
    return [line for line in front.log.lines() if line.is_grave and not re.search("BH01|BH03", line.text)]


@pytest.mark.parametrize("method, body", [("GET", None), ("POST", b"x" * 5000)])
def test_one_line_for_seven_refusals(stage, mpm, method, body):
    backends, front = farm(stage, WARN, mpm=mpm)
    front.log.expect("BH0404")
    assert front.get("/page", method=method, body=body).status == 503
    (line,) = errors(front)
    assert "BH0404: every candidate refused the connection: answered with 503; no connection to " in line.text
    assert sorted(re.findall(r"127\.0\.9\.[0-9]:[0-9]+ \(Connection refused\)", line.text)) == sorted(
        f"{backend.id} (Connection refused)" for backend in backends
    )
    # And from now on, too: the servers are in back-off, and tried as the last resort.
    assert front.get("/page").status == 503
    assert len(errors(front)) == 2


@pytest.mark.parametrize("scheme, modules", [("h2c", ("proxy_http2",)), ("https", ("ssl",))])
def test_one_line_with_other_schemes(stage, scheme, modules):
    _, front = farm(
        stage,
        WARN + f"BackhandScheme {scheme}\n" + ("SSLProxyEngine On\n" if "ssl" in modules else ""),
        modules=modules,
    )
    front.log.allow("AH01873")
    front.log.expect("BH0404")
    assert front.get("/page").status == 503
    (line,) = [line for line in errors(front) if "AH01873" not in line.text]
    assert len(re.findall("Connection refused", line.text)) == 7


def test_what_keeps_mod_proxy_from_asking_is_told(stage):
    """TLS without SSLProxyEngine: mod_proxy's own line is one of those that are not written."""
    front = front_of(stage, stage.backend("127.0.9.2"), config=WARN + "BackhandScheme https\n", modules=("ssl",))
    front.log.allow("AH01873|AH01961|BH0408")
    front.log.expect("BH0492: mod_proxy answers with 500 and has asked no server")
    assert front.get("/page").status == 503


@pytest.mark.parametrize("level", ["info", "warn proxy:info", "warn proxy:debug", "warn proxy:info proxy_http:info"])
def test_who_asks_for_mod_proxys_lines_gets_them(stage, level):
    _, front = farm(stage, f"LogLevel {level}\n")
    front.log.expect("BH0404")
    front.log.expect("AH00957")
    front.log.expect("AH01114")
    assert front.get("/page").status == 503
    assert len(front.log.lines("AH00957")) >= 7 and len(front.log.lines("AH01114")) == 7


def test_a_section_with_a_level_of_its_own(stage):
    """A request's level is that of its section; the connection's is that of the server."""
    _, front = farm(
        stage,
        WARN
        + "<Location /page>\n    LogLevel error\n</Location>\n<Location /loud>\n    LogLevel proxy:info\n</Location>\n",
    )
    front.log.expect("BH0404")
    front.log.expect("AH01114")
    assert front.get("/page").status == 503
    assert len(errors(front)) == 1
    assert front.get("/loud").status == 503
    assert len(front.log.lines("AH01114")) == 7


@pytest.mark.parametrize("config", ["", "ProxySourceAddress 127.0.0.1\n"])
def test_another_server_takes_it(stage, config):
    """The reason is not lost: a warning a minute has it."""
    gone, good = stage.backend("127.0.9.2"), stage.backend("127.0.9.3", reply=lambda request: Reply(200, b"good"))
    gone.close()
    front = front_of(stage, announcement_of(gone), good, config=WARN + config)
    front.log.expect("BH0491")
    assert front.get("/page").text == "good"
    (line,) = errors(front)
    assert f"BH0491: the next candidate was asked; no connection to {gone.id} (Connection refused)" in line.text
    for _ in range(5):
        assert front.get("/page").text == "good"
    assert len(errors(front)) <= len(front.children())


@pytest.mark.parametrize("kept", [False, True])
def test_what_mod_proxy_says_of_a_connection_that_was_made_is_not_lost(stage, mpm, kept):
    """Over a new connection, and over one that was kept."""
    bad = stage.backend(
        "127.0.9.2",
        reply=lambda request: Reply(drop=True) if request.target.startswith("/bad") else Reply(200, b"good"),
    )
    front = front_of(stage, bad, config=WARN + "BackhandRetries 0\n", mpm=mpm, children=1)
    front.log.allow("BH04")
    front.log.expect("AH01102|AH00898")
    with front.client() as client:
        if kept:
            assert client.request("/good").text == "good"
        assert client.request("/bad", method="POST", body=b"x").status == 502
    assert front.log.lines("AH01102|AH00898")


def test_the_levels_are_as_before_afterwards(stage):
    """An error page of a request that was refused, and the next requests of the connection, are logged as ever."""
    _, front = farm(stage, "LogLevel warn backhand:debug\nErrorDocument 503 /missing\n")
    front.log.allow("BH0404|AH00128|AH01")
    with front.client() as client:
        for _ in range(3):
            assert client.request("/page").status == 503
    assert len(front.log.lines("action=none server=- chain=")) == 3
    assert front.log.lines(THEIRS) == []
