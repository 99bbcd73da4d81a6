# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The file that is deployed, and that httpd runs with it."""

import os
import re
import subprocess

import pytest
from harness import processes, sockets
from harness.httpd import BUILD
from harness.stage import CLUSTER

MODULE = BUILD / "mod_backhand.so"

EXPORTED = {"backhand_module", "serverstats", "mod_backhand_personal_arriba", "find_highest_arriba"}
LINKED = {"libc.so.6", "libm.so.6", "libcrypto.so.3"}
LARGEST = 496_000


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_size(tmp_path):
    stripped = tmp_path / "mod_backhand.so"
    run("strip", "-o", str(stripped), str(MODULE))
    assert 10_000 < stripped.stat().st_size < LARGEST


def test_no_string_of_swift():
    """String's indices, breadcrumbs and repair of UTF-8 are 16 kB: the core's texts are bytes (Message, Word, Path)."""
    names = run("nm", str(MODULE)).split()
    assert any("BackhandText7Message" in name for name in names)
    assert [name for name in names if "_StringGuts" in name or "9Substring" in name] == []


def test_exported_symbols():
    lines = run("nm", "-D", "--defined-only", str(MODULE)).splitlines()
    assert {line.split()[-1].split("@")[0] for line in lines} == EXPORTED


def test_linked_libraries():
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", str(MODULE))))
    assert needed and needed <= LINKED


def test_serves_without_any_directive(stage, mpm):
    server = stage.httpd(mpm=mpm)
    answer = server.get("/")
    assert (answer.status, answer.body, answer.trace) == (200, b"httpd1\n", None)
    assert server.moderators() == []
    assert server.logged().endswith("action=- server=-")


def test_if_module(stage):
    server = stage.httpd("<IfModule mod_backhand.c>\nHeader set X-Seen yes\n</IfModule>\n")
    assert server.get("/").header("X-Seen") == "yes"


def test_one_moderator(stage, mpm):
    server = stage.httpd(CLUSTER, mpm=mpm)
    pid = server.moderator()
    table = server.knows()
    assert (table.self["address"], table.self["port"]) == (server.address, server.port)

    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status", encoding="ascii").read().splitlines())
    assert status["NoNewPrivs"].strip() == "1"
    if os.geteuid() == 0:
        assert "0" not in status["Uid"].split() + status["Gid"].split()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at the descriptors of a process that is not dumpable")
def test_the_moderator_does_not_hold_what_clients_use(stage, mpm):
    """A moderator with the listening socket would keep clients waiting while httpd stops."""
    server = stage.httpd(CLUSTER, mpm=mpm)
    pid = server.moderator()
    server.knows()
    inodes = set(processes.links(pid))
    listening = {f"socket:[{one.inode}]" for one in sockets.sockets(sockets.LISTEN, server.port)}
    assert listening and not inodes & listening
    # Those of its own: two that hear, one that announces, two in reserve, netlink's, and the pair in which sockets wait
    # for the next moderator.
    assert len(inodes) < 16
