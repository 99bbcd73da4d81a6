# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhand-announce: servers without httpd are in the table of a front, and the front leaves them when it says so."""

import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from harness import ports, processes
from harness.announcer import PROGRAM, check_passes, group_of, knows, lines, row, state
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CHAIN = CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byAge 6\nBackhand default\n"
KEY = "0123456789abcdef0123456789abcdef"


def key_of(stage, key=KEY, name="key"):
    path = stage.folder / name
    path.write_text(key + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("key", [False, True], ids=["no key", "key"])
def test_a_front_sends_requests_to_an_announced_server(stage, mpm, web, announcing, key):
    more = f"BackhandKey {key_of(stage)}\n" if key else ""
    front = stage.httpd(more + CHAIN, mpm=mpm)
    announcer = announcing(lines(stage, (web.id, "Workers 8\nBackhandCapacity 700"), more=more))
    knows(front, web.id)
    assert front.get("/").text == web.id
    row = front.status().servers[web.id]
    assert (row["workers"], row["workers_idle"], row["capacity"], row["load"] > 0) == (8, 8, 700, True)
    assert announcer.stop() == 0
    assert "BH0307: stopping: the others are told" in announcer.text()
    knows(front, web.id, "shutdown")


def test_a_wrong_key_is_not_believed(stage, web, announcing):
    front = stage.httpd(f"BackhandKey {key_of(stage)}\n" + CHAIN)
    front.log.allow("BH0324")
    announcing(lines(stage, (web.id, ""), more=f"BackhandKey {key_of(stage, KEY[::-1], 'other')}\n"))
    wait_for(lambda: "BH0324" in front.log.text(), 10, "the refusal")
    assert state(front, web.id) is None


def test_several_servers_of_one_machine(stage, announcing):
    """Each has its own values, and those outside of all sections where it says nothing."""
    front = stage.httpd(CHAIN)
    places = ["127.0.9.70:8081", "127.0.9.71:8082", "127.0.9.72:8083"]
    config = lines(
        stage,
        (places[0], "Workers 4\nIdleHoldsWorker On"),
        (places[1], "IdleHoldsWorker Off\nKeepAliveTimeout 7"),
        more="Workers 9\n",
    )
    announcing(config + f"MulticastStats {places[2]} {group_of(stage)}\n")
    for place in places:
        knows(front, place)
    found = front.status().servers
    assert [found[place]["workers"] for place in places] == [4, 9, 9]
    assert [found[place]["idle_cost"] for place in places] == ["worker", "free", "unknown"]


@pytest.mark.parametrize("holds, idle", [("On", 2), ("Off", 5)])
def test_connections_that_hold_workers(stage, web, announcing, holds, idle):
    """The server does not say how many of its workers are idle; the kernel knows its connections."""
    front = stage.httpd(CHAIN)
    announcing(lines(stage, (web.id, f"Workers 5\nIdleHoldsWorker {holds}")))
    knows(front, web.id)
    with (
        socket.create_connection((web.address, web.port)),
        socket.create_connection((web.address, web.port)),
        socket.create_connection((web.address, web.port)),
    ):
        wait_for(lambda: front.status().servers[web.id]["workers_idle"] == idle, 5, "its idle workers")
    wait_for(lambda: front.status().servers[web.id]["workers_idle"] == 5, 5, "idle workers again")


def test_connections_that_wait(stage, announcing):
    """None of the workers accepts them: all are at work."""
    front = stage.httpd(CHAIN)
    with socket.create_server(("127.0.9.70", 0)) as busy:
        place = f"127.0.9.70:{busy.getsockname()[1]}"
        announcing(lines(stage, (place, "Workers 5")))
        knows(front, place)
        with socket.create_connection(busy.getsockname()):
            wait_for(lambda: front.status().servers[place]["workers_idle"] == 0, 5, "no idle worker")


@pytest.mark.parametrize("check", ["timeout=60", "interval=0.2 timeout=0.3"], ids=["waits", "was late"])
@pytest.mark.parametrize("source", ["127.0.9.70", "127.0.0.1"], ids=["inside", "outside"])
def test_a_check_is_no_traffic(stage, announcing, source, check):
    """All other connections are, also those from the server's own address, such as those of a balancer there."""
    front = stage.httpd(CHAIN)
    with socket.create_server(("127.0.9.70", 0)) as busy:
        place = f"127.0.9.70:{busy.getsockname()[1]}"
        announcing(lines(stage, (place, f"Workers 5\nBackhandCheck / {check}")))
        wait_for(lambda: row(front, place), 10, "its row")

        def counted():
            found = row(front, place)
            return found["connections"], found["listen_queue"], found["workers_idle"]

        assert select.select([busy], [], [], 5)[0], "its check waits to be accepted"
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert counted() == (0, 0, 5)
            time.sleep(0.1)
        with socket.create_connection(busy.getsockname(), source_address=(source, 0)):
            wait_for(lambda: counted() == (1, 1, 0), 5, "one connection", show=counted)


WITHOUT_DIAGNOSIS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol) {
    int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    if (domain != AF_NETLINK || protocol != NETLINK_SOCK_DIAG) return real(domain, type, protocol);
    errno = EPERM;
    return -1;
}
"""


def test_a_system_that_does_not_tell_connections(stage, web, announcing):
    """As in a container that may not ask: all workers count as idle, and checks are made."""
    source, library = stage.folder / "without.c", stage.folder / "without.so"
    source.write_text(WITHOUT_DIAGNOSIS)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    front = stage.httpd(CHAIN)
    config = lines(stage, (web.id, "Workers 5\nIdleHoldsWorker On\nBackhandCheck /"))
    announcing(config, environment={"LD_PRELOAD": str(library)})
    knows(front, web.id)
    with socket.create_connection((web.address, web.port)):
        check_passes(front, web.id)
        found = row(front, web.id)
        assert (found["workers"], found["workers_idle"], "connections" in found) == (5, 5, False), found


def test_orders(stage, web, announcing):
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, "")))
    knows(front, web.id)
    for order, becomes in (("drain", "draining"), ("maintenance", "maintenance"), ("resume", "up")):
        announcer.control(order)
        knows(front, web.id, becomes)
    assert announcer.servers()[web.id]["state"] == "up"


def is_since(front, place, what, moment):
    """Waits until what the front says of the server's age began after that moment."""
    wait_for(
        lambda: (time.monotonic() - moment) * 1000 > row(front, place)[what],
        5,
        f"another {what}",
        show=lambda: row(front, place),
    )


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGKILL])
def test_another_process_takes_over(stage, web, announcing, how):
    """For the front it is the same server: SIGUSR1 says no farewell, and the boot id is kept."""
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, "")))
    knows(front, web.id)
    announcer.stop(how)
    stopped, before = time.monotonic(), row(front, web.id)
    assert before["state"] == "up"
    announcer.start()
    is_since(front, web.id, "age_ms", stopped)
    assert row(front, web.id)["up_ms"] > before["up_ms"]
    announcer.stop()
    stopped = time.monotonic()
    announcer.start()
    is_since(front, web.id, "up_ms", stopped)


