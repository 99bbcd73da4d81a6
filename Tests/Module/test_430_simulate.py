# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhand-simulate: where its announcements go."""

import contextlib
import socket
import subprocess
import sys

import pytest
from harness.httpd import BUILD

GROUP = "239.255.9.9"


def simulate(*arguments):
    return subprocess.run(
        [str(BUILD / "backhand-simulate"), "--peers", "2", "--seconds", "1", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@contextlib.contextmanager
def listener(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.settimeout(5)
        heard.bind((address, 0))
        yield heard, heard.getsockname()[1]


@pytest.mark.parametrize("destination", ["127.0.0.1", "127.9.8.7", "127.255.255.255"])
def test_loopback(destination):
    with listener("0.0.0.0") as (heard, port):
        result = simulate("--destination", f"{destination}:{port}")
        assert (result.returncode, result.stderr) == (0, "")
        assert {heard.recvfrom(2000)[1][0] for _ in range(2)} == {"127.1.0.1", "127.1.0.2"}


@pytest.mark.parametrize(
    "ttl,arguments,hops",
    [("", (), 1), (",5", (), 5), (",5", ("--ttl", "7"), 7), ("", ("--ttl", "7"), 7)],
    ids=("neither", "of the destination", "both", "option"),
)
def test_hops_of_multicast(ttl, arguments, hops):
    with listener(GROUP) as (heard, port):
        heard.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        )
        heard.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        result = simulate("--destination", f"{GROUP}:{port}{ttl}", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        ((level, kind, value),) = heard.recvmsg(2000, 100)[1]
        assert (level, kind, int.from_bytes(value, sys.byteorder)) == (socket.IPPROTO_IP, socket.IP_TTL, hops)


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (("--destination", "10.0.0.1:4445"), "only loopback addresses and multicast groups are sent to"),
        (("--destination", "127.0.0.1"), "the port is missing"),
        (("--destination", "239.255.9.9:4445,0"), "the ttl must be 1 to 255"),
        (("--destination", "239.255.9.9:4445", "--ttl", "256"), "--ttl must be 1 to 255"),
    ],
)
def test_refused(arguments, complaint):
    result = simulate(*arguments)
    assert (result.returncode, result.stdout) == (64, "") and complaint in result.stderr
