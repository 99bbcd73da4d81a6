# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What ends moderators again and again does not make the parent fork in a loop: httpd's parent sleeps for a second when
it finds no process that has ended, and a moderator that was just forked has not."""

import contextlib
import os
import signal
import threading
import time

import pytest
from harness import modules
from harness.stage import CLUSTER
from harness.wait import wait_for

# Another epoch in the segment says that another moderator has taken over.
USURPER = (
    modules.FIND_SEGMENT
    + r"""
static int usurp(request_rec *r) {
    if (!r->handler || strcmp(r->handler, "usurp")) return DECLINED;
    bh_segment_t *segment = find();
    if (!segment) return HTTP_NOT_FOUND;
    apr_time_t end = apr_time_now() + apr_time_from_sec(6);
    for (; apr_time_now() < end; apr_sleep(200)) segment->owner_epoch++;
    ap_rputs("done\n", r);
    return OK;
}

static void hooks(apr_pool_t *p) { ap_hook_handler(usurp, NULL, NULL, APR_HOOK_MIDDLE); }

AP_DECLARE_MODULE(usurp) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""
)


@pytest.fixture(scope="module")
def usurper(tmp_path_factory):
    return (
        modules.build(tmp_path_factory.mktemp("usurp"), "usurp", USURPER)
        + "<Location /usurp>\nSetHandler usurp\n</Location>\n"
    )


def starts(server):
    return server.log.count(r"BH0206")


def is_bounded(server, seconds):
    """One a second, and some that ended before the parent looked again."""
    return 1 < starts(server) <= seconds + 3


def recovers(server):
    """As soon as it is let alone, there is a moderator that works, and stays."""
    wait_for(
        lambda: server.status().json["self"]["moderator_age_ms"] < 1000,
        5,
        "a moderator that works",
        show=server.log.text,
    )
    pid = server.moderator()
    time.sleep(1.5)
    assert server.moderator() == pid


def test_a_child_that_writes_another_epoch(stage, mpm, usurper):
    server = stage.httpd(CLUSTER + usurper, mpm=mpm)
    server.log.allow("BH0206")
    server.knows()
    begin = time.monotonic()
    assert server.get("/usurp").text == "done\n"
    took = time.monotonic() - begin
    assert is_bounded(server, took)
    recovers(server)
    assert server.get("/").status == 200


def test_a_moderator_that_is_killed_again_and_again(stage, mpm):
    server = stage.httpd(CLUSTER, mpm=mpm)
    server.log.allow("BH0206")
    server.knows()
    end = threading.Event()

    def kill():
        while not end.is_set():
            for pid in server.moderators():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            end.wait(0.005)

    thread = threading.Thread(target=kill)
    thread.start()
    begin = time.monotonic()
    time.sleep(6)
    end.set()
    thread.join()
    assert is_bounded(server, time.monotonic() - begin)
    recovers(server)
