# Licensed under the Apache License, Version 2.0; see LICENSE.
"""byForecast against byLeastTime in every simulated world, by the code that ships. The same figures on every
machine."""

import csv
import subprocess

import pytest
from harness.httpd import BUILD


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("balance") / "all.csv"
    subprocess.run(
        [
            str(BUILD / "backhand-simulate"),
            "balance",
            "--rule",
            "byForecast",
            "--rule",
            "byLeastTime",
            "--rule",
            "oracle",
            "--runs",
            "3",
            "--seconds",
            "60",
            "--csv",
            str(path),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    worlds = {}
    with path.open() as lines:
        for line in csv.DictReader(lines):
            worlds.setdefault(line["scenario"], {})[line["rule"]] = line
    return worlds


def test_within_five_per_cent(table):
    assert len(table) >= 30
    ratios = {
        name: float(rules["byForecast"]["p99_ms"]) / float(rules["byLeastTime"]["p99_ms"])
        for name, rules in table.items()
    }
    assert {name: ratio for name, ratio in ratios.items() if ratio > 1.05} == {}


def test_no_failure(table):
    assert {
        name: rules["byForecast"]["failures"] for name, rules in table.items() if rules["byForecast"]["failures"] != "0"
    } == {}


@pytest.mark.parametrize(
    ("world", "most"),
    [("speeds-300", 1.15), ("waits-300", 1.15), ("antagonist-1", 1.25), ("antagonist-4", 1.25), ("equal", 1.05)],
)
def test_near_the_oracle(table, world, most):
    rules = table[world]
    assert float(rules["byForecast"]["p99_ms"]) <= most * float(rules["oracle"]["p99_ms"])
