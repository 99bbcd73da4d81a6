# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The folders of Sources/ are those that architecture.md names, and unit tests are in folders of the same names."""

import re

from Docs.repository import files, read

PAGE = "docs/architecture.md"


def rooms(top, ending=""):
    """Layer -> the folders in it that have Swift."""
    found = {}
    for path in files("*.swift"):
        if path.parts[0] == top and path.parts[1].endswith(ending) and len(path.parts) > 3:
            found.setdefault(path.parts[1].removesuffix(ending), set()).add(path.parts[2])
    return found


def named(page):
    """Layer -> the folders that the table of layers names."""
    found, layer = {}, None
    table = page.partition("| layer | folder |")[2].partition("\n\n")[0]
    for name, folders in re.findall(r"^\| (\w*) *\| ([\w, ]+) \|", table, flags=re.M):
        layer = name or layer
        found.setdefault(layer, set()).update(folders.split(", "))
    return found


def test_architecture_names_all_folders():
    assert named(read(PAGE)) == rooms("Sources")


def test_unit_tests_are_in_folders_of_the_same_names():
    sources, tests = rooms("Sources"), rooms("Tests", "Tests")
    assert len(tests) > 5
    assert {layer: folders - sources.get(layer, set()) for layer, folders in tests.items()} == dict.fromkeys(
        tests, set()
    )
