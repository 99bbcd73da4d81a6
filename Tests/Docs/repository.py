# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the tests of the documents read."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# What is built or downloaded is not ours.
NOT_OURS = {"build", ".git"}


def files(pattern):
    """Paths of our files that match, relative to the repository, sorted."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob(pattern) if path.is_file())
    return sorted(path for path in found if path.parts[0] not in NOT_OURS and not path.parts[0].startswith(".build"))


def read(path):
    """Text of a file of the repository."""
    return (ROOT / path).read_text()


def pages(folder):
    """Names of the pages in a folder of docs, without README and without ".md"."""
    return {path.stem for path in (DOCS / folder).glob("*.md")} - {"README"}


def without_code(markdown):
    """The text of a page without its code, so that what stands there is not taken for a link or a heading."""
    return re.sub(r"`[^`\n]*`", lambda code: "x" * len(code[0]), without_code_blocks(markdown))


def without_code_blocks(markdown):
    """The same with the code that stands within a line. Lines keep their numbers."""
    markdown = re.sub(r"^```.*?^```.*?$", lambda block: "\n" * block[0].count("\n"), markdown, flags=re.M | re.S)
    return re.sub(r"^(?: {4}|\t).*$", "", markdown, flags=re.M)


def fields(markdown):
    """A page's fields: the bold words that begin lines, in order, with the text up to the next one."""
    parts = re.split(r"^\*\*([A-Z][A-Za-z /]*)\.?\*\*:?", markdown, flags=re.M)
    return dict(
        zip(parts[1::2], (text.strip(" \n") if text.startswith(" ") else text.strip("\n") for text in parts[2::2]))
    )
