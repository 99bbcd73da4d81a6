# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docs/announcing-without-httpd.md: its program announces a server to the front that its page configures."""

import contextlib
import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import announce, ports
from harness.httpd import BUILD, REPOSITORY
from harness.processes import end_with_parent
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

PAGE = (REPOSITORY / "docs/announcing-without-httpd.md").read_text()
OLD, NEW = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
FRONT, SERVER, OTHER = "127.0.9.1", "127.0.9.70", "127.0.9.71"

# What a system like Windows lacks, and what its sockets do after a datagram to a port where no program listens.
LIKE_WINDOWS = """
import os, signal, socket, sys, time
for module, names in ((os, ("getloadavg", "sysconf", "fork", "uname")), (signal, ("SIGHUP", "SIGALRM", "SIGUSR1")),
                      (socket, ("SO_REUSEPORT", "AF_UNIX"))):
    for name in names:
        delattr(module, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None

class Socket(socket.socket):
    resets = 2
    def recvfrom(self, size):
        if self.resets:
            self.resets -= 1
            raise ConnectionResetError(10054, "An existing connection was forcibly closed by the remote host")
        return super().recvfrom(size)

socket.socket = Socket
"""


def blocks(kind):
    """The fenced blocks of the page with this word."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.M | re.S)


def with_values(text, values):
    """The text with a reader's values; each that is replaced stands in it."""
    for written, value in values.items():
        assert written in text
        text = text.replace(written, value)
    return text


def front_of_page(stage, *keys):
    """The front as the page configures it."""
    (text,) = blocks("apache")
    key = f'BackhandKey "{key_file(stage, *keys, name="key of the front")}"\n' if keys else ""
    values = {
        "/var/lib/backhand": "${sockets}",
        "10.0.0.1:80 239.255.221.20:4445": "${address}:${port} ${group}",
        "10.0.0.0/24": "127.0.9.0/24",
        "BackhandKey /etc/apache2/backhand.key\n": key,
    }
    front = stage.httpd(with_values(text, values), address=FRONT)
    front.knows()
    return front


def key_file(stage, *keys, name="key"):
    """As an editor of Windows writes it."""
    path = stage.folder / name
    path.write_bytes("".join(f"{key}\r\n" for key in ("# of the cluster", "", *keys)).encode())
    path.chmod(0o600)
    return path


