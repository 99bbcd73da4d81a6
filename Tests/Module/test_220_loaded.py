# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Candidacy functions of one's own: what they see, what they may do, and what comes of it when they are wrong."""

import subprocess

import pytest
from harness.announce import Announcement
from harness.httpd import REPOSITORY
from harness.stage import CLUSTER_OF_9

SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mod_backhand.h"

int keep_last(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    if (*n) servers[0] = servers[*n - 1];
    *n = *n ? 1 : 0;
    return *n;
}
int named(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    int kept = 0;
    for (int i = 0; i < *n; i++)
        if (strcmp(serverstats[servers[i].id].hostname, arg) == 0) servers[kept++] = servers[i];
    return *n = kept;
}
int without_argument(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    if (arg) *n = 0;
    return *n;
}
int all(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    *n = 0;
    for (int id = 0; id < MAXSERVERS; id++)
        if (serverstats[id].mtime) { servers[*n].id = id; servers[*n].mode = 0; servers[(*n)++].hostheader = NULL; }
    return *n;
}
int make_idle(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    for (int i = 0; i < *n; i++)
        if (serverstats[servers[i].id].load == 5000) serverstats[servers[i].id].load = 0;
    return *n;
}
int fastest(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    int best = find_highest_arriba(serverstats), kept = 0;
    for (int i = 0; i < *n; i++)
        if (serverstats[servers[i].id].arriba == best) servers[kept++] = servers[i];
    return *n = kept;
}
int have_speed(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    if (mod_backhand_personal_arriba <= 0) *n = 0;
    return *n;
}
int too_many(request_rec *r, ServerSlot *servers, int *n, char *arg) { return *n = MAXSERVERS + 1; }
int negative(request_rec *r, ServerSlot *servers, int *n, char *arg) { return *n = -1; }
int no_such_id(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[0].id = 77; return *n = 1; }
int huge_id(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[0].id = 1 << 30; return *n = 1; }
int negative_id(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[0].id = -1; return *n = 1; }
int twice(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[1] = servers[0]; return *n = 2; }
int fill(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    for (int i = *n; i < MAXSERVERS; i++) servers[i] = servers[0];
    return *n;
}
int behind(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[MAXSERVERS].id = 1; return *n; }
"""

SERVERS = [Announcement(f"127.0.9.{number}", 80, f"host-{number}", load=load, arriba=2_000_000_000 + number)
           for number, load in ((41, 1000), (42, 5000), (43, 9000))]
FIRST, SECOND, THIRD = SERVERS


@pytest.fixture(scope="module")
def shared_object(module_stage):
    source, result = module_stage.folder / "own.c", module_stage.folder / "own.so"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", f"-I{REPOSITORY}/Sources/CBackhand/include",
                    "-o", str(result), str(source)], check=True)
    return result


@pytest.fixture(scope="module")
def ask(module_stage, shared_object):
    """Runs a chain of these lines, with $so for the object; returns the trace."""
    def run(*lines):
        chain = "\n".join(lines).replace("$so", str(shared_object))
        server = module_stage.httpd(CLUSTER_OF_9 + f"BackhandTrace On\nBackhandMode Observe\nBackhand removeSelf\n{chain}\n",
                                    group=module_stage.new_group())
        module_stage.plant(server, *SERVERS)
        run.server = server
        answer = server.get("/")
        assert answer.status == 200
        return answer.trace
    return run


@pytest.mark.parametrize("lines, best, count", [
    (["BackhandFromSO $so keep_last"], THIRD, 1),
    (["BackhandFromSO $so named host-42"], SECOND, 1),
    (["BackhandFromSO $so without_argument"], FIRST, 3),
    (["BackhandFromSO $so fastest"], THIRD, 1),
    (["BackhandFromSO $so have_speed"], FIRST, 3),
    (["BackhandFromSO $so fill"], FIRST, 3),
    # What it adds is there, in its order: self first.
    (["BackhandFromSO $so all", "Backhand removeSelf"], FIRST, 3),
    # What it writes counts until the next announcement.
    (["BackhandFromSO $so make_idle", "Backhand byLoad"], SECOND, 3),
])
def test_results(ask, lines, best, count):
    trace = ask(*lines)
    assert (trace.server, trace.chain[-1].after) == (best.id, count)


@pytest.mark.parametrize("function", ["too_many", "negative", "no_such_id", "huge_id", "negative_id", "twice", "behind"])
def test_faults_are_ignored_and_told_once(ask, function):
    """The step is as if it were not there, and a line says so, once a minute in each child."""
    trace = ask(f"BackhandFromSO $so {function}", "Backhand byLoad")
    server = ask.server
    assert trace.left == [("removeSelf", 3), (function, 3), ("byLoad", 3)]
    assert trace.server == FIRST.id
    for _ in range(20):
        assert server.get("/").trace.server == FIRST.id
    server.log.expect(rf":error\].*BH0401: .*{function}")
    assert server.log.count("BH0401") <= len(server.children())


def test_restarts_load_it_again(stage, shared_object):
    server = stage.httpd(CLUSTER_OF_9 + f"BackhandTrace On\nBackhandFromSO {shared_object} have_speed\n")
    server.knows()
    for _ in range(3):
        assert server.get("/").trace.left == [("have_speed", 1)]
        server.restart()
