# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The harness itself, with an httpd without our module: what it promises must be true before other tests lean on it."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from harness import announce, client, errorlog, httpd, ports, processes, sockets
from harness.client import Step, Trace
from harness.wait import Late, wait_for

PLAIN = ("backhand", "proxy", "proxy_http")


def test_serves_and_leaves_nothing(stage, mpm):
    server = stage.httpd("Header set X-Name plain\n", mpm=mpm, without=PLAIN)
    answer = server.get("/")
    assert (answer.status, answer.body, answer.header("x-name")) == (200, b"httpd1\n", "plain")
    pids = [process.pid for process in server.processes()]
    assert server.pid in pids and len(pids) > 1
    server.stop()
    assert not {process.pid for process in processes.processes()} & set(pids)
    assert not sockets.is_listening(server.address, server.port)


def test_graceful_and_hard_restart(stage, mpm):
    server = stage.httpd(mpm=mpm, without=PLAIN)
    for how in (signal.SIGUSR1, signal.SIGHUP):
        server.restart(how)
        assert server.get("/").status == 200


def test_runs_scripts(stage, mpm):
    script = '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho "from $REMOTE_ADDR"\n'
    server = stage.httpd(mpm=mpm, without=PLAIN, cgi=True, files={"cgi-bin/who": script})
    assert server.get("/cgi-bin/who", source="127.0.0.55").text == "from 127.0.0.55\n"
    assert server.children() and server.pid not in server.children()


def test_a_failed_start_is_told_and_ended(stage):
    server = stage.httpd("NoSuchDirective on\n", without=PLAIN, start=False)
    with pytest.raises(httpd.StartFailed, match="NoSuchDirective"):
        server.start()
    assert server.process is None
    assert "NoSuchDirective" in server.test_config()[1]
    server.log.expect("NoSuchDirective")
    server.log.allow("AH00526: Syntax error")


def test_a_killed_parents_children_are_ended(stage):
    server = stage.httpd(without=PLAIN)
    pids = [process.pid for process in server.processes()]
    server.kill_parent()
    server.stop()
    assert not {process.pid for process in processes.processes()} & set(pids)


def test_what_outlives_its_httpd_is_a_failure_and_is_ended(stage):
    server = stage.httpd(without=PLAIN)
    name, _, value = server.mark.partition("=")
    orphan = subprocess.Popen(["sleep", "60"], start_new_session=True, env={name: value})
    with pytest.raises(httpd.Leftover, match=str(orphan.pid)):
        server.stop()
    assert orphan.wait(5) == -signal.SIGKILL


# ---- The error log as a gate ----

LINE = "[Sat Nov 21 02:24:01.000001 2026] [backhand:{}] [pid 12:tid 34] BH0301: text"


@pytest.mark.parametrize(
    "level, grave",
    [
        ("debug", False),
        ("info", False),
        ("notice", False),
        ("warn", True),
        ("error", True),
        ("crit", True),
        ("nonsense", True),
    ],
)
def test_levels_of_lines(level, grave):
    assert errorlog.parse(LINE.format(level)).is_grave is grave


def stamp(seconds):
    return time.strftime("%a %b %d %H:%M:%S.500000 %Y", time.localtime(seconds))


def log_line(seconds, source, text):
    return f"[{stamp(seconds)}] [{source}] [pid 12:tid 12] {text}"


CRASH = "AH00052: child pid 13 exit signal Segmentation fault (11)"
STOPPED = "AH00491: caught SIGTERM, shutting down"


@pytest.mark.parametrize(
    "text, grave",
    [
        (CRASH, True),
        ("AH00051: child pid 13 exit signal Illegal instruction (4), possible coredump in /tmp", True),
        ("AH00052: child pid 13 exit signal Aborted (6)", True),
        ("AH00052: child pid 13 exit signal Killed (9)", False),
        ("AH00052: child pid 13 exit signal Terminated (15)", False),
    ],
)
def test_crashes_are_grave(text, grave):
    assert errorlog.parse(log_line(1, "core:notice", text)).is_grave is grave


@pytest.mark.parametrize(
    "crash, graves", [(-3, 1), (3, 0), (5, 0), (7, 1)], ids=["before", "while ending", "at the end", "afterwards"]
)
@pytest.mark.parametrize(
    "what",
    [("core:notice", CRASH), ("mpm_event:error", "(9)Bad file descriptor: AH00468: error closing socket")],
    ids=["crash", "closed twice"],
)
@pytest.mark.parametrize("end", [STOPPED, "AH00494: SIGHUP received.  Attempting to restart"])
def test_crashes_while_children_are_ended(tmp_path, crash, graves, end, what):
    path = tmp_path / "error_log"
    log = errorlog.ErrorLog(path)
    log.ending()
    now = time.time()
    said = [
        (crash, log_line(now + crash, *what)),
        (4, log_line(now + 4, "core:info", "AH00096: removed PID file")),
        (5, log_line(now + 5, "mpm_event:notice", end)),
    ]
    path.write_text("".join(f"{text}\n" for _, text in sorted(said)))
    assert len(log.grave()) == graves
    assert len(log.grave("AH00052|AH00468")) == graves
    if graves:
        with pytest.raises(errorlog.LogFailure, match="unexpected: .*(exit signal|AH00468)"):
            log.check()
    else:
        log.check()


def test_a_crash_before_the_stop(stage):
    server = stage.httpd()
    os.kill(
        next(
            process.pid
            for process in server.processes()
            if process.pid != server.pid and process.name != httpd.MODERATOR
        ),
        signal.SIGSEGV,
    )
    wait_for(lambda: server.log.count("exit signal Segmentation"), 5, "the line", show=server.log.text)
    server.stop()
    assert len(server.log.grave("exit signal")) == 1
    server.log.expect("exit signal Segmentation")


