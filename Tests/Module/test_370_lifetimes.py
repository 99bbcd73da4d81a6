# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What httpd makes of one request inside itself (subrequests, fast and internal redirects), and memory that is gone at
its end.

No child crashes, and each request counts once, however many requests httpd makes of it.
"""

import gzip
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.situations import SITUATIONS, Site
from harness.wait import wait_for


@pytest.fixture(scope="module", params=["self", "pair"])
def site(request, mpm_stage, module_mpm):
    return Site(mpm_stage, module_mpm, request.param)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation(site, name):
    path, how, status, text = SITUATIONS[name]
    before = site.counted()
    # Some on a connection that is kept, some on one of their own: their memory goes at other times.
    with site.asked.client() as client:
        answers = [client.request(path, **how) for _ in range(5)]
    answers += [site.asked.get(path, **how) for _ in range(5)]
    assert [(answer.status, answer.text if text is not None else None) for answer in answers] == [(status, text)] * 10
    # No chain sees what httpd answers before its handlers; at the server of a pair it is a peer's request all the same.
    counted = 0 if status in (301, 403) and not site.front else 10
    site.expect(before, counted if status < 500 else 0, counted if status >= 500 else 0)


def test_sections_of_the_file_that_was_found_count(site):
    before = site.counted()
    assert site.asked.get("/fast/").header("X-Files") == "index"
    assert site.asked.get("/views/page").header("X-Files") == "page"
    assert site.asked.get("/?if").header("X-If") == "yes"
    site.expect(before, 3)


def test_packed(site):
    before = site.counted()
    answers = [site.asked.get("/packed/text.txt", headers={"Accept-Encoding": "gzip"}) for _ in range(3)]
    assert [gzip.decompress(answer.body) for answer in answers] == [b"packed\n" * 100] * 3
    site.expect(before, 3)


def test_all_at_once(site):
    """Under load one child's memory is used again by others of its threads."""
    before = site.counted()
    names = [name for name, (_, _, status, _) in SITUATIONS.items() if status not in (301, 403, 500)] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: site.asked.get(SITUATIONS[name][0], **SITUATIONS[name][1]), names))
    assert [answer.status for answer in answers] == [SITUATIONS[name][2] for name in names]
    site.expect(before, len(names))


def test_clients_that_go_in_the_middle(site):
    """Of an answer, and of a redirected one."""
    before = site.counted()
    for _ in range(10):
        for path in ("/large.bin", "/ssi/folder.shtml"):
            with socket.create_connection((site.asked.address, site.asked.port), 10) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode())
                connection.recv(1000)
    wait_for(lambda: all(now[2] == 0 for now in site.counted()), 10, "none in flight", show=site.counted)
    after = site.counted()
    # A front that loses its client ends the connection to the server.
    assert [sum(now[:2]) - sum(then[:2]) for now, then in zip(after, before, strict=True)] == [20] * len(after)
    before = site.counted()
    assert site.asked.get("/fast/").status == 200
    site.expect(before, 1)


def test_pipelined(site):
    before = site.counted()
    request = "GET {} HTTP/1.1\r\nHost: site.test\r\n{}\r\n"
    paths = ["/fast/", "/nowhere", "/controller/x", "/views/page", "/ssi/folder.shtml"]
    sent = "".join(request.format(path, "") for path in paths * 4) + request.format("/fast/", "Connection: close\r\n")
    answer = site.asked.raw(sent.encode()).decode()
    assert (answer.count("HTTP/1.1 200"), answer.count("HTTP/1.1 404"), answer.count("HTTP/1.1 ")) == (17, 4, 21)
    site.expect(before, 21)
