# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A line of a document has one sentence, so a change shows in a diff as what it is."""

import re

from Docs.repository import files, read, without_code_blocks

# Tables, headings and lines of another form than prose; what is called `**Message**` is one line of the log.
OTHER = re.compile(r" *\||#|<|---|\*\*(?:Description|Message|Syntax|Default)\*\*")
ENDS = re.compile(r"[.:?!;|)>`*,]$")


def prose(text):
    """Pairs of number and line, with a mark instead of each piece of code."""
    for number, line in enumerate(without_code_blocks(text).split("\n"), 1):
        if line.strip() and not OTHER.match(line):
            yield number, re.sub(r"`[^`]*`", "`", line)


def wrong_lines(text):
    """Lines with two sentences, and lines that end within one that goes on."""
    lines = dict(prose(text))
    two = [number for number, line in lines.items() if re.search(r"[a-z)`][.?!] [A-Z`\[]", line)]
    cut = [
        number
        for number, line in lines.items()
        if not ENDS.search(line) and number + 1 in lines and not re.match(r"\s*(?:[-*]|\d+\.) ", lines[number + 1])
    ]
    return sorted(two + cut)


def test_that_wrong_lines_are_found():
    text = "One. Two.\n\nOne sentence that\ngoes on.\n\n- It has\n- items\n\n    code. More\n\n`a. B` is code.\n"
    assert wrong_lines(text) == [1, 3]


def test_one_sentence_a_line():
    pages = [path for path in files("*.md") if path.parts[0] != ".github"]
    assert len(pages) > 60
    assert [f"{path}:{number}" for path in pages for number in wrong_lines(read(path))] == []
