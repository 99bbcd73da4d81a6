# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Candidacy functions that are loaded: what they see, what they may do, and what comes of it when they are wrong."""

import pytest
from harness.announce import Announcement
from harness.modules import candidacy_functions
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

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
int strange_mode(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[0].mode = 7; return *n; }
int send_away(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    for (int i = 0; i < *n; i++) { servers[i].mode = BACKHAND_MODE_REDIRECT; servers[i].hostheader = arg; }
    return *n;
}
int behind(request_rec *r, ServerSlot *servers, int *n, char *arg) { servers[MAXSERVERS].id = 1; return *n; }
"""

SERVERS = [
    Announcement(f"127.0.9.{number}", 80, f"host-{number}", load=load, arriba=2_000_000_000 + number)
    for number, load in ((41, 1000), (42, 5000), (43, 9000))
]
FIRST, SECOND, THIRD = SERVERS


@pytest.fixture(scope="module")
def shared_object(module_stage):
    return candidacy_functions(module_stage.folder, "own", SOURCE, "-O1", "-Wall", "-Werror")


@pytest.fixture(scope="module")
def serve(module_stage, shared_object):
    """An httpd with a chain of these lines, with $so for the object."""

    def start(*lines):
        chain = "\n".join(lines).replace("$so", str(shared_object))
        server = module_stage.httpd(
            CLUSTER_OF_9 + f"BackhandTrace On\nBackhand removeSelf\n{chain}\n", group=module_stage.new_group()
        )
        module_stage.plant(server, *SERVERS)
        return server

    return start


@pytest.fixture(scope="module")
def ask(serve):
    """Runs a chain of these lines, with $so for the object; returns the trace."""

    def run(*lines):
        run.server = serve("BackhandMode Observe", *lines)
        answer = run.server.get("/")
        assert answer.status == 200
        return answer.trace

    return run


@pytest.mark.parametrize(
    "lines, best, count",
    [
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
    ],
)
def test_results(ask, lines, best, count):
    trace = ask(*lines)
    assert (trace.server, trace.chain[-1].after) == (best.id, count)


@pytest.mark.parametrize(
    "function", ["too_many", "negative", "no_such_id", "huge_id", "negative_id", "twice", "strange_mode"]
)
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


def test_who_damages_memory_is_not_called_again(stage, shared_object, mpm):
    """In no child and no section, until the next restart; one line tells."""
    line = f"BackhandFromSO {shared_object} behind\n"
    server = stage.httpd(
        CLUSTER_OF_9 + f"BackhandTrace On\nBackhandMode Observe\nBackhand removeSelf\n{line}"
        f"<Location /other>\nBackhand removeSelf\n{line}Backhand byLoad\n</Location>\n",
        mpm=mpm,
        files={"other": "other"},
    )
    stage.plant(server, *SERVERS)
    server.log.expect(r":error\].*BH0420: candidacy function behind wrote past the end of the list")
    for _ in range(30):
        assert server.get("/").trace.left == [("removeSelf", 3), ("behind", 3)]
        assert server.get("/other").trace.left == [("removeSelf", 3), ("behind", 3), ("byLoad", 3)]
    assert server.log.count("BH0420") == 1 and server.log.count("BH0401") == 0
    server.restart()

    def is_called_again():
        """By a child of the new generation: one of the old may still take a request."""
        assert server.get("/").trace.left == [("removeSelf", 3), ("behind", 3)]
        return server.log.count("BH0420") == 2

    wait_for(is_called_again, 5, "the next call")


def test_another_function_of_the_same_object_is_called(ask):
    trace = ask("BackhandFromSO $so behind", "BackhandFromSO $so keep_last")
    ask.server.log.expect("BH0420")
    assert trace.left == [("removeSelf", 3), ("behind", 3), ("keep_last", 1)]
    assert ask.server.get("/").trace.left == trace.left


@pytest.mark.parametrize(
    "name, location",
    [
        ("www.example.com", "http://www.example.com/a?b=c"),
        ("%1S.example.com", "http://host-41.example.com/a?b=c"),
        ("[2001:db8::7]", "http://[2001:db8::7]/a?b=c"),
    ],
)
def test_may_redirect(serve, name, location):
    server = serve(f"BackhandFromSO $so send_away {name}", "Backhand byLoad")
    answer = server.get("/a?b=c")
    assert (answer.status, answer.header("Location"), answer.trace.action) == (302, location, "redirect")
    assert answer.trace.server == FIRST.id


@pytest.mark.parametrize("name", ["%", "a/b", "a@b", '"a b"', "evil.com:80", "%-1S"])
def test_a_name_that_is_none_becomes_the_address(serve, name):
    # By load, because the rows are in the order in which the servers were heard.
    server = serve(f"BackhandFromSO $so send_away {name}", "Backhand byLoad")
    assert server.get("/").header("Location") == "http://127.0.9.41/"
    server.log.expect(r":warn\].*BH0421")


def test_restarts_load_it_again(stage, shared_object):
    server = stage.httpd(CLUSTER_OF_9 + f"BackhandTrace On\nBackhandFromSO {shared_object} have_speed\n")
    server.knows()
    for _ in range(3):
        assert server.get("/").trace.left == [("have_speed", 1)]
        server.restart()
