# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control socket and backhandctl."""

import contextlib
import grp
import json
import os
import pwd
import re
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from harness import status
from harness.announce import Announcement
from harness.httpd import BUILD
from harness.stage import CLUSTER
from harness.wait import wait_for

CTL = BUILD / "backhandctl"
OTHER = Announcement("127.0.9.7", 8087, "other-7")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CLUSTER)
    module_stage.plant(server, OTHER)
    return server


def test_mode(server):
    about = server.control_socket.stat()
    assert stat.S_ISSOCK(about.st_mode) and stat.S_IMODE(about.st_mode) == 0o660


@root_only
def test_owner_and_group(server):
    about = server.control_socket.stat()
    assert (pwd.getpwuid(about.st_uid).pw_name, grp.getgrgid(about.st_gid).gr_name) == ("www-data", "www-data")


@root_only
def test_group_can_be_set(stage):
    server = stage.httpd(CLUSTER + "BackhandSocketGroup daemon\n")
    server.knows()
    about = server.control_socket.stat()
    assert (grp.getgrgid(about.st_gid).gr_name, stat.S_IMODE(about.st_mode)) == ("daemon", 0o660)


@pytest.mark.parametrize(
    "line",
    ["", "\n", "nonsense\n", "status extra\n", "STATUS\n", "x" * 100_000 + "\n", b"\xff\0\n", "status"],
    ids=("nothing", "empty", "nonsense", "argument", "capitals", "long", "bytes", "no end"),
)
def test_bad_lines_do_no_harm(server, line):
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(str(server.control_socket))
            connection.sendall(line.encode() if isinstance(line, str) else line)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    except OSError:
        pass  # closed on us: as good an answer
    assert OTHER.id in server.status().servers


def test_silent_clients_do_not_block_others(server):
    silent = []
    for _ in range(20):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(1)
        try:
            connection.connect(str(server.control_socket))
        except OSError:
            break  # enough of them
        silent.append(connection)
    assert len(silent) > 3
    wait_for(lambda: OTHER.id in server.status().servers, 10, "an answer beside the silent ones")
    # And announcements still go out.
    before = server.status().counters["announced"]
    wait_for(lambda: server.status().counters["announced"] > before, 5, "the next announcement")
    for connection in silent:
        connection.close()


def test_clients_that_do_not_read_do_not_block_others(server):
    deaf = []
    for _ in range(5):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(str(server.control_socket))
        connection.sendall(b"status\n")
        deaf.append(connection)
    before = wait_for(server.status, 10, "an answer").counters["announced"]
    wait_for(lambda: server.status().counters["announced"] > before, 10, "the next announcement")
    for connection in deaf:
        connection.close()