def test_what_a_script_writes_is_grave():
    assert errorlog.parse("sh: 1: syntax error").level == "raw"


@pytest.mark.parametrize(
    "needed, allowed, level, failure",
    [
        ([], [], "warn", "unexpected: .*BH0301"),
        ([], [], "info", None),
        (["BH0301"], [], "warn", None),
        ([], ["BH0301"], "warn", None),
        (["BH0302"], ["BH0301"], "warn", "missing: a line with BH0302"),
        (["BH0302"], [], "warn", "unexpected: .*BH0301"),
    ],
)
def test_the_checker_trips(tmp_path, needed, allowed, level, failure):
    path = tmp_path / "error_log"
    path.write_text(LINE.format(level) + "\n")
    log = errorlog.ErrorLog(path)
    for pattern in needed:
        log.expect(pattern)
    for pattern in allowed:
        log.allow(pattern)
    if failure:
        with pytest.raises(errorlog.LogFailure, match=failure):
            log.check()
    else:
        log.check()
    log.check()  # each line is judged once


def test_the_gate_fails_a_test_of_pytest(tmp_path):
    """A whole pytest run, whose only test does nothing wrong except that its httpd logs an error."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    (tmp_path / "conftest.py").write_text("from conftest_of_backhand import *\n")
    (tmp_path / "conftest_of_backhand.py").write_text(open(os.path.join(here, "conftest.py")).read())
    (tmp_path / "test_trips.py").write_text(
        textwrap.dedent("""
        def test_logs_an_error(stage):
            server = stage.httpd(without=("backhand", "proxy", "proxy_http"), cgi=True)
            assert server.get("/cgi-bin/missing").status == 404
    """)
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        text=True,
        timeout=60,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{here}:{tmp_path}"},
        check=False,
    )
    assert result.returncode == 1, result.stdout
    assert "LogFailure" in result.stdout and "script not found" in result.stdout


# ---- Small tools ----


def test_waiting_tells_the_last_state():
    with pytest.raises(Late, match="three things; last state: 2"):
        wait_for(lambda: False, 0.05, "three things", show=lambda: 2)


def test_trace_is_read():
    trace = Trace.read("action=proxy server=127.0.0.4:8081 chain=byAge:8>6,byLogWindow:6>2,byLoad:2")
    assert trace == ("proxy", "127.0.0.4:8081", [Step("byAge", 8, 6), Step("byLogWindow", 6, 2), Step("byLoad", 2, 2)])
    assert trace.left == [("byAge", 6), ("byLogWindow", 2), ("byLoad", 2)]


def test_ports_do_not_run_out(monkeypatch):
    """One process runs more tests than there are ports."""
    monkeypatch.setattr(ports, "PORTS", ports.ALL_PORTS[:40])
    monkeypatch.setattr(ports, "_chosen", collections.deque(maxlen=20))
    taken = [ports.free_port() for _ in range(200)]
    assert all(len(set(taken[place : place + 20])) == 20 for place in range(180))


def test_announcement_bytes():
    """Offsets of docs/protocol.md."""
    data = announce.Announcement("10.0.0.4", 8080, "web", load=-1, boot_id=7, sequence=9, arrivals=5).encode()
    assert data[0:8] == b"BKHD\x01\x00" + len(data).to_bytes(2, "big")
    assert data[8:24] == (7).to_bytes(8, "big") + (9).to_bytes(8, "big")
    assert data[24:44] == b"\0" * 10 + b"\xff\xff\x0a\x00\x00\x04" + b"\x1f\x90" + b"\0\0"
    assert data[48:52] == b"\xff\xff\xff\xff"
    assert data[88:96] == (5).to_bytes(8, "big")
    assert data[96:] == b"\0\x01\0\x03web"


def test_backend_keeps_what_it_gets(stage):
    backend = stage.backend("127.0.0.3")
    with client.Client(backend.address, backend.port) as connection:
        assert connection.request("/a%2Fb//c?", method="POST", chunks=[b"one", b"two"]).text == backend.id
        assert connection.request("/d", method="HEAD").body == b""
    assert [(request.line, request.body, request.connection) for request in backend.requests] == [
        ("POST /a%2Fb//c? HTTP/1.1", b"onetwo", 1),
        ("HEAD /d HTTP/1.1", b"", 1),
    ]


@pytest.mark.parametrize("share, passes", [(-1, True), (1e9, False)], ids=["late", "in time"])
def test_a_failure_while_the_machine_is_late_counts_the_second_time(tmp_path, share, passes):
    """It is not hidden: the summary has its name and its first reason."""
    (tmp_path / "test_once.py").write_text(
        "import pathlib\n\n\ndef test_fails_once():\n"
        f"    seen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        "    first, _ = not seen.exists(), seen.touch()\n"
        "    assert not first, 'the first time'\n\n\n"
        "def test_fails():\n    assert False\n"
    )
    folder = pathlib.Path(__file__).parents[1]
    (tmp_path / "conftest.py").write_text(
        f"from harness import lateness\n\nlateness.MUCH, lateness.LONG = {share}, {share}\n\n"
        + (folder / "conftest.py").read_text()
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-c",
            str(folder / "pytest.ini"),
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("1 failed, 1 passed" if passes else "2 failed") in ran.stdout, ran.stdout + ran.stderr
    reason = "AssertionError: the first time / assert not True"
    assert bool(re.search(rf"\ntest_once.py::test_fails_once: .*: {reason}\n", ran.stdout)) == passes
    assert ("= run again, because the machine was late =" in ran.stdout) == passes
