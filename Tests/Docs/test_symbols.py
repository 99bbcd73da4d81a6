# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every public symbol of the core has a doc comment."""

import re

import pytest
from Docs.repository import files, read

# What a protocol of the standard library asks for says nothing that its own documentation does not.
INHERITED = re.compile(r"\b(?:func hash\(into|static func (?:==|<)|var description\b)")
DECLARATION = re.compile(r"^\s*(?:@[\w.]+(?:\([^)]*\))?\s+)*public\s+(?!import\b|extension\b)(.*)$")
ATTRIBUTE = re.compile(r"^\s*(?:@[\w.]+(?:\([^)]*\))?\s*)+$")


def undocumented(source):
    """Public declarations without a doc comment right before them or their attributes, as line number and text."""
    lines = source.splitlines()
    found = []
    for place, line in enumerate(lines):
        declaration = DECLARATION.match(line)
        if not declaration or INHERITED.search(line):
            continue
        before = place - 1
        while before >= 0 and ATTRIBUTE.match(lines[before]):
            before -= 1
        # Its comment is in backhand.h, which it implements.
        if any("@implementation" in attribute for attribute in lines[before + 1 : place]):
            continue
        if before < 0 or not re.match(r"\s*(?:///|.*\*/\s*$)", lines[before]):
            found.append(f"{place + 1}: {declaration[1]}")
    return found


@pytest.mark.parametrize("path", [path for path in files("*.swift") if path.parts[0] == "Sources"], ids=str)
def test_public_symbols_have_comments(path):
    assert undocumented(read(path)) == []


@pytest.mark.parametrize(
    "source, count",
    [
        ("public let x = 1\n", 1),
        ("/// What.\npublic let x = 1\n", 0),
        ("/// What.\n@inline(__always)\npublic func f() {}\n", 0),
        ("@inlinable public func f() {}\n", 1),
        ("public import CBackhand\n", 0),
        ("public extension Int {\n", 0),
        ("// Not a doc comment.\npublic let x = 1\n", 1),
        ("    public static func == (a: A, b: A) -> Bool { true }\n", 0),
        ("    public init() {}\n", 1),
        ("@c @implementation\npublic func bh_f() {}\n", 0),
        ("/// What.\n\npublic let x = 1\n", 1),
    ],
)
def test_what_lacks_a_comment_is_found(source, count):
    assert len(undocumented(source)) == count