def test_an_order_holds_for_the_next_process(stage, web, announcing):
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, "")))
    announcer.control("drain")
    knows(front, web.id, "draining")
    announcer.stop(signal.SIGUSR1)
    stopped = time.monotonic()
    announcer.start()
    is_since(front, web.id, "age_ms", stopped)
    assert state(front, web.id) == "draining"


def test_two_programs_in_one_folder(stage, announcing):
    """Each has its servers, its control socket and what it keeps; the end of one is not that of the other."""
    front = stage.httpd(CHAIN)
    places = ["127.0.9.70:8081", "127.0.9.71:8082"]
    first, second = (announcing(lines(stage, (place, ""))) for place in places)
    second.stop()
    second.conf.write_text(second.conf.read_text().replace(str(second.folder), str(first.folder)))
    second.folder = first.folder
    second.start()
    for place in places:
        knows(front, place)
    second.stop()
    knows(front, places[1], "shutdown")
    assert state(front, places[0]) == "up" and len(list(first.folder.glob("*.boot"))) == 1


def test_a_reload_that_changes_the_order_of_servers(stage, announcing):
    """They stay what they were, and the control socket follows the first."""
    front = stage.httpd(CHAIN)
    one, two = (("127.0.9.70:8081", "Workers 3"), ("127.0.9.71:8082", "Workers 5"))
    announcer = announcing(lines(stage, one, two))
    knows(front, one[0])
    knows(front, two[0])
    ids = {place: row["id"] for place, row in front.status().servers.items()}
    wait_for(lambda: min(front.status().servers[each[0]]["up_ms"] for each in (one, two)) > 1000, 5, "their life")
    announcer.write(lines(stage, two, one, more="BackhandExpire 77\n"))
    announcer.send(signal.SIGHUP)
    wait_for(lambda: announcer.sockets == [announcer.folder / "backhand-8082.sock"], 5, "its socket")
    wait_for(lambda: front.status().servers[two[0]]["age_ms"] < 500, 5, "an announcement")
    found = front.status().servers
    assert {place: row["id"] for place, row in found.items()} == ids
    assert (found[one[0]]["workers"], found[two[0]]["workers"]) == (3, 5)
    assert min(found[each[0]]["up_ms"] for each in (one, two)) > 1000


