# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The prose of documents, help texts and log lines has no more of some habits than a manual that administrators read
well."""

import re

from Docs.language import HABITS, measure, rates
from Docs.repository import files, read

# How often the habits occur in 1,000 words of Varnish's documentation: varnishcache/varnish-cache, doc/sphinx, commit
# 27d2ce15b20b of 12 February 2026, without its folder phk, which holds one author's essays; measured on 27 November
# 2026 by
#     python3 Tests/Docs/language.py doc/sphinx
VARNISH = {"who": 0.096, "behind": 0.043, "anew": 0.011, "likewise": 0.064, "dear": 0.0, "nobody, somebody": 0.032}

# Beside docs/. CONTRIBUTING.md names the words that it warns of.
MORE = ["README.md", "CHANGELOG.md", "SECURITY.md"]


def pages():
    """The documents, with the log lines, which docs/errors.md has word for word."""
    found = [str(path) for pattern in ("*.md", "*.1") for path in files(pattern) if path.parts[0] == "docs"]
    return [(path, "." + path.rpartition(".")[2], read(path)) for path in found + MORE]


def without_comments(source):
    return re.sub(r"^[ \t]*(?://|/\*).*$", "", source, flags=re.M)


def help_texts():
    """The texts of the command table, and those of the tools: all literals with a blank in them."""
    for path in files("*.c") + files("*.swift"):
        source = read(path)
        if path.parts[0] == "module":
            source = "".join(re.findall(r"^const command_rec .*?^\s*\{NULL", source, flags=re.M | re.S))
        elif path.parts[0] != "Sources" or not path.parts[1].startswith("backhand"):
            continue
        texts = re.findall(r'"""(.*?)"""|"((?:[^"\\\n]|\\.)*)"', without_comments(source), flags=re.S)
        yield (
            str(path),
            "",
            "\n".join(re.sub(r"\\\([^)]*\)", "", text) for pair in texts for text in pair if " " in text),
        )


def excess(texts):
    """Of each habit that occurs more often than in Varnish's documentation, the rates and where it occurs."""
    words, hits = measure(texts)
    found = rates(words, hits)
    return [
        line
        for habit in HABITS
        if found[habit] > VARNISH[habit]
        for line in [
            f"{habit}: {found[habit]:.3f} of 1,000 words, the bound is {VARNISH[habit]}",
            *(f"    {hit.path}:{hit.line}: {hit.text}" for hit in hits if hit.habit == habit),
        ]
    ]


def test_documents_and_help_texts_read_like_a_manual():
    texts = pages() + list(help_texts())
    assert sum(len(text) for _, _, text in texts) > 100_000
    assert excess(texts) == []


def test_each_habit_is_found_where_it_stands():
    page = (
        "# Title\n\nA server who sends, likewise, to\nnobody. `who` is code.\n\n    who: "
        "behind\n\n```\nsomebody\n```\n\n"
        "- a server behind a balancer\n\n  A user who asks stands behind others, anew, which is dear. Whoever waits.\n"
    )
    words, hits = measure([("page.md", ".md", page)])
    assert words == 28
    assert sorted((hit.line, hit.habit) for hit in hits) == [
        (3, "likewise"),
        (3, "who"),
        (4, "nobody, somebody"),
        (14, "anew"),
        (14, "behind"),
        (14, "dear"),
        (14, "who"),
    ]
    assert len(excess([("page.md", ".md", page)])) == len(HABITS) + len(hits)


def test_help_texts_are_found():
    paths = {path: text for path, _, text in help_texts() if text}
    assert any(path.startswith("module/") and "shared object" in text for path, text in paths.items())
    assert any(path.startswith("Sources/backhandctl/") and "control socket" in text for path, text in paths.items())
