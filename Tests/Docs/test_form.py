# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A function fits on a screen: no function of C or Swift has more than 50 lines."""

import re

import pytest
from Docs.repository import ROOT, files

MOST = 50
BEGIN = {
    "*.c": re.compile(r"^(?![ \t#/}]).*\) \{$"),
    "*.h": re.compile(r"^(?![ \t#/}]).*\) \{$"),
    "*.swift": re.compile(r"^ *(?:@\w+(?:\([^)]*\))? |\w+(?:\(set\))? )*(?:func|init|deinit|subscript)\b"),
}
FOLDERS = {"Sources", "module", "Tests", "httpd-conf-examples"}


def long_functions(text, begins, most=MOST):
    """First lines of functions with more lines than that: a function ends with a brace in the column in which it
    begins."""
    lines, found = text.split("\n"), []
    for number, line in enumerate(lines):
        if not begins.match(line):
            continue
        end = re.compile(re.escape(line[: len(line) - len(line.lstrip())]) + r"\}")
        length = next((further for further, other in enumerate(lines[number:]) if further and end.match(other)), 0) + 1
        if length > most:
            found.append(f"{number + 1}: {line.strip()} ({length} lines)")
    return found


def test_that_long_functions_are_found():
    c = "static int f(void) {\n" + "    g();\n" * 49 + "}\n"
    assert long_functions(c, BEGIN["*.c"]) == ["1: static int f(void) { (51 lines)"]
    assert long_functions(c.replace("    g();\n", "", 1), BEGIN["*.c"]) == []
    swift = "struct A {\n    private func f() {\n" + "        g()\n" * 49 + "    }\n}\n"
    assert long_functions(swift, BEGIN["*.swift"]) == ["2: private func f() { (51 lines)"]


@pytest.mark.parametrize("pattern", sorted(BEGIN))
def test_functions_fit_on_a_screen(pattern):
    paths = [path for path in files(pattern) if path.parts[0] in FOLDERS]
    assert paths
    assert [
        f"{path}:{one}" for path in paths for one in long_functions((ROOT / path).read_text(), BEGIN[pattern])
    ] == []
