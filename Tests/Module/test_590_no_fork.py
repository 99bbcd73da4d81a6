# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The system refuses the moderator's process: httpd's parent tries again, without a restart."""

import os
import signal
import subprocess
import time

import pytest
from harness.httpd import PRELOADED
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(bool(PRELOADED), reason="another library is preloaded")

# httpd's parent looks after its children's number every ten seconds or so; children that end meanwhile bring that
# forward.
LOOK = 15

# fork(2) fails while the file is there.
REFUSES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
pid_t fork(void) {
    const char *path = getenv("NO_FORK");
    if (path && access(path, F_OK) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
}
"""


def test_a_refused_fork_is_tried_again(stage, mpm):
    source, library, refused = (stage.folder / name for name in ("refuse.c", "refuse.so", "no-fork"))
    source.write_text(REFUSES)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    server = stage.httpd(
        CLUSTER_OF_9 + "Backhand addSelf\n", mpm=mpm, environment={"LD_PRELOAD": str(library), "NO_FORK": str(refused)}
    )
    server.knows()
    old = server.moderator()
    refused.touch()
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: server.log.lines("BH0207"), 5, "the refusal", show=server.log.text)
    time.sleep(1)
    assert server.moderators() == [] and server.get("/").status == 200
    refused.unlink()
    server.moderator(deadline=LOOK + 2, other_than=old)
    wait_for(lambda: server.log.lines("BH0221"), 2, "the line", show=server.log.text)
    wait_for(
        lambda: server.status().json["self"]["unattended"] is False, 3, "an attended table", show=server.show_status
    )
    server.knows()
    assert len(server.log.lines("BH0207")) == 1
    # It is looked after as any other is.
    new = server.moderator()
    os.kill(new, signal.SIGKILL)
    server.moderator(other_than=new)
    server.log.allow("BH020[67]|AH0005")
