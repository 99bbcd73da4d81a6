# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control socket and backhandctl."""

import grp
import json
import os
import pwd
import socket
import stat
import subprocess

import pytest
from harness import status
from harness.announce import Announcement
from harness.httpd import BUILD
from harness.stage import CLUSTER
from harness.wait import wait_for

CTL = BUILD / "backhandctl"
OTHER = Announcement("127.0.9.7", 8087, "other-7")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CLUSTER)
    module_stage.plant(server, OTHER)
    return server


def test_mode(server):
    about = server.control_socket.stat()
    assert stat.S_ISSOCK(about.st_mode) and stat.S_IMODE(about.st_mode) == 0o660


@root_only
def test_owner_and_group(server):
    about = server.control_socket.stat()
    assert (pwd.getpwuid(about.st_uid).pw_name, grp.getgrgid(about.st_gid).gr_name) == ("www-data", "www-data")


@root_only
def test_group_can_be_set(stage):
    server = stage.httpd(CLUSTER + "BackhandSocketGroup daemon\n")
    server.knows()
    about = server.control_socket.stat()
    assert (grp.getgrgid(about.st_gid).gr_name, stat.S_IMODE(about.st_mode)) == ("daemon", 0o660)


@pytest.mark.parametrize("line", ["", "\n", "nonsense\n", "status extra\n", "STATUS\n", "x" * 100_000 + "\n", b"\xff\0\n", "status"],
                         ids=("nothing", "empty", "nonsense", "argument", "capitals", "long", "bytes", "no end"))
def test_bad_lines_do_no_harm(server, line):
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(str(server.control_socket))
            connection.sendall(line.encode() if isinstance(line, str) else line)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    except OSError:
        pass  # closed on us: as good an answer
    assert OTHER.id in server.status().servers


def test_silent_clients_do_not_block_others(server):
    silent = []
    for _ in range(20):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(1)
        try:
            connection.connect(str(server.control_socket))
        except OSError:
            break  # enough of them
        silent.append(connection)
    assert len(silent) > 3
    wait_for(lambda: OTHER.id in server.status().servers, 10, "an answer beside the silent ones")
    # And announcements still go out.
    before = server.status().counters["announced"]
    wait_for(lambda: server.status().counters["announced"] > before, 5, "the next announcement")
    for connection in silent:
        connection.close()


def test_clients_that_do_not_read_do_not_block_others(server):
    deaf = []
    for _ in range(5):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(str(server.control_socket))
        connection.sendall(b"status\n")
        deaf.append(connection)
    before = wait_for(server.status, 10, "an answer").counters["announced"]
    wait_for(lambda: server.status().counters["announced"] > before, 10, "the next announcement")
    for connection in deaf:
        connection.close()


def run(*arguments):
    return subprocess.run([str(CTL), *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_backhandctl_table(server):
    result = run("status", "-s", str(server.control_socket))
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert any(OTHER.id in line and "other-7" in line for line in lines)
    assert any(server.id in line for line in lines)


def test_backhandctl_json(server):
    result = run("status", "--json", "-s", str(server.control_socket))
    assert result.returncode == 0
    assert OTHER.id in status.Status(result.stdout).servers
    assert json.loads(result.stdout).keys() == server.status().json.keys()


def test_backhandctl_without_a_server(stage):
    path = stage.folder / "backhand-1.sock"
    result = run("status", "-s", str(path))
    assert result.returncode != 0 and result.stdout == "" and str(path) in result.stderr
