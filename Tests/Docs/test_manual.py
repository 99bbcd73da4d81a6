# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The manual pages of the tools: mandoc has nothing to warn of."""

import re
import shutil
import subprocess

import pytest
from Docs.repository import ROOT, files, read

PAGES = [path for path in files("*.[18]") if path.parts[:2] == ("docs", "man")]
needs_mandoc = pytest.mark.skipif(not shutil.which("mandoc"), reason="the Debian package mandoc is missing")


def lint(page):
    """What mandoc warns of, and its exit code."""
    result = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def test_each_tool_has_a_page():
    tools = set(re.findall(r'^    tool\("([\w-]+)"', read("Package.swift"), flags=re.M))
    assert tools and {path.stem for path in PAGES if path.suffix == ".1"} == tools
    # The daemon, which is not a target of the package.
    assert {path.stem for path in PAGES if path.suffix == ".8"} == {"backhand-announce"}


@needs_mandoc
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_is_clean(page):
    assert lint(page) == (0, "")


@needs_mandoc
def test_lint_finds_something(tmp_path):
    """The gate trips: a space before a macro that takes none, as the pages once had it."""
    page = tmp_path / "bad.1"
    page.write_text(read(PAGES[0]).replace(".Sh DESCRIPTION\n", ".Sh DESCRIPTION\n.Fl x Ns : Ns Ar y\n", 1))
    code, text = lint(page)
    assert code != 0 and "skipping no-space macro" in text