class Announcer:
    """The page's command, with the page's program. It ends with the test."""

    def __init__(self, stage, own, to, *more, like_windows=False):
        folder = stage.folder / f"announcer-{time.monotonic_ns()}"
        folder.mkdir()
        (program,) = blocks("python")
        (folder / "announce.py").write_text(program)
        (folder / "sitecustomize.py").write_text(LIKE_WINDOWS if like_windows else "")
        (line,) = re.findall(r"^    python3 (announce.py .*)$", PAGE, flags=re.M)
        address = f"{to[0]}:{to[1]}"
        values = {"10.0.0.5:8080": own, "239.255.221.20:4445": address, " --key backhand.key": ""}
        self.process = subprocess.Popen(
            [sys.executable, *with_values(line, values).split(), *map(str, more)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            preexec_fn=end_with_parent,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, how=signal.SIGTERM):
        """It says farewell, and complains of nothing."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=10)
        assert (self.process.returncode, said) == (0, "")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        said = self.process.communicate()[1]
        if kind is None:
            assert said == ""


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with its own address, and what it was told of the client."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        text = f"{self.server.server_address[0]} for {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def web_server(address):
    """A server of Python's at the address; its "address:port"."""
    with http.server.ThreadingHTTPServer((address, ports.free_port(address)), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{address}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def row(front, server):
    return front.status().servers[server]


def comes(front, server, state="up", deadline=15):
    """Waits until the front knows the server in this state; returns its row."""

    def found():
        now = row(front, server)
        return now if now["state"] == state else None

    return wait_for(found, deadline, f"{server} to be {state}", show=front.show_status)


def answering(front, count=10):
    """Addresses of the servers that answered so many requests at once: of those that come one after the other, a server
    that is quicker gets all."""
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(lambda _: front.get("/", source="127.0.0.50"), range(count)))
    assert {answer.status for answer in answers} == {200}, answers
    return {answer.text.split()[0] for answer in answers}


@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["without a key", "with a key"])
def test_a_front_knows_what_is_announced(stage, keys):
    front = front_of_page(stage, *keys)
    more = ["--key", key_file(stage, *keys)] if keys else []
    with Announcer(stage, f"{SERVER}:8080", front.group, "--arriba", 400000, *more, "--name", "büro 7") as announcer:
        found = comes(front, f"{SERVER}:8080")
        cpus = os.cpu_count()
        wanted = {
            "workers": 8,
            "workers_idle": 0,
            "arriba": 400000,
            "capacity": 400 * cpus,
            "ncpu": cpus,
            "memory_total": 0,
            "memory_available": 0,
            "idle_cost": "unknown",
            "encoded_slashes": "unknown",
            "hostname": "b-ro-7",
            "arrivals": 0,
        }
        assert {name: found[name] for name in wanted} == wanted
        # Both say whole seconds: one may begin between them.
        assert abs(found["clock_ahead_s"]) <= 1
        assert abs(found["load"] - os.getloadavg()[0]) < 5
        before = front.status().counters
        # Without the time of sending, the fourth would be challenged.
        wait_for(lambda: front.status().counters["accepted"] >= before["accepted"] + 4, 10, "four announcements")
        assert row(front, f"{SERVER}:8080")["age_ms"] < 2500
        after = front.status().counters
        dropped = ("unsigned", "bad_signature", "bad_answer", "repeated", "nonsense", "truncated", "oversized")
        assert [name for name in dropped if after[name]] == []
        # It proves itself once, and then its announcements are enough.
        assert after["challenged"] == before["challenged"] == (1 if keys else 0)
        command = [BUILD / "backhandctl", "status", "--socket", front.control_socket]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        assert re.search(rf"^.*b-ro-7.*{SERVER}:8080.* 0/8 .* up\b.*$", shown, flags=re.M), shown
        announcer.end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["without a key", "with a key"])
def test_a_server_gets_requests_while_it_is_announced(stage, keys, how):
    front = front_of_page(stage, *keys)
    more = ["--key", key_file(stage, *keys)] if keys else []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(web_server(address)) for address in (SERVER, OTHER)]
        announcers = [stack.enter_context(Announcer(stage, server, front.group, *more)) for server in servers]
        for server in servers:
            comes(front, server)
        wait_for(lambda: answering(front, 5) == {SERVER, OTHER}, 15, "both to answer", show=front.show_status)
        assert "action=proxy" in front.logged("GET / ")
        client = front.get("/", source="127.0.0.50")
        assert client.text.endswith(" for 127.0.0.50")
        assert [row(front, server)["kept"] for server in servers] == [0, 0]

        # It says that it ends, which no age does.
        announcers[0].end(how)
        comes(front, servers[0], "shutdown")
        assert row(front, servers[0])["age_ms"] < 5000
        assert answering(front, 20) == {OTHER}

        # What is started again is another start of the same server, and is proven again.
        stack.enter_context(Announcer(stage, servers[0], front.group, *more))
        comes(front, servers[0])
        announcers[1].end(how)
        comes(front, servers[1], "shutdown")
        assert answering(front, 20) == {SERVER}
        assert set(front.status().others) == set(servers)


def test_another_key_is_not_accepted(stage):
    front = front_of_page(stage, OLD)
    with Announcer(stage, f"{SERVER}:8080", front.group, "--key", key_file(stage, NEW)):
        wait_for(lambda: front.status().counters["bad_signature"] >= 3, 10, "the count", show=front.show_status)
        assert front.status().others == {}
    front.log.expect("BH0324: .*none of our keys has signed it")


