# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the documents for authors of candidacy functions promise: each example is built as its page says, and
decides."""

import re
import shutil
import subprocess

import pytest
from harness.announce import Announcement
from harness.apxs import HEADERS, compiled
from harness.httpd import REPOSITORY
from harness.stage import CLUSTER_OF_9

PAGE = REPOSITORY / "docs/writing-a-candidacy-function.md"
TEMPLATE = REPOSITORY / "httpd-conf-examples/swift-function"

SERVERS = [
    Announcement(f"127.0.9.{number}", 80, f"host-{number}", free_memory=megabytes << 20)
    for number, megabytes in ((51, 100), (52, 512), (53, 4096))
]

# As somebody wrote it for Apache 1.3: every field of serverstat, the constants, and a declaration of what the header
# declares too.
OF_OLD = r"""
#include "httpd.h"
#include "http_config.h"
#include "http_log.h"
#include "mod_backhand.h"

extern serverstat *serverstats;

static int sessions[MAXSERVERS];

int byEverything(r, servers, n, arg)
    request_rec *r;
    ServerSlot *servers;
    int *n;
    char *arg;
{
    int i, j, best = find_highest_arriba(serverstats);
    time_t now = time(NULL);
    ServerSlot kept[MAXSERVERS];
    for (i = 0, j = 0; i < *n; i++) {
        serverstat *s = &serverstats[servers[i].id];
        int sum = s->arriba + s->aservers + s->nservers + s->load + s->load_hwm + s->cpu + s->ncpu + s->tmem + s->amem
                  + s->numbacked + s->tatime;
        if (s->mtime + SERVER_TIMEOUT < now) continue;
        if (s->contact.sin_family != AF_INET || ntohs(s->contact.sin_port) == 0) continue;
        if (s->contact.sin_addr.s_addr == 0) continue;
        if (s->hostname[0] == '\0' || strlen(s->hostname) >= sizeof s->hostname) continue;
        if (best < mod_backhand_personal_arriba || sum == 0) continue;
        if (arg != NULL && strcmp(s->hostname, arg) != 0) continue;
        if (sessions[servers[i].id] > MAXSESSIONSPERSERVER) continue;
        kept[j++] = servers[i];
    }
    memcpy(servers, kept, j * sizeof(ServerSlot));
    *n = j;
    return j;
}
"""


@pytest.fixture
def ask(stage):
    """Runs a chain of one line over self and SERVERS; returns the trace."""

    def run(line):
        server = stage.httpd(CLUSTER_OF_9 + f"BackhandTrace On\nBackhandMode Observe\nBackhand removeSelf\n{line}\n")
        stage.plant(server, *SERVERS)
        return server.get("/").trace

    return run


def test_the_pages_function(stage, ask):
    (source,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.DOTALL)
    trace = ask(f"BackhandFromSO {compiled(stage.folder, 'byMemory', source)} byMemory 512")
    assert (trace.left[-1], trace.server) == (("byMemory", 2), SERVERS[1].id)


def test_the_pages_line_installs_it(stage):
    """apxs as the page has it, but for the place."""
    (line,) = re.findall(r"^    (apxs .* byMemory\.c)$", PAGE.read_text(), re.MULTILINE)
    (stage.folder / "byMemory.c").write_text("int byMemory(void);\nint byMemory(void) { return 0; }\n")
    libexec = stage.folder / "modules"
    libexec.mkdir()
    apxs, *rest = line.split()
    subprocess.run([apxs, "-S", f"LIBEXECDIR={libexec}", *rest], cwd=stage.folder, check=True, capture_output=True)
    assert (libexec / "byMemory.so").exists()


@pytest.mark.skipif(not shutil.which("swift"), reason="needs Swift")
def test_the_swift_template(stage, ask):
    folder = stage.folder / "template"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns(".build"))
    subprocess.run(["swift", "build", "-c", "release", "-Xcc", HEADERS], cwd=folder, check=True, capture_output=True)
    built = folder / ".build/release/libbyMemory.so"
    needed = re.findall(
        r"NEEDED.*\[(.*)\]", subprocess.run(["readelf", "-d", built], capture_output=True, text=True, check=True).stdout
    )
    assert needed == ["libc.so.6"]
    trace = ask(f"BackhandFromSO {built} byMemory 512")
    assert (trace.left[-1], trace.server) == (("byMemory", 2), SERVERS[1].id)


@pytest.mark.parametrize("argument, count", [("", 3), ("host-53", 1), ("nobody", 0)])
def test_a_function_of_old(stage, ask, argument, count):
    trace = ask(f"BackhandFromSO {compiled(stage.folder, 'byEverything', OF_OLD)} byEverything {argument}")
    assert trace.left[-1] == ("byEverything", count)