def test_signals_of_one_moment(stage, web, announcing):
    """An end for good is not taken back, and no signal ends it before it is ready."""
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, "")))
    knows(front, web.id)
    announcer.send(signal.SIGSTOP)
    for how in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGCONT):
        announcer.send(how)
    assert announcer.process.wait(timeout=10) == 0
    knows(front, web.id, "shutdown")


@pytest.mark.parametrize("made", ["pipe", "folder"])
def test_a_configuration_that_is_no_file(stage, web, announcing, made):
    """A reload does not wait at a pipe."""
    announcer = announcing(lines(stage, (web.id, "")))
    announcer.conf.unlink()
    (os.mkfifo if made == "pipe" else os.mkdir)(announcer.conf)
    announcer.send(signal.SIGHUP)
    wait_for(lambda: "cannot read" in announcer.text(), 5, "a complaint", show=announcer.text)
    assert announcer.stop() == 0


def test_a_reload(stage, web, announcing):
    """No announcement is missed, a wrong file or key changes nothing, and a right one counts."""
    key = f"BackhandKey {key_of(stage)}\n"
    front = stage.httpd(key + CHAIN)
    announcer = announcing(lines(stage, (web.id, "Workers 3"), more=key))
    knows(front, web.id)
    announcer.write("Wrong line\n")
    announcer.send(signal.SIGHUP)
    wait_for(
        lambda: ":2: Wrong: this program has no such directive" in announcer.text(),
        5,
        "a complaint",
        show=announcer.text,
    )
    announcer.write(lines(stage, (web.id, "Workers 4"), more="BackhandKey nothing\n"))
    announcer.send(signal.SIGHUP)
    wait_for(lambda: "nothing': it cannot be read" in announcer.text(), 5, "a complaint", show=announcer.text)
    wait_for(lambda: front.status().servers[web.id]["age_ms"] < 500, 5, "an announcement with the old key")
    announcer.write(lines(stage, (web.id, "Workers 6"), more=key))
    announcer.send(signal.SIGHUP)
    wait_for(lambda: front.status().servers[web.id]["workers"] == 6, 5, "the new number")
    assert state(front, web.id) == "up" and "BH0307" not in announcer.text()


def test_as_an_ordinary_user(stage, web, announcing):
    """It keeps no descriptor that it was given, gains no rights, and needs none."""
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, "Workers 4")), user="nobody")
    knows(front, web.id)
    status = Path(f"/proc/{announcer.process.pid}/status").read_text()
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M), status
    held = processes.links(announcer.process.pid)
    assert not any(str(announcer.inherited.name) in link for link in held), held
    assert "runs as root" not in announcer.text()
    assert announcer.stop() == 0
    knows(front, web.id, "shutdown")


