# Licensed under the Apache License, Version 2.0; see LICENSE.
"""make demo: shows what it promises and leaves nothing, however it ends."""

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from harness.httpd import REPOSITORY
from harness.processes import processes
from harness.wait import wait_for

DEMO = REPOSITORY / "demo/demo.py"


def folders(temporary):
    return list(pathlib.Path(temporary).glob("backhand-demo-*"))


@pytest.fixture
def temporary():
    """A folder for temporary files: short, so that the demonstration uses it, and open to httpd's user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bh-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(temporary, *options, **how):
    # As the Makefile does it.
    command = [sys.executable, "-E", "-S", *options, str(DEMO)]
    return subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary)}, text=True, **how)


def leaves_nothing(temporary):
    wait_for(lambda: not folders(temporary), 5, "the folder to go", show=lambda: folders(temporary))

    def left():
        found = []
        for process in processes():
            try:
                command = pathlib.Path("/proc", str(process.pid), "cmdline").read_bytes()
            except OSError:
                continue
            if str(temporary).encode() + b"/backhand-demo-" in command:
                found.append(process)
        return found

    wait_for(lambda: not left(), 5, "its processes to go", show=left)


def test_to_its_end(temporary):
    begin = time.monotonic()
    demo = start(temporary, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = demo.communicate(timeout=90)
    assert (demo.returncode, err) == (0, ""), out + err
    assert time.monotonic() - begin < 60
    counts = [int(count) for count in re.findall(r"^    (?:small|medium|large) +(\d+)(?:  ▇*)?$", out, re.MULTILINE)]
    assert len(counts) == 6 and sum(counts[:3]) == sum(counts[3:]) == 300
    assert min(counts[:3]) > 50
    # medium is busy then.
    assert counts[4] < 10
    assert "/backhand-status" in out and len(out.splitlines()) < 45
    leaves_nothing(temporary)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.3, 2.0, 5.0])
def test_interrupted(temporary, how, delay):
    demo = start(temporary, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(delay)
    demo.send_signal(how)
    out, err = demo.communicate(timeout=30)
    # Python itself may not have begun to read the program.
    assert (err, demo.returncode in (0, -how if delay < 1 else 0)) == ("", True), (out, err, demo.returncode)
    leaves_nothing(temporary)


IN_A_CALLBACK = """
import os, runpy, signal, sys

once = iter([signal.SIGTERM])
os.register_at_fork(before=lambda: [os.kill(os.getpid(), each) for each in once])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_interrupted_where_python_ignores_it(temporary):
    """Python prints what a callback of a fork raises, and goes on."""
    demo = start(temporary, "-c", IN_A_CALLBACK, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = demo.communicate(timeout=30)
    assert (demo.returncode, err, out) == (0, "", "\n  Ended.\n")
    leaves_nothing(temporary)


def test_on_a_terminal_it_stays(temporary):
    primary, secondary = pty.openpty()
    demo = start(temporary, stdin=secondary, stdout=secondary, stderr=secondary)
    os.close(secondary)
    text = b""
    end = time.monotonic() + 60
    while b"Ctrl-C" not in text and time.monotonic() < end:
        text += os.read(primary, 4096)
    assert b"Ctrl-C" in text
    time.sleep(1)
    assert demo.poll() is None
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 0
    os.close(primary)
    leaves_nothing(temporary)
