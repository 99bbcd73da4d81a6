# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Requests that waited for a worker of a server, whose kernel had taken their connections, took long; its application
did not. That is over soon."""

import contextlib
import threading
import time

import pytest
from harness import modules
from harness.crowd import Crowd, shares
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

# Waits for as many milliseconds as the query says, or for 40.
PAUSE = r"""
#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pause_a_while(request_rec *r) {
    if (!r->handler || strcmp(r->handler, "pause")) return DECLINED;
    usleep(1000u * (unsigned)(r->args ? atoi(r->args) : 40));
    ap_set_content_type(r, "text/plain");
    ap_rputs("done\n", r);
    return OK;
}
static void hooks(apr_pool_t *pool) {
    (void)pool;
    ap_hook_handler(pause_a_while, NULL, NULL, APR_HOOK_MIDDLE);
}
AP_DECLARE_MODULE(pause) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""

WORKERS = 4
HELD_MS = 1500


@contextlib.contextmanager
def full(server, rounds):
    """Somebody else's requests hold all of its workers, and as many wait behind them for each further round."""

    def hold():
        with server.client() as client:
            client.timeout = 30
            client.request(f"/?{HELD_MS}")

    threads = [threading.Thread(target=hold) for _ in range(WORKERS * rounds)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


@pytest.mark.alone
def test_a_wait_is_forgotten(stage):
    config = "<Location />\nSetHandler pause\n</Location>\n"
    servers = [
        stage.httpd(
            CLUSTER
            + modules.build(stage.folder, "pause", PAUSE)
            + config
            + f"MaxRequestWorkers {WORKERS}\nMaxSpareServers {WORKERS}\n",
            mpm="prefork",
            workers=WORKERS,
            address=f"127.0.9.{number}",
        )
        for number in (2, 3)
    ]
    for server in servers:
        server.log.allow("AH00161")
    front = stage.httpd(
        CLUSTER_OF_9 + "<Location />\nBackhand removeSelf\nBackhand default\n</Location>\nBackhandTrace On\n",
        mpm="event",
        workers=64,
    )
    front.knows(*servers)
    with Crowd(front, 8) as crowd:
        # It is chance whether a request of the crowd goes to a server that has just been filled.
        for _ in range(4):
            wait_for(
                lambda: len(crowd.asked) > 100 and shares(crowd.asked[-100:]).get(servers[0].id, 0) > 0.3,
                10,
                "both to be used",
            )
            before = len(crowd.asked)
            with full(servers[0], 3):
                time.sleep(1)
                busy = crowd.for_seconds(1)
            after = crowd.for_seconds(2)
            longest = max(one.took for one in crowd.asked[before:])
            if longest > 2 * HELD_MS / 1000:
                break
        late = crowd.for_seconds(2)
    assert shares(busy).get(servers[0].id, 0) < 0.1, "it was not full"
    assert longest > 2 * HELD_MS / 1000, "nothing has waited"
    assert shares(late).get(servers[0].id, 0) > 0.4, [shares(some) for some in (busy, after, late)]
