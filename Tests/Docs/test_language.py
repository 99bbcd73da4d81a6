# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The prose of documents, comments, help texts and log lines has no more of some habits than a manual that
administrators read well."""

from Docs.language import HABITS, comments_and_texts, measure, rates
from Docs.repository import files, read

# How often the habits occur in 1,000 words of Varnish's documentation: varnishcache/varnish-cache, doc/sphinx, commit
# 27d2ce15b20b of 12 February 2026, without its folder phk, which holds one author's essays; measured on 27 November
# 2026 by
#     python3 Tests/Docs/language.py doc/sphinx
VARNISH = {
    "who": 0.096,
    "behind": 0.043,
    "anew": 0.011,
    "likewise": 0.064,
    "dear": 0.0,
    "nobody, somebody": 0.032,
    "anybody, everybody": 0.075,
    "believe, judge": 0.021,
    "is no": 0.096,
    "so many": 0.021,
}

# Beside docs/. CONTRIBUTING.md names the words that it warns of.
MORE = ["README.md", "CHANGELOG.md", "SECURITY.md"]


def pages():
    """The documents, with the log lines, which docs/errors.md has word for word."""
    found = [str(path) for pattern in ("*.md", "*.[18]") for path in files(pattern) if path.parts[0] == "docs"]
    return [(path, "." + path.rpartition(".")[2], read(path)) for path in found + MORE]


def sources():
    """What our code says: the comments of the shim, of the contract and of the core, log lines and error texts, whether
    they have a number or not, and the help texts of the directives and of the tools."""
    shim = [path for pattern in ("*.h", "*.c") for path in files(pattern) if path.parts[0] == "module"]
    contract = [path for path in files("*.h") if path.is_relative_to("Sources/CBackhand/include")]
    core = [path for path in files("*.swift") if path.parts[0] == "Sources"]
    return [(str(path), "", comments_and_texts(read(path))) for path in shim + contract + core]


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


def test_documents_read_like_a_manual():
    texts = pages()
    assert sum(len(text) for _, _, text in texts) > 100_000
    assert excess(texts) == []


def test_comments_and_log_lines_read_like_a_manual():
    texts = sources()
    for folder in ("module/", "Sources/CBackhand/", "Sources/BackhandModerator/", "Sources/backhandctl/"):
        assert sum(len(text) for path, _, text in texts if path.startswith(folder)) > 5_000, folder
    assert excess(texts) == []


def test_each_habit_is_found_where_it_stands():
    page = (
        "# Title\n\nA server who sends, likewise, to\nnobody. `who` is code.\n\n    who: "
        "behind\n\n```\nsomebody\n```\n\n"
        "- a server behind a balancer\n\n  A user who asks stands behind others, anew, which is dear. Whoever waits.\n"
        "\n  It is no server, so many times; there is no server, and it is no more, so long as it is off.\n"
        "\n  Everyone believes.\n"
    )
    words, hits = measure([("page.md", ".md", page)])
    assert words == 52
    assert sorted((hit.line, hit.habit) for hit in hits) == [
        (3, "likewise"),
        (3, "who"),
        (4, "nobody, somebody"),
        (14, "anew"),
        (14, "behind"),
        (14, "dear"),
        (14, "who"),
        (16, "is no"),
        (16, "so many"),
        (18, "anybody, everybody"),
        (18, "believe, judge"),
    ]
    assert len(excess([("page.md", ".md", page)])) == len(HABITS) + len(hits)


def test_comments_and_texts_stay_on_their_lines():
    source = (
        'int a; /* who\n * waits */ f("http://nobody", "a \\"word\\" behind it");\n'
        '// somebody "quoted"\nlet text = "\\(who) is // anew"\n/// Likewise.\nlet long = """\n    so many\n    """\n'
    )
    _, hits = measure([("a.swift", "", comments_and_texts(source))])
    assert sorted((hit.line, hit.habit) for hit in hits) == [
        (1, "who"),
        (2, "behind"),
        (3, "nobody, somebody"),
        (4, "anew"),
        (5, "likewise"),
        (7, "so many"),
    ]


def test_log_lines_and_help_texts_are_found():
    found = {path: text for path, _, text in sources()}
    # One without a number, and those of the tools and of the directives.
    assert "removed the header" in found["module/request/mb_guard.c"]
    assert any("shared object" in text for path, text in found.items() if path.startswith("module/config/"))
    assert any("control socket" in text for path, text in found.items() if path.startswith("Sources/backhandctl/"))
