# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A decision costs at most what thresholds.json allows, and allocates nothing."""

import json
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
CORE = REPOSITORY / ".build-embedded/release/libBackhandBridge.a"
THRESHOLDS = json.loads((HERE / "thresholds.json").read_text())

# The difference of the two is the cost of deciding, without that of starting.
FEW, MANY = 100, 300


@pytest.fixture(scope="module")
def decide(tmp_path_factory):
    """The program, built."""
    program = tmp_path_factory.mktemp("budget") / "decide"
    wrapped = [f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "realloc", "posix_memalign")]
    subprocess.run(
        [
            "cc",
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            f"-I{REPOSITORY}/Sources/CBackhand/include",
            HERE / "decide.c",
            CORE,
            *wrapped,
            "-lm",
            "-o",
            program,
        ],
        check=True,
    )
    return program


def instructions(program, *arguments):
    """Instructions that one run executes."""
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(re.search(r"Collected\s*:\s*(\d+)", result.stderr)[1])


# Chain and state of the table as decide.c takes them, and the name of their thresholds.
CASES = {
    "decision": [],
    "default": ["default"],
    "default_untimed": ["default", "untimed"],
    "default_newcomers": ["default", "newcomers"],
}
CHAINS = pytest.mark.parametrize("case", CASES)


@CHAINS
@pytest.mark.parametrize("servers", [16, 2048])
def test_instructions(decide, servers, case):
    chain = CASES[case]
    cost = (instructions(decide, servers, MANY, *chain) - instructions(decide, servers, FEW, *chain)) / (MANY - FEW)
    timed = subprocess.run([decide, str(servers), "2000", *chain], capture_output=True, text=True, check=True).stdout
    print(f"{servers} servers: {cost:.0f} instructions a decision; {timed.strip()}")
    assert cost < THRESHOLDS[f"{case}_instructions"][str(servers)]


@CHAINS
@pytest.mark.parametrize("servers", [1, 16, 2048])
def test_allocates_nothing(decide, servers, case):
    result = subprocess.run([decide, str(servers), "100", *CASES[case]], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and " allocations 0 " in result.stdout, result.stdout + result.stderr


def test_counts_allocations(tmp_path):
    """The counter sees an allocation made in the core: parsing a wrong name builds a text."""
    program = tmp_path / "counts"
    source = (
        (HERE / "decide.c")
        .read_text()
        .replace(
            "    counting = 0;\n",
            '    bh_step_parse("nonsense", NULL, chain, error, sizeof error);\n    counting = 0;\n',
        )
    )
    (tmp_path / "counts.c").write_text(source)
    wrapped = [f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "realloc", "posix_memalign")]
    subprocess.run(
        [
            "cc",
            "-std=gnu11",
            f"-I{REPOSITORY}/Sources/CBackhand/include",
            tmp_path / "counts.c",
            CORE,
            *wrapped,
            "-lm",
            "-o",
            program,
        ],
        check=True,
    )
    assert subprocess.run([program, "16", "1"], capture_output=True, check=False).returncode == 1
