# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The moderator's death and its parent's; what stands in its way at the start."""

import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.announce import Announcement
from harness.apxs import compiled
from harness.backend import Reply
from harness.httpd import ARRIBA_FILE
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

OTHER = Announcement("127.0.9.81", 80, "host-81")
# Seconds that a new moderator takes at most, and what a machine that does other things too adds.
SOON, SLACK = 2, 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_new_one_within_two_seconds(stage, mpm, how):
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    stage.plant(server, OTHER)
    for _ in range(2):
        old = server.moderator()
        os.kill(old, how)
        server.moderator(deadline=SOON + SLACK, other_than=old)
        # It knows what the old one knew.
        assert set(wait_for(server.status, SOON + SLACK, "the control socket").servers) == {server.id, OTHER.id}
        assert server.get("/").status == 200
    server.log.allow("BH02|AH00051|AH00052")


def test_it_hears_after_it_was_replaced(stage):
    server = stage.httpd(CLUSTER_OF_9)
    old = server.moderator()
    os.kill(old, signal.SIGKILL)
    server.moderator(deadline=SOON + SLACK, other_than=old)
    stage.plant(server, OTHER)
    server.log.allow("BH02")


def test_it_ends_with_a_killed_parent(stage, mpm):
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    server.moderator()
    server.kill_parent()
    wait_for(lambda: not server.moderators(), 2, "the moderator to end", show=server.processes)


def test_it_ends_with_a_parent_killed_during_its_start(stage):
    """However early: right after the fork it is not yet tied to its parent."""
    for delay in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2):
        server = stage.httpd(CLUSTER_OF_9, start=False)
        server.start(wait=False)
        time.sleep(delay)
        server.kill_parent()
        wait_for(lambda: not server.moderators(), 2, "the moderator to end", show=server.processes)
        server.end_everything()
        server.log.allow("AH00558|AH0005")


def test_start_after_a_killed_parent(stage):
    """The socket that it left is no obstacle, nor is its port once its children are gone."""
    server = stage.httpd(CLUSTER_OF_9)
    server.knows()
    server.kill_parent()
    server.end_everything()
    assert server.control_socket.exists()
    server.start()
    server.knows()
    server.log.allow("AH00098")  # pid file overwritten


# ---- What stands in its way ----

BALANCED = """
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.9.0/24
BackhandTrace On
Backhand removeSelf
"""


def starts_without_a_moderator(server, *words):
    """httpd runs, one error line names the trouble, requests are served here, and nothing is tried again and again."""

    def told():
        return server.log.grave(r"BH\d{4}")

    wait_for(told, 5, "the error line", show=server.log.text)
    assert [server.get("/").status for _ in range(5)] == [200] * 5
    # Three seconds are enough for a restarted moderator to complain again: httpd looks after its children each second.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        time.sleep(0.1)
    lines = told()
    assert len(lines) == 1, lines
    assert lines[0].level == "error"
    assert [word for word in words if word not in lines[0].text] == []
    assert server.moderators() == []
    server.log.expect(r"BH\d{4}")


def test_socket_directory_missing(stage, mpm):
    server = stage.httpd("UnixSocketDir ${root}/no-such-folder\n" + BALANCED, mpm=mpm)
    starts_without_a_moderator(server, "no-such-folder", "UnixSocketDir")


def test_socket_directory_is_a_file(stage):
    server = stage.httpd("UnixSocketDir ${root}/httpd.conf\n" + BALANCED)
    starts_without_a_moderator(server, "httpd.conf", "UnixSocketDir")


def test_socket_directory_not_writable(stage, mpm):
    server = stage.httpd("UnixSocketDir ${sockets}\n" + BALANCED, mpm=mpm, start=False)
    if os.geteuid() == 0:
        os.chown(server.sockets, 0, 0)
        server.sockets.chmod(0o700)
    else:
        server.sockets.chmod(0o500)
    try:
        server.start()
        starts_without_a_moderator(server, str(server.sockets))
    finally:
        server.sockets.chmod(0o755)


