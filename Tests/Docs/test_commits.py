# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The subjects of commits since the reformatting: an area, what changes, at most 72 characters."""

import re
import subprocess

import pytest
from Docs.repository import ROOT, read

FORM = re.compile(r"[a-z][a-z0-9_ ./-]*: \S.*[^.]")
MOST = 72


def complaint(subject):
    """What is wrong with a subject; empty: nothing."""
    if subject.startswith(("Merge ", "Revert ")):
        return ""
    if not FORM.fullmatch(subject):
        return "is not of the form 'area: what changes'"
    return f"has {len(subject)} characters, which are more than {MOST}" if len(subject) > MOST else ""


@pytest.mark.parametrize(
    ("subject", "wrong"),
    [
        ("moderator: a line that works again is logged", False),
        ("Moderator: a line", True),
        ("mends a line", True),
        ("docs: a sentence.", True),
        ("docs: " + "x" * 66, False),
        ("docs: " + "x" * 67, True),
    ],
)
def test_what_a_subject_may_be(subject, wrong):
    assert bool(complaint(subject)) == wrong


def test_subjects_have_the_form():
    base = next(line for line in read(".git-blame-ignore-revs").splitlines() if line and not line.startswith("#"))
    log = subprocess.run(
        ["git", "-C", ROOT, "log", "--no-merges", "--format=%h %s", f"{base}..HEAD"], capture_output=True, text=True
    )
    if log.returncode:
        pytest.skip(f"no history here: {log.stderr.strip()}")
    wrong = [f"{line}: {complaint(line.split(' ', 1)[1])}" for line in log.stdout.splitlines()]
    assert [line for line in wrong if not line.endswith(": ")] == []
