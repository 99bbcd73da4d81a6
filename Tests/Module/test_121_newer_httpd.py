# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A module that was compiled for an older httpd 2.4: mod_proxy's structs may have grown since, so they are not
copied."""

import subprocess

import pytest
from harness.front import CHAIN, announcement_of
from harness.httpd import REPOSITORY


@pytest.fixture(scope="module")
def older(module_stage):
    """mod_backhand.so as if httpd's headers had been the first of 2.4."""
    folder = module_stage.folder / "older"
    make = subprocess.run(
        ["make", "-s", f"BUILD={folder}", "CFLAGS=-O1 -DMB_BUILT_MINOR=0", str(folder / "mod_backhand.so")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert make.returncode == 0, make.stdout + make.stderr
    return folder / "mod_backhand.so"


def test_it_forwards_with_the_clients_host(stage, mpm, older):
    server = stage.backend("127.0.9.2")
    front = stage.httpd(
        f"LoadModule backhand_module {older}\nBackhandSlowStart 0\n" + CHAIN, without=("backhand",), mpm=mpm
    )
    stage.plant(front, announcement_of(server))
    assert front.get("/page", headers={"Host": "shop.test"}).text == server.id
    assert server.requests[0].header("Host") == "shop.test"
