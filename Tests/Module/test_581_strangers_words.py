# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Root's parent and the children's user: what that user may write to shared memory, or put into its folders, gives it
nothing of root's."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from harness import modules
from harness.stage import CLUSTER
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to lose")

USER = "www-data"


def own(path, user=USER):
    shutil.chown(path, user, user)
    return path


def pid_in(path):
    return int(path.read_text())


# ---- Shared memory ----

# Runs in a child of httpd, as the children's user: writes into the segment, by its layout in serverstats.h.
NOISE = (
    modules.FIND_SEGMENT
    + r"""
static int spoil(request_rec *r) {
    if (!r->handler || strcmp(r->handler, "spoil")) return DECLINED;
    bh_segment_t *segment = find();
    if (!segment) return HTTP_NOT_FOUND;
    segment->children = segment->child_slots = UINT32_MAX;
    if (r->args && strstr(r->args, "all")) {
        /* Not the word with the epoch, even for a moment: another epoch ends the moderator. */
        uint64_t *kept = (uint64_t *)((uintptr_t)&segment->owner_epoch & ~(uintptr_t)7);
        uint64_t *words = (uint64_t *)&segment->size, *end = (uint64_t *)(segment + 1), state = 88172645463325252;
        while (words < end) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            if (words != kept) *words = state;
            words++;
        }
        segment->unattended = 0;
        segment->owner_pid = -1;
    }
    ap_rputs("done\n", r);
    return OK;
}

static void hooks(apr_pool_t *p) { ap_hook_handler(spoil, NULL, NULL, APR_HOOK_MIDDLE); }

AP_DECLARE_MODULE(spoil) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""
)


@pytest.fixture(scope="module")
def spoil(tmp_path_factory):
    """The module's line for the configuration."""
    return (
        modules.build(tmp_path_factory.mktemp("spoil"), "spoil", NOISE)
        + "<Location /spoil>\nSetHandler spoil\n</Location>\n"
    )


@pytest.mark.parametrize("how", ["counts", "all"])
def test_noise_in_the_segment(stage, mpm, spoil, how):
    """Children end, the parent restarts gracefully and at once, the moderator works on: nothing ends by a signal."""
    server = stage.httpd(CLUSTER + spoil, mpm=mpm)
    server.knows()
    moderator = server.moderator()
    for number in range(6):
        assert server.get(f"/spoil?{how}").text == "done\n"
        children = server.children()
        os.kill(children[number % len(children)], signal.SIGKILL)
        wait_for(
            lambda: children[number % len(children)] not in server.children() and server.children(), 10, "another child"
        )
        # It goes its rounds, and answers: with how much sense, is the children's user's business.
        server.status()
    time.sleep(1.2)
    assert server.moderator() == moderator
    for signal_of in (signal.SIGUSR1, signal.SIGHUP):
        old = server.moderator()
        server.restart(signal_of)
        server.moderator(other_than=old)
        assert server.get("/").status == 200
    assert server.process.poll() is None
    server.log.allow(r"AH0005[12]: child pid \d+ exit signal Killed")


# ---- Paths ----


@pytest.fixture
def precious(stage):
    """A folder of root's, and a file in it that must stay as it is."""
    folder = stage.folder / "precious"
    folder.mkdir(mode=0o755)

    def make(name):
        file = folder / name
        file.write_text("precious")
        file.chmod(0o644)
        return file

    return make


def is_untouched(file):
    info = file.stat()
    return file.read_text() == "precious" and info.st_uid == 0 and info.st_gid == 0


def test_a_folder_that_becomes_a_link(stage, precious):
    """UnixSocketDir in a folder of the children's user is a link to one of root's."""
    server = stage.httpd(CLUSTER, start=False)
    file = precious(server.control_socket.name)
    shutil.rmtree(server.sockets)
    os.symlink(file.parent, server.sockets)
    own(server.root)
    server.start()
    assert is_untouched(file)
    server.log.expect(r":error\] .*BH020[23]")
    server.stop()
    assert is_untouched(file)
    assert os.listdir(file.parent) == [file.name]


def test_a_pid_file_behind_a_link(stage, precious):
    server = stage.httpd(CLUSTER + "BackhandModeratorPIDFile ${root}/theirs/run/moderator.pid\n", start=False)
    file = precious("moderator.pid")
    theirs = server.root / "theirs"
    theirs.mkdir()
    own(theirs)
    os.symlink(file.parent, theirs / "run")
    server.start()
    server.log.expect(r":warn\] .*BH0209")
    assert is_untouched(file)
    server.stop()
    assert is_untouched(file)


def test_a_pid_file_in_their_folder(stage):
    """It is written, as one of theirs."""
    server = stage.httpd(CLUSTER + "BackhandModeratorPIDFile ${root}/theirs/moderator.pid\n", start=False)
    theirs = server.root / "theirs"
    theirs.mkdir()
    own(theirs)
    server.start()
    file = theirs / "moderator.pid"
    assert pid_in(file) == server.moderator() and file.owner() == USER
    server.stop()
    assert not file.exists()


def test_a_pid_file_by_links_of_roots(stage):
    """As /var/run is one."""
    server = stage.httpd(CLUSTER + "BackhandModeratorPIDFile ${root}/a/moderator.pid\n", start=False)
    os.symlink("b", server.root / "a")
    os.symlink(server.root / "run", server.root / "b")
    server.start()
    file = server.root / "run/moderator.pid"
    assert pid_in(file) == server.moderator() and file.stat().st_uid == 0
    server.stop()
    assert not file.exists()


def test_the_socket_is_theirs_from_the_beginning(stage):
    server = stage.httpd(CLUSTER + "BackhandSocketGroup adm\n")
    info = server.control_socket.stat()
    assert (server.control_socket.owner(), server.control_socket.group(), info.st_mode & 0o777) == (USER, "adm", 0o660)
    server.knows()


def test_a_folder_that_gives_its_group(stage):
    server = stage.httpd(CLUSTER, start=False)
    shutil.chown(server.sockets, USER, "adm")
    server.sockets.chmod(0o2770)
    server.start()
    assert (server.control_socket.owner(), server.control_socket.group()) == (USER, USER)


# As the children's user: puts a link to the victim where the socket was, as fast as it can.
RACE = """
import os, sys
socket, victim, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
import time
end = time.monotonic() + seconds
while time.monotonic() < end:
    try:
        os.link(victim, socket + ".x")
        os.rename(socket + ".x", socket)
    except OSError:
        pass
    try:
        os.unlink(socket)
    except OSError:
        pass
"""


def test_a_race_for_the_socket(stage, precious):
    """Between two calls of the parent the socket becomes another name of a file of root's."""
    server = stage.httpd(CLUSTER)
    file = precious("file")
    file.chmod(0o666)  # the kernel's protected_hardlinks lets them link what they may write
    os.chown(file, 0, 0)
    racer = subprocess.Popen(
        [sys.executable, "-c", RACE, server.control_socket, file, "15"], user=USER, group=USER, extra_groups=[]
    )
    try:
        for _ in range(20):
            server.restart()
            assert file.stat().st_uid == 0 and file.stat().st_gid == 0
    finally:
        racer.kill()
        racer.wait()
    assert is_untouched(file)
    server.log.allow(r"BH020[23]")
