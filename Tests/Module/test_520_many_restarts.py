# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Eight functions from five shared objects over fifty graceful restarts under load: nothing is lost, and nothing
grows."""

import subprocess
import threading

from harness import client
from harness.announce import Announcement
from harness.httpd import REPOSITORY
from harness.processes import resident
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

RESTARTS, FIRST_LOOK = 50, 10

SOURCE = """
#include "mod_backhand.h"
int NAME_keep(request_rec *r, ServerSlot *servers, int *n, char *arg) { return *n; }
int NAME_alive(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    int kept = 0;
    for (int i = 0; i < *n; i++)
        if (serverstats[servers[i].id].mtime) servers[kept++] = servers[i];
    return *n = kept;
}
"""


def objects(folder):
    for name in ("one", "two", "three", "four", "five"):
        (folder / f"{name}.c").write_text(SOURCE.replace("NAME", name))
        subprocess.run(
            [
                "cc",
                "-shared",
                "-fPIC",
                f"-I{REPOSITORY}/Sources/CBackhand/include",
                "-o",
                folder / f"{name}.so",
                folder / f"{name}.c",
            ],
            check=True,
        )


def chain(folder):
    functions = [
        "one_keep",
        "two_alive",
        "three_keep",
        "four_alive",
        "five_keep",
        "one_alive",
        "two_keep",
        "three_alive",
    ]
    lines = [f"BackhandFromSO {folder}/{function.partition('_')[0]}.so {function}" for function in functions]
    return "\n".join(["Backhand removeSelf", *lines, ""])


class Load:
    """Clients that ask one request after the other, on new connections, until the block ends."""

    def __init__(self, server, expected, threads=2):
        self.server, self.expected = server, expected
        self.count, self.wrong = 0, []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def _work(self):
        while not self._end.is_set():
            try:
                answer = client.request(self.server.address, self.server.port, "/")
                if (answer.status, answer.text) != (200, self.expected):
                    self.wrong.append(answer)
            except OSError as error:
                self.wrong.append(error)
            self.count += 1
            self._end.wait(0.005)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()


def test_fifty(stage):
    objects(stage.folder)
    other = stage.httpd(address="127.0.9.2", without=("backhand",), name="other")
    server = stage.httpd(CLUSTER_OF_9 + chain(stage.folder), workers=16)
    stage.plant(server, Announcement(other.address, other.port))
    moderator = server.moderator()
    sizes = {}
    with Load(server, "other\n") as load:
        for restart in range(1, RESTARTS + 1):
            at = load.count
            server.restart()
            moderator = server.moderator(other_than=moderator)
            wait_for(lambda: load.count >= at + 4, 10, "requests to go on")
            sizes[restart] = (resident(server.pid), resident(moderator))
    assert load.wrong == []
    # The largest of the first looks: a moderator that has just begun is smaller.
    first = [max(of_one) for of_one in zip(*(sizes[restart] for restart in range(1, FIRST_LOOK + 1)))]
    for then, now in zip(first, sizes[RESTARTS]):
        assert now <= then * 1.05, sizes
    row = wait_for(lambda: (row := server.status().servers[other.id])["in_flight"] == 0 and row, 5, "none in flight")
    assert (row["failed"], row["refused"]) == (0, 0)
