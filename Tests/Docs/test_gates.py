# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A check that cannot fail is none: a broken step ends scripts/check."""

import os
import subprocess

from Docs.repository import ROOT

SWIFT = """#!/bin/sh
[ "$1" = build ] || { echo "Test broken() failed"; exit 1; }
"""


def test_a_failing_unit_test_ends_the_check(tmp_path):
    swift = tmp_path / "swift"
    swift.write_text(SWIFT)
    swift.chmod(0o755)
    (ROOT / "build").mkdir(exist_ok=True)
    result = subprocess.run(
        ["scripts/check"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert result.returncode != 0
    assert "Test broken() failed" in result.stdout and "AddressSanitizer" not in result.stdout
