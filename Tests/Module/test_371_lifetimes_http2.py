# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The same over HTTP/2, where each request has a connection of its own inside httpd, and memory that goes when its
stream does; children that come and go under load."""

import re
import subprocess

import pytest
from harness.situations import SITUATIONS, Site
from harness.wait import wait_for

H2C = "Protocols h2c http/1.1\n"

# Without our module too, mod_http2 breaks the streams of a HEAD of a filtered page, and of a POST whose body no handler
# reads.
NAMES = [
    name
    for name, (_, how, status, _) in SITUATIONS.items()
    if status < 500 and name not in ("HEAD", "OPTIONS", "ErrorDocument, of a POST")
]


@pytest.fixture(scope="module", params=["worker", "event"])
def threaded(request):
    """mod_http2 does little under prefork."""
    return request.param


@pytest.fixture(scope="module", params=["self", "pair"])
def site(request, threaded, module_stage):
    return Site(module_stage, threaded, request.param, H2C)


def ask(site, path, method="GET", headers=(), body=None):
    """Status and body of an answer over HTTP/2."""
    command = ["curl", "-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", f"http://{site.asked.id}{path}"]
    command += ["-I"] if method == "HEAD" else ["-X", method]
    command += [text for name, value in dict(headers).items() for text in ("-H", f"{name}: {value}")]
    if body is not None:
        command += ["--data-binary", "@-"]
    head, _, text = subprocess.run(command, input=body, capture_output=True, check=True).stdout.partition(b"\r\n\r\n")
    return int(head.split()[1]), text.decode(errors="replace")


@pytest.mark.parametrize("name", NAMES)
def test_a_situation(site, name):
    path, how, status, text = SITUATIONS[name]
    before = site.counted()
    for _ in range(2):
        found, body = ask(site, path, **how)
        assert (found, body if text is not None else None) == (status, text)
    site.expect(before, 0 if status in (301, 403) and not site.front else 2)


PATHS = (
    "/fast/",
    "/views/page",
    "/controller/x",
    "/ssi/folder.shtml",
    "/ssi/rewritten.shtml",
    "/nowhere",
    "/map.var",
    "/cgi-bin/local",
)


def h2load(site, count, *arguments):
    """Asks for all of PATHS in turn; returns how many were answered with 2xx and 4xx."""
    urls = "".join(f"http://{site.asked.id}{path}\n" for path in PATHS)
    text = subprocess.run(
        ["h2load", "-n", str(count), "-i", "-", *arguments],
        input=urls,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    return tuple(int(found) for found in re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", text).groups())


def test_many_streams_at_once(site):
    before = site.counted()
    assert h2load(site, 480, "-c", "2", "-m", "4") == (420, 60)
    site.expect(before, 480)


def test_clients_that_go_in_the_middle(site):
    """A server without an idle thread closes idle connections, and one of them may have just got a request, which is
    then sent again."""
    site.asked.log.allow("AH01102|AH00898")
    before = site.counted()
    for _ in range(5):
        with subprocess.Popen(
            [
                "h2load",
                "-n",
                "400",
                "-c",
                "2",
                "-m",
                "16",
                *(f"http://{site.asked.id}{path}" for path in ("/large.bin", "/fast/")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            wait_for(lambda: sum(site.counted()[0][:2]) > sum(before[0][:2]), 10, "the first answer")
            client.kill()
        before = site.counted()
    wait_for(lambda: all(now[2] == 0 for now in site.counted()), 20, "none in flight", show=site.counted)
    assert ask(site, "/fast/")[0] == 200


def test_children_come_and_go(stage, threaded):
    """Each serves twenty connections, those of three rounds: many requests come to a child that has just begun, or that
    ends."""
    site = Site(stage, threaded, "self", H2C + "MaxConnectionsPerChild 20\n")
    before = site.counted()
    for _ in range(15):
        assert h2load(site, 48, "-c", "6", "-m", "8") == (42, 6)
    site.expect(before, 15 * 48)