def test_port_taken_by_a_foreign_program(stage, mpm):
    """The moderator stays, says so once, tries again each second, and has the port when it is free: no restart is
    needed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind(("", stage.group[1]))
        server = stage.httpd("UnixSocketDir ${sockets}\n" + BALANCED, mpm=mpm)
        wait_for(lambda: server.log.lines("BH0335"), 5, "the line", show=server.log.text)
        first = server.moderator()
        time.sleep(2.5)
        assert [server.get("/").status for _ in range(5)] == [200] * 5
    wait_for(lambda: server.log.lines("BH0336"), 3, "the line that it works", show=server.log.text)
    stage.plant(server, Announcement("127.0.9.81", 80, "host-81"))
    assert server.moderator() == first
    lines = server.log.grave(r"BH0[23]\d{2}")
    assert len(lines) == 1 and lines[0].level == "warn" and str(stage.group[1]) in lines[0].text, lines
    server.log.expect("BH0335")


def test_two_httpds_with_one_control_socket(stage):
    """The second does not take the socket from the first."""
    first = stage.httpd("UnixSocketDir ${sockets}\n" + BALANCED)
    first.knows()
    second = stage.httpd(
        f"UnixSocketDir {first.sockets}\n" + BALANCED.replace("${port}", str(first.port)), address="127.0.0.3"
    )
    starts_without_a_moderator(second, str(first.control_socket))
    first.knows()


def test_after_the_cause_is_gone_a_restart_helps(stage):
    server = stage.httpd("UnixSocketDir ${root}/later\n" + BALANCED)
    starts_without_a_moderator(server, "later")
    (server.root / "later").mkdir()
    if os.geteuid() == 0:
        shutil.chown(server.root / "later", "www-data", "www-data")
    server.restart()
    server.moderator()


# ---- Requests of children that die ----


def test_in_flight_of_killed_children(stage, mpm):
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=3 if "slow" in request.target else 0))
    server = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", mpm=mpm)
    stage.plant(server, Announcement(backend.address, backend.port))

    def in_flight():
        return server.status().servers[backend.id]["in_flight"]

    clients = [server.client() for _ in range(4)]
    for client in clients:
        client.send("/slow")
    wait_for(lambda: in_flight() == 4, 3, "four in flight", show=in_flight)
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: in_flight() == 0, 5, "none in flight", show=in_flight)
    for client in clients:
        client.close()
    wait_for(lambda: server.get("/").status == 200, 5, "new children")
    wait_for(lambda: in_flight() == 0, 3, "none in flight", show=in_flight)
    server.log.allow("AH00051|AH00052")


def first_announced_workers(stage, config="", **how):
    """How many an httpd with 24 announces first."""
    other = stage.httpd(CLUSTER_OF_9, address="127.0.9.2")
    server = stage.httpd(config + CLUSTER_OF_9, address="127.0.9.1", workers=24, start=False, **how)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(
            wait_for, lambda: other.status().servers.get(server.id), 5, "the first announcement", every=0.01
        )
        server.start()
        return first.result()["workers"]


def test_the_first_announcement_has_all_workers(stage, mpm):
    """Else a server that has just started would look full for a second."""
    assert first_announced_workers(stage, mpm=mpm) == 24


# A module whose first child, and no other one, takes 200 ms to start.
LATE = """
#include "httpd.h"
#include "http_config.h"
#include <sys/mman.h>
#include <unistd.h>
static int *begun;
static int map(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    begun = mmap(NULL, sizeof *begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return OK;
}
static void late(apr_pool_t *pool, server_rec *server) {
    if (__atomic_fetch_add(begun, 1, __ATOMIC_RELAXED) == 0) usleep(200 * 1000);
}
static void hooks(apr_pool_t *pool) {
    ap_hook_post_config(map, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_child_init(late, NULL, NULL, APR_HOOK_FIRST);
}
AP_DECLARE_MODULE(late) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""


def test_the_first_announcement_waits_for_a_late_child(stage):
    late = f"LoadModule late_module {compiled(stage.folder, 'mod_late', LATE)}\n"
    assert first_announced_workers(stage, late, mpm="prefork") == 24


# ---- The speed of the machine ----


def own_arriba(server):
    return wait_for(lambda: (row := server.status().self) and row["arriba"], 5, "the measured speed")


def test_arriba_is_measured_once_and_kept(stage):
    server = stage.httpd(CLUSTER_OF_9, arriba=None)
    measured = own_arriba(server)
    path = server.sockets / ARRIBA_FILE
    text = path.read_text()
    assert measured > 0 and str(measured) in text
    server.stop()
    server.start()
    assert own_arriba(server) == measured
    assert path.read_text() == text


def test_arriba_is_planted(stage):
    server = stage.httpd(CLUSTER_OF_9, arriba=777777)
    assert own_arriba(server) == 777777


@pytest.mark.parametrize(
    "text",
    ["", "nonsense\n", "-5\n", "0\n", "99999999999999999999\n", "12abc\n", "\0" * 100, "1\n" * 100_000],
    ids=("empty", "word", "negative", "zero", "huge", "number and word", "zero bytes", "long"),
)
def test_arriba_nonsense_is_measured_again(stage, text):
    server = stage.httpd(CLUSTER_OF_9, start=False)
    path = server.sockets / ARRIBA_FILE
    path.write_text(text)
    if os.geteuid() == 0:
        shutil.chown(path, "www-data", "www-data")
    server.start()
    measured = own_arriba(server)
    assert 1000 < measured < 2**31
    assert str(measured) in path.read_text() and len(path.read_text()) < 100
    server.log.allow("BH03")


def test_the_start_does_not_wait_for_the_measurement(stage):
    """Measuring takes up to 200 ms of the moderator's time, none of httpd's."""
    server = stage.httpd(CLUSTER_OF_9, arriba=None)
    assert server.get("/").status == 200
    start = time.monotonic()
    own_arriba(server)
    assert time.monotonic() - start < 3
