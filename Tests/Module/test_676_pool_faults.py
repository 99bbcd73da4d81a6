# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The pool of all children, when a child puts in what does not belong there, when answers are not read to their end,
and when processes are killed."""

import contextlib
import os
import re
import signal
import socket
import statistics
import threading
import time

import pytest
from harness import modules, processes, sockets
from harness.announce import KEEPS, WORKER
from harness.backend import Reply
from harness.front import announcement_of, announcing, front_of, idle, kept, row
from harness.listening import Listener
from harness.load import Load
from harness.wait import wait_for

SHARED = "BackhandConnectionPools Shared\n"

# Runs in a child: finds the pool's queues among its descriptors, and puts something in front of what waits there.
# ?kind=…&port=…&id=…&seconds=…
THROW = (
    modules.FIND_SEGMENT
    + r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct { uint64_t mark, used_ms, round_ms, high, low; uint32_t id, port; int fd; uint32_t reserved; } waiting;
static waiting held[64];
static int fds[64], count;

static int send_one(int to, const void *bytes, size_t size, const int *rights, int number) {
    union { char room[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control;
    struct iovec piece = {(void *)bytes, size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (number) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(number * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(number * sizeof(int));
        memcpy(CMSG_DATA(header), rights, number * sizeof(int));
    }
    return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static int take_one(int from) {
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    struct iovec piece = {&held[count], sizeof held[count]};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    message.msg_control = control.room, message.msg_controllen = sizeof control.room;
    if (recvmsg(from, &message, MSG_DONTWAIT) < 0) return 0;
    memcpy(&fds[count++], CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return 1;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static int tcp(const char *address, int port, int type, int connects) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address)};
    int fd = socket(AF_INET, type, 0);
    if (connects) connect(fd, (struct sockaddr *)&to, sizeof to);
    return fd;
}

static int throw_it(request_rec *r) {
    char kind[32] = "", server[64] = "", other[64] = "";
    int port = 0, other_port = 0, seconds = 0, in = -1, out = -1, pipes[2], one = -1;
    unsigned id = 0;
    if (!r->handler || strcmp(r->handler, "throw")) return DECLINED;
    sscanf(r->args ? r->args : "", "%31[^,],%63[^,],%d,%63[^,],%d,%u,%d", kind, server, &port, other, &other_port,
           &id, &seconds);
    /* Pairs were made one after the other: the first descriptor is what is put in. */
    for (int fd = 3, seen = 0; fd < 200 && in < 0; fd++) {
        int type = 0, domain = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET) continue;
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        if (domain == AF_UNIX && seen++ == 2 * (int)(id % 16)) in = fd, out = fd + 1;
    }
    if (in < 0) return HTTP_NOT_FOUND;
    count = 0;
    while (take_one(out)) {}
    uint64_t address = UINT64_C(0xffff00000000) | ntohl(inet_addr(server));
    waiting good = {UINT64_C(0x6d625f706f6f6c31), now_ms(), 0, 0, address, id, port, 0, 0};
    if (!strcmp(kind, "text")) send_one(in, "hello", 5, NULL, 0);
    if (!strcmp(kind, "short")) send_one(in, &good, 8, NULL, 0);
    if (!strcmp(kind, "none")) send_one(in, &good, sizeof good, NULL, 0);
    int pair = !strcmp(kind, "pipe") ? 1 : !strcmp(kind, "two") ? 2 : 0;
    if (pair && !pipe(pipes)) send_one(in, &good, sizeof good, pipes, pair), close(pipes[0]), close(pipes[1]);
    if (!strcmp(kind, "row")) good.id = id + 16 * 1000, one = tcp(server, port, SOCK_STREAM, 1);
    if (!strcmp(kind, "queue")) good.id = id + 1, one = tcp(server, port, SOCK_STREAM, 1);
    if (!strcmp(kind, "udp")) one = tcp(server, port, SOCK_DGRAM, 1);
    if (!strcmp(kind, "other")) one = tcp(other, other_port, SOCK_STREAM, 1);
    if (!strcmp(kind, "fresh")) one = tcp(server, port, SOCK_STREAM, 0);
    if (!strcmp(kind, "listening")) one = tcp(server, port, SOCK_STREAM, 0), listen(one, 1);
    if (one >= 0) send_one(in, &good, sizeof good, &one, 1), close(one);
    for (int i = 0; i < count; i++) send_one(in, &held[i], sizeof held[i], &fds[i], 1), close(fds[i]);
    for (uint64_t end = now_ms() + 1000 * seconds; now_ms() < end;) {
        if (!strcmp(kind, "flood")) send_one(in, "hello", 5, NULL, 0);
        else usleep(1000);
    }
    ap_rprintf(r, "%d\n", count);
    return OK;
}

static void hooks(apr_pool_t *p) { ap_hook_handler(throw_it, NULL, NULL, APR_HOOK_REALLY_FIRST); }

AP_DECLARE_MODULE(throw) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""
)


@pytest.fixture(scope="module")
def throw(tmp_path_factory):
    """The module's line for the configuration."""
    return (
        modules.build(tmp_path_factory.mktemp("throw"), "throw", THROW)
        + "<Location /throw>\nSetHandler throw\nBackhand off\n</Location>\n"
    )


