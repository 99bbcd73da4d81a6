# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The port that is announced where no line gives one: that of the first plain Listen in the configuration, whatever
order httpd's list has."""

import signal

import pytest
from harness import ports
from harness.wait import wait_for

CONFIG = "UnixSocketDir ${sockets}\nMulticastStats 127.0.0.7 ${group},1\nAcceptStats 127.0.0.0/8\n"


def own_port(server):
    return wait_for(lambda: server.status().self, 5, "its own row", show=server.log.text)["port"]


def listen(*suffixes):
    """Further Listen lines, with what stands after their ports."""
    return "".join(f"Listen ${{address}}:{ports.free_port('127.0.0.1')}{suffix}\n" for suffix in suffixes)


def test_the_first_of_several(stage, mpm):
    """Also after restarts, and after one with a further line: httpd puts new listeners behind the ones that it has."""
    server = stage.httpd(CONFIG + listen("", ""), mpm=mpm)
    assert own_port(server) == server.port
    for how in (signal.SIGUSR1, signal.SIGHUP):
        server.restart(how)
        assert own_port(server) == server.port
    server.configure(CONFIG + listen("", "", ""))
    for _ in range(2):
        server.restart(signal.SIGHUP)
        assert own_port(server) == server.port


@pytest.mark.parametrize(
    "before",
    [
        "Listen {} https\n",
        "<IfModule core.c>\nListen {} https\n</IfModule>\n",
        'Listen "{}" HTTPS\n',
        "Listen [::1]:{port} https\n",
    ],
)
def test_the_first_without_tls(stage, before):
    server = stage.httpd(CONFIG, start=False)
    port = ports.free_port("127.0.0.1")
    lines = before.format(f"127.0.0.1:{port}", port=port)
    server._base = server._base.replace(
        f"Listen {server.listen}:{server.port}\n",
        lines + f"Listen {server.listen}:{server.port} http\n" + listen("").replace("${address}", server.address),
    )
    server.configure(CONFIG)
    server.start()
    assert own_port(server) == server.port


def test_the_first_within_a_section_and_a_file(stage):
    """<IfModule> and Include are read in their place."""
    server = stage.httpd(CONFIG, start=False)
    (server.root / "ports.conf").write_text(f"<IfModule core.c>\nListen {server.listen}:{server.port}\n</IfModule>\n")
    server._base = server._base.replace(
        f"Listen {server.listen}:{server.port}\n", f"Include {server.root}/ports.conf\n"
    )
    server.configure(CONFIG + listen(""))
    server.start()
    assert own_port(server) == server.port