# ---- The configuration ----


def check(stage, config, *arguments):
    path = stage.folder / "announce.conf"
    path.write_text(config)
    ran = subprocess.run(
        [PROGRAM, "--config", path, "--check-config", *arguments], capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr.replace(str(path), "FILE")


GOOD = "MulticastStats 239.255.77.1:4445\n"


@pytest.mark.parametrize(
    "config, said",
    [
        ("", "no server is named"),
        ("<Server 10.0.0.5:80>\n</Server>\n", "MulticastStats is missing"),
        (GOOD + "<Server 10.0.0.5>\n</Server>\n", "FILE:2: <Server>: '10.0.0.5' is not an IPv4 address and a port"),
        (GOOD + "<Server 10.0.0.5:80>\n", "FILE:2: <Server>: </Server> is missing"),
        (GOOD + "</Server>\n", "FILE:2: </Server>: ends no <Server>"),
        (GOOD + "<Server 10.0.0.5:80>\n<Server 10.0.0.6:80>\n", "FILE:3: <Server>: stands in another <Server>"),
        (GOOD + "<Server 10.0.0.5:80>\nAcceptStats 10.0.0.0/8\n", "FILE:3: AcceptStats: stands outside of <Server>"),
        (GOOD + "Workers 0\n", "FILE:2: Workers: '0' is not a whole number from 1 to 1000000"),
        (GOOD + "Workers\n", "FILE:2: Workers: takes one argument"),
        (GOOD + "IdleHoldsWorker perhaps\n", "FILE:2: IdleHoldsWorker: 'perhaps' is neither On nor Off"),
        (GOOD + "BackhandCapacity -1\n", "FILE:2: BackhandCapacity: '-1' is not a whole number"),
        (GOOD + "BackhandExpire 5\n", "FILE:2: BackhandExpire: '5' is not a number of seconds from 60 to 604800"),
        (GOOD + "AcceptStats example\n", "FILE:2: AcceptStats: 'example' is not a network"),
        ("MulticastStats 10.0.0.5 239.255.77.1:4445\n", "FILE:1: MulticastStats: names a server, so its port"),
        ("MulticastStats 239.255.77.1\n", "FILE:1: MulticastStats: '239.255.77.1': the port is missing"),
        (GOOD + "Backhand byAge\n", "FILE:2: Backhand: is for httpd alone"),
        (GOOD + "DocumentRoot /srv\n", "FILE:2: DocumentRoot: this program has no such directive"),
        (GOOD + "Include nothing.conf\n", "FILE:2: Include: 'nothing.conf': there is no such file"),
        (GOOD + "Include announce.conf\n", "FILE:2: Include: files include each other more than 16 deep"),
        (GOOD + "<Server 10.0.0.5:80>\n</Server>\nBackhandKey a\n", "with BackhandKey, AcceptStats must name"),
        (
            GOOD + "<Server 10.0.0.5:80>\n</Server>\nAcceptStats 10.0.0.1\nBackhandKey nothing\n",
            "BackhandKey: '{folder}/nothing': it cannot be read: No such file or directory",
        ),
        (GOOD + "<Server>\n", "FILE:2: <Server>: takes one argument"),
        (GOOD + "KeepAliveTimeout 0\n", "FILE:2: KeepAliveTimeout: '0' is not a number of seconds from 1 to 86400"),
        (GOOD + "BackhandKey a b\n", "FILE:2: BackhandKey: after the file may stand only the word Optional"),
        (
            GOOD + "<Server 10.0.0.5:80>\n" + "BackhandCheck /a\n" * 65 + "</Server>\n",
            "more than 64 checks of one machine",
        ),
        (
            GOOD + "".join(f"<Server 10.0.0.5:{port}>\n</Server>\n" for port in range(1000, 1257)),
            "more than 256 servers of one machine",
        ),
    ],
)
def test_a_wrong_configuration_names_the_line_and_the_value(stage, config, said):
    code, text = check(stage, config)
    assert code == 2 and said.format(folder=stage.folder) in text, text


def test_the_words_of_a_configuration(stage, monkeypatch):
    """As httpd reads them: comments, quotes, lines that go on, Define, Include, and values of the environment."""
    monkeypatch.setenv("PORT_OF_TEST", "8080")
    folder = stage.folder / "more"
    folder.mkdir()
    (folder / "1.conf").write_text("# a comment \\\nthat goes on\nworkers 3\r\n")
    (folder / "2.conf").write_text('<server "10.0.0.5:${PORT_OF_TEST}" >\n    Workers \\\n    4\n</server>\n')
    config = "Define GROUP 239.255.77.1\nMulticastStats ${GROUP}:4445\nInclude more/*.conf\nIncludeOptional none/*\n"
    assert check(stage, config) == (0, "Syntax OK\n")


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--server", "10.0.0.5:80", "--workers", "4"], 0, "Syntax OK"),
        (["--server", "10.0.0.5"], 2, "command line:1: <Server>: '10.0.0.5' is not an IPv4 address and a port"),
        (["--workers", "many"], 2, "command line:1: Workers: 'many' is not a whole number"),
        (["--workers"], 2, "'--workers' needs a value"),
        (["--nothing"], 2, "'--nothing' is not an option"),
        (["--help"], 0, "usage: backhand-announce"),
        (["--version"], 0, "backhand-announce "),
    ],
)
def test_arguments(stage, arguments, code, said):
    found, text = check(stage, GOOD, *arguments)
    assert found == code and said in text, text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of root")