def front_to(stage, *backends, cost=KEEPS, config="", **how):
    """A prefork balancer that knows backends with workers to spare."""
    says = [
        announcement_of(backend, idle_cost=cost, workers=64, idle=64, load=1000 * number)
        for number, backend in enumerate(backends)
    ]
    return front_of(stage, *says, mpm="prefork", config=SHARED + config, **{"workers": 8, "children": 8, **how})


def thrown(front, kind, backend, other=None, seconds=0):
    """Has a child put this in front of what waits for the backend; returns how many waited."""
    other = other or backend
    id = list(front.status().servers).index(backend.id)
    answer = front.get(
        f"/throw?{kind},{backend.address},{backend.port},{other.address},{other.port},{id},{seconds}",
        timeout=seconds + 10,
    )
    assert answer.status == 200
    return int(answer.text)


def descriptors(*pids):
    """What each process has open: kinds and numbers of them, but for what comes and goes with clients."""
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in pids}


KINDS = ["text", "short", "none", "row", "queue", "pipe", "two", "udp", "other", "fresh", "listening"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_connection_is_closed_and_counted(stage, throw, kind):
    """The next request has the connection behind it, and none is worse off."""
    backend, other = (
        stage.backend("127.0.9.2"),
        stage.backend("127.0.9.3", reply=lambda request: Reply(body=b"another's")),
    )
    front = front_to(stage, backend, other, config=throw)
    front.log.allow("BH0480")

    def ask():
        text = front.get("/").text
        idle(front, backend)  # the child has put the connection back by then
        return text

    ask()
    before = descriptors(*front.children())
    assert thrown(front, kind, backend, other) == 1
    assert [ask() for _ in range(3)] == [backend.id] * 3
    wait_for(lambda: front.status().counters["not_connections"] == 1, 5, "it is counted", show=front.status)
    assert {request.connection for request in backend.requests if request.target == "/"} == {1}
    # What was put in is open nowhere any more; the connection itself waits in the pool.
    wait_for(
        lambda: kept(front, backend) == 1 and other.open == 0,
        5,
        "one kept",
        show=lambda: (kept(front, backend), other.open),
    )

    def more():
        after = descriptors(*front.children())
        return {pid: (before[pid], after[pid]) for pid in before if after.get(pid, 0) > before[pid]}

    # A child may still be closing its client's connection.
    wait_for(lambda: not more(), 15, "no child to have more descriptors than before", show=more)


def test_a_flood_delays_no_other(stage, throw):
    """One child sends messages into the queue as fast as it can: the others serve, and the moderator has its rounds."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend, config=throw)
    front.log.expect("BH0480")
    front.get("/")
    flood = threading.Thread(target=thrown, args=(front, "flood", backend), kwargs={"seconds": 3})
    flood.start()
    time.sleep(0.3)
    times, end = [], time.monotonic() + 2.5
    while (begin := time.monotonic()) < end:
        assert front.get("/").status == 200
        times.append(time.monotonic() - begin)
    # None waits for the end of the flood; that each is late a little shows in the median.
    assert max(times) < 1.5 and statistics.median(times) < 0.2, times
    assert front.status().self["age_ms"] < 2500
    flood.join()
    # Afterwards all is as before.
    # The moderator empties the queue within a second.
    time.sleep(1.5)
    made = backend.connections
    for _ in range(10):
        front.get("/")
    # One may come before the child has put the last one's back.
    assert backend.connections <= made + 4


def test_a_child_that_hangs_delays_no_other(stage):
    """It is stopped while it has a connection out of the pool."""
    # Longer than all that follows takes, and well under the 6 s for which a server may be silent: it announces once.
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=4.5 if request.target == "/long" else 0))
    front = front_to(stage, backend, config='CustomLog logs/children "%P %U"\n')
    front.get("/")
    long = threading.Thread(target=front.get, args=("/long",))
    began = time.monotonic()
    long.start()
    wait_for(lambda: backend.requests[-1].target == "/long", 5, "it is under way")
    # It may have two copies for a moment, in the child that has put it into the pool, too.
    busy = wait_for(
        lambda: [found for found in [connected(front, backend)] if len(found) == 1], 3, "one child has the connection"
    )[0]
    os.kill(busy[0], signal.SIGSTOP)
    try:
        begin = time.monotonic()
        for _ in range(20):
            assert front.get("/").status == 200
            # The child has put the connection back by then, where its client had the answer before.
            wait_for(lambda: row(front, backend)["in_flight"] == 1, 5, "the end of the request")
        assert time.monotonic() - begin < 3, begin - began
        assert (kept(front, backend), backend.open) == (2, 2), [
            (one.target, one.connection) for one in backend.requests
        ]
    finally:
        os.kill(busy[0], signal.SIGCONT)
    long.join()
    wait_for(lambda: kept(front, backend) == backend.open == 2, 5, "both are kept")


def connected(front, backend):
    """The children that have a TCP connection to the backend."""
    inodes = {f"socket:[{one.inode}]" for one in sockets.sockets(sockets.ESTABLISHED) if one.remote[1] == backend.port}
    return [pid for pid in front.children() if inodes.intersection(processes.links(pid))]


class Raw:
    """Answers each request with its path, and sends more after it: at once, or a moment later."""

    def __init__(self, address, extra, delay):
        self.extra, self.delay, self.connections, self.answers, self.sent = extra, delay, 0, 0, 0
        self._listener = Listener(self._serve, address, accepted=self._count)
        self.address, self.port = address, self._listener.port
        self.id = f"{self.address}:{self.port}"

    def _count(self, connection):
        self.connections += 1
        return ()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as stream:
            try:
                while line := stream.readline():
                    while stream.readline().strip():
                        pass
                    self._answer(connection, line.split()[1])
            except OSError:
                pass

    def _answer(self, connection, path):
        self.answers += 1
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path)
        connection.sendall(answer if self.delay else answer + self.extra)
        if self.delay:
            time.sleep(self.delay)
            connection.sendall(self.extra)
        self.sent += 1

    def close(self):
        self._listener.close()


@pytest.mark.parametrize("delay", [0, 0.05], ids=["at_once", "later"])
@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSTOLEN", b"x"], ids=["answer", "byte"])
def test_what_is_left_of_an_answer_reaches_no_other_client(stage, extra, delay):
    server = Raw("127.0.9.2", extra, delay)
    try:
        front = front_to(stage, server)
        for number in range(12):
            assert front.get(f"/{number}").text == f"/{number}"
            # Before that, what is left is still to come.
            wait_for(lambda: server.sent == number + 1 and row(front, server)["in_flight"] == 0, 5, "the rest")
        assert server.connections == 12
        wait_for(lambda: kept(front, server) == 0, 4, "none is kept", show=lambda: kept(front, server))
        # It was a connection to the server: no line says otherwise.
        assert front.status().counters["not_connections"] == 0
    finally:
        server.close()


def test_no_connection_is_with_two_children(stage):
    """Many at once, over a pool that is smaller than they are many: each gets its own answer, and none is sent while
    another is under way."""
    early = []

    class Watching(Raw):
        def _answer(self, connection, path):
            time.sleep(0.002)
            try:
                early.append(connection.recv(100, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            except BlockingIOError:
                pass
            super()._answer(connection, path)

    server = Watching("127.0.9.2", b"", 0)
    try:
        front = front_to(stage, server, workers=24, children=24)
        wrong, end = [], time.monotonic() + 4

        def ask(number):
            times = 0
            # However slow the machine is, so many answers.
            while time.monotonic() < end or (server.answers <= 500 and time.monotonic() < end + 30):
                times += 1
                if front.get(f"/{number}/{times}").text != f"/{number}/{times}":
                    wrong.append((number, times))

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        print(f"{server.answers} answers on {server.connections} connections")
        assert not wrong and not early and server.answers > 500
        assert server.connections < server.answers / 10
    finally:
        server.close()


def test_an_answer_that_its_client_did_not_want(stage):
    """Large, and its client is gone in the midst of it: the connection is closed, the next client has its own
    answer."""
    backend = stage.backend(
        "127.0.9.2",
        reply=lambda request: Reply(body=b"x" * (20 << 20) if request.target == "/large" else request.target.encode()),
    )
    front = front_to(stage, backend)
    for number in range(4):
        with socket.create_connection((front.address, front.port)) as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1000)
        wait_for(lambda: row(front, backend)["in_flight"] == 0, 5, "it is over")
        assert front.get(f"/{number}").text == f"/{number}"
    wait_for(lambda: kept(front, backend) == 1 and backend.open == 1, 5, "one to be kept")
    assert backend.connections >= 4


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_connection_that_the_server_has_closed(stage, how):
    """It is not handed on: the next request has a new one, and one of its own."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend)
    front.get("/")
    with backend._lock:
        for connection in backend._open:
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: backend.open == 0, 3, "it is closed")
    assert front.get("/").status == 200 and backend.connections == 2
    wait_for(lambda: kept(front, backend) == 1, 4, "one is kept", show=lambda: kept(front, backend))
    assert front.status().counters["not_connections"] == 0