def test_no_key_is_not_accepted(stage):
    front = front_of_page(stage, OLD)
    with Announcer(stage, f"{SERVER}:8080", front.group):
        wait_for(lambda: front.status().counters["unsigned"] >= 3, 10, "the count", show=front.show_status)
        assert front.status().others == {}
    front.log.expect("BH0323: .*it is not signed")


def test_while_the_key_is_changed(stage):
    """The first key signs, both are accepted, on either side."""
    front = front_of_page(stage, OLD, NEW)
    with Announcer(stage, f"{SERVER}:8080", front.group, "--key", key_file(stage, NEW, OLD)):
        comes(front, f"{SERVER}:8080")


def test_only_a_good_challenge_is_answered(stage):
    group = stage.group
    with Announcer(stage, f"{SERVER}:8080", group, "--key", key_file(stage, OLD)):
        data, where = announce.heard(group, SERVER)
        boot_id = int.from_bytes(data[8:16], "big")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.bind((OTHER, 0))
            asker.settimeout(5)
            good = announce.challenge(boot_id, b"n" * 16, OLD)
            for bad in (
                announce.challenge(boot_id, b"a" * 16, NEW),
                announce.challenge(boot_id ^ 1, b"b" * 16, OLD),
                good[:-1],
                good + b"x",
                good[:5] + b"\0" + good[6:],
                b"",
                data,
            ):
                asker.sendto(bad, where)
            asker.sendto(good, where)
            answer, source = asker.recvfrom(2000)
            assert source == where and b"\0\x04\0\x10" + b"n" * 16 in answer
            assert answer[8:16] == data[8:16]
            # The announcement of this second once more; meanwhile, the next second may have begun.
            sent = [int.from_bytes(each[16:24], "big") for each in (data, answer)]
            assert sent[1] - sent[0] in (0, 1)


@pytest.mark.parametrize("to", ["unicast", "broadcast"])
def test_other_destinations(stage, to):
    port = ports.free_port(FRONT)
    address = FRONT if to == "unicast" else "127.255.255.255"
    config = CLUSTER_OF_9.replace("${group},1", f"{address}:{port}")
    front = stage.httpd(config, address=FRONT)
    front.knows()
    with Announcer(stage, f"{SERVER}:8080", (address, port)):
        comes(front, f"{SERVER}:8080")


def test_several_destinations(stage):
    front, other = (stage.httpd(CLUSTER_OF_9, address=f"127.0.9.{last}", group=stage.new_group()) for last in (1, 2))
    with Announcer(stage, f"{SERVER}:8080", front.group, f"{other.group[0]}:{other.group[1]}"):
        for one in (front, other):
            comes(one, f"{SERVER}:8080")


@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["without a key", "with a key"])
def test_a_system_like_windows_is_enough(stage, keys):
    front = front_of_page(stage, *keys)
    more = ["--key", key_file(stage, *keys)] if keys else []
    with Announcer(stage, f"{SERVER}:8080", front.group, *more, like_windows=True) as announcer:
        assert comes(front, f"{SERVER}:8080")["load"] == 0
        announcer.end()
        comes(front, f"{SERVER}:8080", "shutdown")


@pytest.mark.parametrize("workers, actions", [("0", {"local", "proxy"}), ("8", {"local"})])
def test_a_node_sends_to_it_if_it_announces_no_workers(stage, workers, actions):
    """With workers, none of which is known to be idle, a node that may serve the request itself does."""
    node = stage.httpd(CLUSTER_OF_9 + "Backhand byAge 6\nBackhand byRandom\n", address=FRONT)
    node.knows()
    with web_server(SERVER) as server, Announcer(stage, server, node.group, "--workers", workers):
        comes(node, server)
        for number in range(40):
            assert node.get(f"/?{number}", source="127.0.0.50").status in (200, 403, 404)
        node.logged("GET /?39 ")
        assert set(re.findall(r"action=(\w+)", "\n".join(node.access_log()))) == actions
