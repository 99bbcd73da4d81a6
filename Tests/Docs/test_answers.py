# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The table of headers in answers.md is the source's."""

import re

from Docs.repository import read


def test_the_table_of_headers():
    """Each row has headers of one kind, all of them."""
    source = {}
    for name, kind in re.findall(r'\("([\w-]+)", \.(\w+)\)', read("Sources/BackhandHTTP/Answers/HeaderKind.swift")):
        source.setdefault(kind, set()).add(name)
    rows = read("docs/answers.md").partition("## Headers")[2].splitlines()
    told = [set(re.findall(r"`([\w-]+)`", row.split("|")[1])) for row in rows if row.startswith("| `")]
    told = [names for names in told if names]
    ours = source.pop("ours")
    assert sorted(map(sorted, source.values())) == sorted(sorted(names) for names in told if not names & ours)
    assert ours == set().union(*(names for names in told if names & ours))