def test_a_child_without_room_for_a_descriptor(stage):
    """The kernel drops what it cannot give to the child: the connection is closed, and was one."""
    backend = stage.backend("127.0.9.2")
    # Without the section httpd itself answers 403: it cannot look for /.htaccess.
    front = front_to(
        stage,
        backend,
        workers=1,
        children=1,
        config="MaxRequestWorkers 1\n<Directory />\nAllowOverride None\n</Directory>\n",
    )
    front.log.allow("AH00952|AH01114|AH02179|AH00161|BH0411")
    with front.client() as client:
        assert client.request("/").status == 200 and kept(front, backend) == 1
        (child,) = wait_for(front.children, 5, "the child")
        before = processes.leave_descriptors(child, 0)
        assert client.request("/").status == 503
        with contextlib.suppress(OSError):
            processes.limit_descriptors(child, before)
    wait_for(lambda: backend.open == 0, 3, "it is closed")
    assert kept(front, backend) == 0 and front.status().counters["not_connections"] == 0


def test_programs_of_children_have_no_descriptor(stage):
    """A CGI script of the same user."""
    script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nfor one in /proc/self/fd/*; do readlink $one; done\n"
    backend = stage.backend("127.0.9.2")
    front = front_to(
        stage,
        backend,
        cgi=True,
        files={"cgi-bin/fds": script},
        config="<Location /cgi-bin/>\nBackhand off\n</Location>\n",
    )
    front.get("/")
    pids = front.children()
    assert sum("socket:" in link for link in processes.links(pids[0])) >= 32
    said = front.get("/cgi-bin/fds").text
    assert "pipe:" in said and "socket:" not in said, said


@pytest.mark.parametrize("what", ["kill", "stop", "restart"])
def test_the_moderator_each_second(stage, what):
    """Under load: no request fails, what is kept is what is open, no descriptor is left."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=0.005))
    front = front_to(stage, backend, children=8, workers=24)
    front.log.allow("BH0206|BH0300|AH00161|BH0360|BH0361")
    says = announcement_of(backend, idle_cost=KEEPS, workers=64, idle=64)
    parent = descriptors(front.pid)
    with announcing(stage, front, says), Load(front, new=4, kept=4) as load:
        for _ in range(6):
            time.sleep(1)
            if what == "restart":
                front.restart(wait=False)
                continue
            moderator = front.moderator()
            os.kill(moderator, signal.SIGKILL if what == "kill" else signal.SIGSTOP)
            if what == "stop":
                time.sleep(1)
                os.kill(moderator, signal.SIGCONT)
    assert load.wrong == [] and load.count > 200, (load.count, load.wrong[:3])
    assert load.longest < 4
    print(f"{load.count} requests, {backend.connections} connections")
    front.moderator(deadline=10)
    wait_for(
        lambda: kept(front, backend) == backend.open,
        10,
        "what is kept is open",
        show=lambda: (kept(front, backend), backend.open),
    )
    # The last restart may still go on.
    wait_for(lambda: descriptors(front.pid) == parent, 10, "no descriptor is left", show=lambda: descriptors(front.pid))


def test_children_are_killed_under_load(stage):
    """Whatever they do at that moment: what is counted is what is open."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=0.01))
    front = front_to(stage, backend, cost=(WORKER, 60_000, 0, 0), workers=24)
    front.log.allow("AH00052|AH00051|AH00161")
    end = time.monotonic() + 5

    def ask():
        while time.monotonic() < end:
            try:
                front.get("/")
            except (OSError, EOFError):
                time.sleep(0.01)  # its child was killed
            except Exception as error:  # http.client's
                assert "HTTP" in type(error).__mro__[1].__name__ or re.search(
                    "Disconnected|Incomplete|BadStatus", repr(error)
                ), repr(error)

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    killed = 0
    while time.monotonic() < end - 0.5:
        time.sleep(0.05)
        for child in front.children()[:1]:
            os.kill(child, signal.SIGKILL)
            killed += 1
    for client in clients:
        client.join()
    assert killed > 20
    wait_for(
        lambda: kept(front, backend) == backend.open,
        10,
        "what is counted is open",
        show=lambda: (kept(front, backend), backend.open),
    )
