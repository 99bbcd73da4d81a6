# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A short torture; make torture SECONDS=600 SEED=n is a long one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from torture import torture  # noqa: E402


def test_twenty_seconds():
    assert torture(20, seed=20) == []


def test_twenty_seconds_with_announced_servers():
    assert torture(20, seed=21, announced=True) == []


def test_twenty_seconds_with_a_farm():
    assert torture(20, seed=22, farm=True) == []