def run(*arguments):
    return subprocess.run([str(CTL), *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_backhandctl_table(server):
    result = run("status", "-s", str(server.control_socket))
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert any(OTHER.id in line and "other-7" in line for line in lines)
    assert any(server.id in line for line in lines)


def test_backhandctl_json(server):
    result = run("status", "--json", "-s", str(server.control_socket))
    assert result.returncode == 0
    assert OTHER.id in status.Status(result.stdout).servers
    assert json.loads(result.stdout).keys() == server.status().json.keys()


def test_backhandctl_without_a_server(stage):
    path = stage.folder / "backhand-1.sock"
    result = run("status", "-s", str(path))
    assert result.returncode != 0 and result.stdout == "" and str(path) in result.stderr


class Pretender(threading.Thread):
    """A moderator that answers one question with these bytes, at a path whose socket it replaces."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.path, self.answer = str(path), answer
        self.asked = []

    def run(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            beside = self.path + ".new"  # there and listening at once
            listener.bind(beside)
            listener.listen(1)
            os.rename(beside, self.path)
            listener.settimeout(10)
            connection, _ = listener.accept()
            with connection:
                self.asked.append(connection.recv(256))
                with contextlib.suppress(ConnectionError):  # it may have read enough
                    connection.sendall(self.answer)


def pretend(path, answer, *arguments):
    """What backhandctl makes of an answer."""
    pretender = Pretender(path, answer)
    pretender.start()
    wait_for(path.exists, 5, "the socket")
    result = run("status", "-s", str(path), *arguments)
    pretender.join(10)
    assert pretender.asked == [b"status\n"]
    return result


@pytest.fixture
def whole_answer(server):
    return json.dumps(server.status().json, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=("table", "json"))
@pytest.mark.parametrize(
    "answer,complaint",
    [
        (b"", "gave no answer"),
        (b'{"version":"0.1.0","servers":[', "is cut"),
        (b'{"error":"unknown command"}\n', "refuses: unknown command"),
        (b'{"error":"line too long"}\n', "refuses: line too long"),
        (b"{}\n", "does not understand"),
        (b"nonsense\n", "does not understand"),
        (b"\xff\0\n", "does not understand"),
        (b'{"servers":[{"id":"0"}]}\n', "does not understand"),
    ],
    ids=("none", "cut", "error", "other error", "empty", "no JSON", "bytes", "other types"),
)
def test_backhandctl_wants_a_whole_good_answer(tmp_path, answer, complaint, arguments):
    result = pretend(tmp_path / "s", answer, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert complaint in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=("table", "json"))
def test_backhandctl_misses_the_end_of_the_line(tmp_path, whole_answer, arguments):
    """What is cut may be good JSON all the same."""
    result = pretend(tmp_path / "s", whole_answer[:-1], *arguments)
    assert (result.returncode, result.stdout) == (1, "") and "is cut" in result.stderr


# Moves cursors, sets titles, changes what was printed: also as one byte, and as one character of two bytes.
ESCAPES = "\x1b]0;title\x07\x1b[2J\r\x9b2J\x7f"


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--means",)], ids=("table", "json", "means"))
def test_backhandctl_prints_nothing_that_a_terminal_obeys(tmp_path, whole_answer, arguments):
    """The children's user can answer in the moderator's place, and root may be reading."""
    document = json.loads(whole_answer)
    document["servers"][0]["hostname"] = ESCAPES
    for ascii_only in (True, False):
        result = pretend(tmp_path / "s", json.dumps(document, ensure_ascii=ascii_only).encode() + b"\n", *arguments)
        assert result.returncode == 0 and result.stdout and not re.search(r"[^\x20-\x7e\n]", result.stdout)
    result = pretend(tmp_path / "s", json.dumps({"error": ESCAPES}).encode() + b"\n", *arguments)
    assert "refuses" in result.stderr and not re.search(r"[^\x20-\x7e\n]", result.stderr)


def test_backhandctl_stops_reading(tmp_path):
    result = pretend(tmp_path / "s", b" " * (17 << 20))
    assert (result.returncode, result.stdout) == (1, "") and "answers with more than 16 MB" in result.stderr


def test_backhandctl_json_is_the_answer_as_it_is(tmp_path, whole_answer):
    later = whole_answer.replace(b"{", b'{"a later field":[1, 2],', 1)
    result = pretend(tmp_path / "s", later, "--json")
    assert (result.returncode, result.stdout.encode(), result.stderr) == (0, later, "")


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=("table", "json"))
def test_backhandctl_tells_that_it_cannot_write(server, arguments):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [str(CTL), "status", "-s", str(server.control_socket), *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )
    assert result.returncode == 1 and "cannot write the answer: No space left on device" in result.stderr


def restarted(path, answer, arguments):
    """Exit code and output of backhandctl if the socket comes once it has looked for it in vain."""
    with subprocess.Popen(
        [str(CTL), "status", "-s", str(path), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as asking:
        about = Path(f"/proc/{asking.pid}/stat")
        # It sleeps when it waits for its second look, and not before.
        wait_for(lambda: about.read_text().rsplit(")", 1)[1].split()[0] in "SZ", 5, "backhandctl to wait", every=0.001)
        pretender = Pretender(path, answer)
        pretender.start()
        out = asking.communicate(timeout=20)[0]
    if not pretender.asked:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:  # so that it ends
            wait_for(lambda: not connection.connect_ex(str(path)), 5, "the pretender")
            connection.sendall(b"\n")
        pretender.join(10)
    return asking.returncode, out


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=("table", "json"))
@pytest.mark.parametrize("left", [False, True], ids=("missing", "nobody listens"))
def test_backhandctl_looks_again_after_a_restart(tmp_path, whole_answer, left, arguments):
    """A graceful restart replaces the socket: for a moment there is none, or an old one."""
    results = []
    for trial in range(5):  # on a busy machine the new socket may come later than the second look
        path = tmp_path / f"s{trial}"
        if left:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as gone:
                gone.bind(str(path))
        results.append(restarted(path, whole_answer, arguments))
        if results[-1][0] == 0:
            assert results[-1][1] == whole_answer or not arguments
            return
    pytest.fail(f"never: {results}")
