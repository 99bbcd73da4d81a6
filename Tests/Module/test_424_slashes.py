# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What servers tell of AllowEncodedSlashes and MergeSlashes, which must agree on all of them."""

import subprocess

import pytest
from harness.announce import Announcement
from harness.httpd import BUILD
from harness.stage import CLUSTER
from harness.wait import wait_for


def slashes(row):
    return row["encoded_slashes"], row["merge_slashes"]


@pytest.mark.parametrize(
    "lines, told",
    [
        ("", ("Off", "On")),
        ("AllowEncodedSlashes On\nMergeSlashes On\n", ("On", "On")),
        ("AllowEncodedSlashes NoDecode\nMergeSlashes Off\n", ("NoDecode", "Off")),
        # The default server's count.
        (
            "AllowEncodedSlashes On\n<VirtualHost *>\nServerName other.test\nAllowEncodedSlashes "
            "NoDecode\nMergeSlashes Off\n</VirtualHost>\n",
            ("On", "On"),
        ),
    ],
)
def test_what_is_configured_is_announced(stage, lines, told):
    """Also after a restart with other values."""
    one = stage.httpd(CLUSTER, address="127.0.0.4")
    other = stage.httpd(CLUSTER + lines, address="127.0.0.5")
    assert slashes(one.knows(other).servers[other.id]) == told
    assert slashes(other.knows(one).servers[one.id]) == ("Off", "On")
    assert slashes(other.status().self) == told
    one.configure(CLUSTER + "AllowEncodedSlashes NoDecode\n")
    one.restart()
    wait_for(lambda: slashes(other.status().servers[one.id]) == ("NoDecode", "On"), 5, "the new value")


def test_what_others_announce(stage):
    """A server that tells nothing, or what no program tells today, is not known; backhandctl lists those that
    differ."""
    server = stage.httpd(CLUSTER + "AllowEncodedSlashes On\n")
    told = [
        (Announcement("127.0.9.2", 80, slashes=(3, 1)), ("NoDecode", "Off")),
        (Announcement("127.0.9.3", 80, slashes=(1, 2)), ("Off", "On")),
        (Announcement("127.0.9.4", 80), ("unknown", "unknown")),
        (Announcement("127.0.9.5", 80, slashes=(4, 2)), ("unknown", "unknown")),
    ]
    rows = stage.plant(server, *(announcement for announcement, _ in told)).servers
    assert [slashes(rows[announcement.id]) for announcement, _ in told] == [expected for _, expected in told]
    lines = subprocess.run(
        [BUILD / "backhandctl", "status", "-s", server.control_socket], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[-3:] == [
        "AllowEncodedSlashes NoDecode, MergeSlashes Off: 127.0.9.2:80",
        "AllowEncodedSlashes Off, MergeSlashes On: 127.0.9.3:80",
        f"AllowEncodedSlashes On, MergeSlashes On: {server.id}",
    ]


def test_nothing_differs(stage):
    server = stage.httpd(CLUSTER)
    stage.plant(server, Announcement("127.0.9.3", 80, slashes=(1, 2)), Announcement("127.0.9.4", 80))
    text = subprocess.run(
        [BUILD / "backhandctl", "status", "-s", server.control_socket], capture_output=True, text=True, check=True
    ).stdout
    assert "Slashes" not in text
