# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_proxy and mod_proxy_http: needed as soon as some chain can proxy; where their LoadModule lines stand does not
matter."""

import pytest
from harness.announce import Announcement
from harness.httpd import USUAL
from harness.stage import CLUSTER_OF_9

OTHERS = [name for name in USUAL if name not in ("backhand", "proxy", "proxy_http")]


# httpd itself cannot load mod_proxy_http before mod_proxy.
ORDERS = [("backhand", "proxy", "proxy_http"), ("proxy", "backhand", "proxy_http"), ("proxy", "proxy_http", "backhand")]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_order_of_load_module(stage, order):
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", order=[*OTHERS, *order])
    stage.plant(server, Announcement(backend.address, backend.port))
    assert server.get("/").text == backend.id
    server.restart()
    assert server.get("/").text == backend.id


@pytest.mark.parametrize("missing", ["mod_proxy", "mod_proxy_http"])
@pytest.mark.parametrize(
    "config",
    [
        "Backhand byLoad",
        "<Location /deep>\nBackhand byLoad\n</Location>",
        "<VirtualHost *>\nBackhand byLoad\n</VirtualHost>",
    ],
)
def test_missing_module_is_told_in_one_line(stage, missing, config):
    without = ("proxy", "proxy_http") if missing == "mod_proxy" else ("proxy_http",)
    server = stage.httpd(config + "\n", without=without, start=False)
    code, text = server.test_config()
    assert code == 1
    lines = [line for line in text.splitlines() if "BH" in line]
    assert len(lines) == 1 and f"needs {missing}," in lines[0] and f"{server.conf}:" in lines[0]


@pytest.mark.parametrize("config", ["", "Backhand off\n", CLUSTER_OF_9])
def test_not_missed_without_a_chain(stage, config):
    server = stage.httpd(config, without=("proxy", "proxy_http"))
    assert server.get("/").status == 200
