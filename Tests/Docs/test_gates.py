# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A check that cannot fail is not one: a broken part makes scripts/check fail."""

import os
import subprocess

import pytest
from Docs.repository import ROOT

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
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CHECK_LOGS": str(tmp_path / "logs"), "CC": "cc"}
    return subprocess.run(["scripts/check", *parts], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def test_a_failing_part_does_not_hide_the_next(tmp_path):
    result = check(tmp_path, "unit", "contract", swift=SWIFT, cc=COMPILER)
    assert result.returncode == 1
    first, _, last = result.stdout.partition("== Failed: unit contract\n")
    assert "✘ Test broken() failed" in first and "contract.c:1: error: broken" in first
    assert last == "✘ Test broken() failed\ncontract.c:1: error: broken\n"


@pytest.mark.parametrize("broken", ["unit", "contract"])
def test_one_failing_part_is_enough(tmp_path, broken):
    good = "#!/bin/sh\nexit 0\n"
    result = check(tmp_path, broken, swift=SWIFT if broken == "unit" else good, cc=COMPILER if broken == "contract" else good)
    assert result.returncode == 1 and f"== Failed: {broken}\n" in result.stdout


def test_a_good_part_passes(tmp_path):
    result = check(tmp_path, "unit", swift="#!/bin/sh\nexit 0\n")
    assert result.returncode == 0 and "Failed" not in result.stdout


def test_an_unknown_part(tmp_path):
    result = check(tmp_path, "unit", "all")
    assert result.returncode == 2 and result.stderr == "check: no part is called 'all'\n" and result.stdout == ""