@pytest.mark.parametrize("mode, group, is_one", [(0o440, 0, True), (0o440, 33, False), (0o444, 0, False)])
def test_a_key_that_systemd_hands_over(stage, mode, group, is_one):
    """Of root, and readable for root's group: so systemd shows its access control list for the one user."""
    key = stage.folder / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    os.chown(key, 0, group)
    key.chmod(mode)
    server = "<Server 10.0.0.5:80>\n</Server>\nAcceptStats 10.0.0.1\n"
    code, text = check(stage, GOOD + server + f"BackhandKey {key}\n")
    assert code == (0 if is_one else 2) and is_one == ("others than its owner may use it" not in text), text


@pytest.mark.parametrize("to", ["unicast", "broadcast"])
def test_other_destinations(stage, web, announcing, to):
    port = ports.free_port("127.0.9.1")
    destination = f"{'127.0.9.1' if to == 'unicast' else '127.255.255.255'}:{port}"
    front = stage.httpd(CHAIN.replace("${group},1", destination), address="127.0.9.1")
    announcing(lines(stage, (web.id, "")).replace(group_of(stage), destination))
    knows(front, web.id)


def test_needs_little(stage, web, announcing):
    """The file, its libraries, and the memory of the process."""
    needed = subprocess.run(["readelf", "-d", PROGRAM], capture_output=True, text=True, check=True).stdout
    libraries = [line.split("[")[1].split("]")[0] for line in needed.splitlines() if "(NEEDED)" in line]
    assert set(libraries) <= {"libc.so.6", "libm.so.6", "libcrypto.so.3"}
    assert PROGRAM.stat().st_size < 1_000_000
    announcer = announcing(lines(stage, (web.id, "")))
    status = open(f"/proc/{announcer.process.pid}/status").read()
    resident = int(status.split("VmRSS:")[1].split()[0])
    assert resident < 6000, status


@pytest.mark.alone
def test_needs_little_time(stage, web, announcing):
    """At most 0.2 % of a core. A busy machine makes it slower: one quiet moment is enough."""
    announcer = announcing(lines(stage, (web.id, "Workers 8\nBackhandCheck /")))

    def share():
        begin, used = time.monotonic(), nanoseconds(announcer)
        time.sleep(2)
        return (nanoseconds(announcer) - used) / 1e9 / (time.monotonic() - begin)

    wait_for(lambda: share() < 0.002, 30, "two seconds in which it uses less", show=share)


def nanoseconds(announcer):
    """For which its process has run."""
    return int(open(f"/proc/{announcer.process.pid}/schedstat").read().split()[0])
