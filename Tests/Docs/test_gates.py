# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A check that cannot fail is not one: a broken part makes scripts/check fail."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from Docs.repository import ROOT
from harness.wait import wait_for

SWIFT = """#!/bin/sh
[ "$1" = build ] || { echo "✘ Test broken() failed"; exit 1; }
"""

COMPILER = """#!/bin/sh
echo "contract.c:1: error: broken"; exit 1
"""


def check(tmp_path, *parts, **programs):
    """Runs these parts with these programs instead of the real ones."""
    for name, text in programs.items():
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CHECK_LOGS": str(tmp_path / "logs"),
        "CC": "cc",
    }
    return subprocess.run(
        ["scripts/check", *parts], cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )


def test_a_failing_part_does_not_hide_the_next(tmp_path):
    result = check(tmp_path, "unit", "contract", swift=SWIFT, cc=COMPILER)
    assert result.returncode == 1
    first, _, last = result.stdout.partition("== Failed: unit contract\n")
    assert "✘ Test broken() failed" in first and "contract.c:1: error: broken" in first
    assert last == "✘ Test broken() failed\ncontract.c:1: error: broken\n"


@pytest.mark.parametrize("broken", ["unit", "contract"])
def test_one_failing_part_is_enough(tmp_path, broken):
    good = "#!/bin/sh\nexit 0\n"
    result = check(
        tmp_path, broken, swift=SWIFT if broken == "unit" else good, cc=COMPILER if broken == "contract" else good
    )
    assert result.returncode == 1 and f"== Failed: {broken}\n" in result.stdout


def test_a_good_part_passes(tmp_path):
    result = check(tmp_path, "unit", swift="#!/bin/sh\nexit 0\n")
    assert result.returncode == 0 and "Failed" not in result.stdout


SAYS = '#!/bin/sh\necho "$0 $*" >> "$SAID"\n'


def test_swift_may_be_elsewhere(tmp_path, monkeypatch):
    """What scripts/needs advises, make SWIFT=/path/to/swift, is for the tests too; it may be a command with
    arguments."""
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    monkeypatch.setenv("SWIFT", f"env {tmp_path}/another")
    assert check(tmp_path, "unit", another=SAYS, swift="#!/bin/sh\nexit 1\n").returncode == 0
    lines = (tmp_path / "said").read_text().splitlines()
    assert [line.split()[:2] for line in lines] == [[f"{tmp_path}/another", "build"], [f"{tmp_path}/another", "test"]]


def test_fuzzing_links_with_the_compiler_beside_swift(tmp_path):
    for name in ("swift", "swiftc", "other/swift", "other/swiftc"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SAYS)
        path.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SWIFT": f"{tmp_path}/other/swift",
        "SAID": str(tmp_path / "said"),
    }
    # A word that it does not know ends it after the build, before it fuzzes.
    result = subprocess.run(
        [ROOT / "scripts/fuzz", "nothing"], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 2
    assert [line.split()[0] for line in (tmp_path / "said").read_text().splitlines()] == [
        f"{tmp_path}/other/swift",
        f"{tmp_path}/other/swiftc",
    ]


def test_an_unknown_part(tmp_path):
    result = check(tmp_path, "unit", "all")
    assert result.returncode == 2 and result.stderr == "check: no part is called 'all'\n" and result.stdout == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_leaves_nothing(tmp_path, how):
    (tmp_path / "swift").write_text('#!/bin/sh\necho $$ > "$SAID.new" && mv "$SAID.new" "$SAID"\nexec sleep 60\n')
    (tmp_path / "swift").chmod(0o755)
    said = tmp_path / "said"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CHECK_LOGS": str(tmp_path / "logs"),
        "SAID": str(said),
    }
    # A shell can only catch what it does not ignore from its start.
    running = subprocess.Popen(
        ["scripts/check", "unit"], cwd=ROOT, env=environment, preexec_fn=lambda: signal.signal(how, signal.SIG_DFL)
    )
    wait_for(said.exists, 10, "swift to run")
    running.send_signal(how)
    assert running.wait(10) == 128 + how
    wait_for(lambda: not Path("/proc", said.read_text().strip()).exists(), 5, "swift to end")


# Each of these ends when the other has come far enough.
FUZZER = """#!/bin/sh
for _ in $(seq 100); do [ ! -e "$SAID.begun" ] || exit 0; sleep 0.1; done
exit 1
"""
PATIENT = """#!/bin/sh
: > "$SAID.begun"
for _ in $(seq 100); do ! grep -q Fuzzing "$SAID" || exec echo "1 passed"; sleep 0.1; done
exit 1
"""


def test_two_lanes_and_the_smallest_are_told_first(tmp_path):
    """Without a name all parts run: the small ones are told while the long ones still run, and `alone` comes last."""
    good = "#!/bin/sh\nexit 0\n"
    compiler = '#!/bin/sh\nfor last; do :; done\nprintf "#!/bin/sh\\n" > "$last" && chmod +x "$last"\n'
    programs = {"scripts/format": good, "scripts/fuzz": FUZZER, "swift": good, "cc": compiler, "python": PATIENT}
    for name, text in programs.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "Tests").mkdir()
    shutil.copy(ROOT / "scripts/check", tmp_path / "scripts/check")
    said = tmp_path / "said"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHON": f"{tmp_path}/python",
        "CC": "cc",
        "SAID": str(said),
    }
    with open(said, "wb") as out:
        result = subprocess.run(
            ["scripts/check"], cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT, check=False, env=environment
        )
    titles = [line.split(":")[0] for line in said.read_text().splitlines() if line.startswith("== ")]
    assert (result.returncode, len(titles)) == (0, 7), said.read_text()
    assert titles[:4] == ["== Form", "== Swift", "== C", "== Fuzzing"]
    assert said.read_text().endswith("== Python: what needs the machine for itself\n1 passed\n")
