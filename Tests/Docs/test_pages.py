# Licensed under the Apache License, Version 2.0; see LICENSE.
"""README, links, and the pages of the candidacy functions."""

import re

import pytest
from Docs.repository import ROOT, files, pages, read, without_code

MARKDOWN = files("*.md")
# "off" ends a chain, and byHostname is loaded: neither is in the table of the built-in functions.
NOT_BUILT_IN = {"off", "byHostname", "byPerl"}


def anchor(heading):
    """The name that a heading gets, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_readme_is_short():
    assert len(read("README.md").splitlines()) < 120


@pytest.mark.parametrize("page", MARKDOWN, ids=str)
def test_links_lead_somewhere(page):
    text = without_code(read(page))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, part = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.resolve().exists():
            dead.append(link)
        elif part and part not in [
            anchor(heading) for heading in re.findall(r"^#+ (.*)$", without_code(target.read_text()), flags=re.M)
        ]:
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", MARKDOWN, ids=str)
def test_page_has_one_title_and_no_open_ends(page):
    text = without_code(read(page))
    # A template of issues begins with its name and purpose.
    text = re.sub(r"\A---\n.*?\n---\n\n", "", text, flags=re.S)
    assert len(re.findall(r"^# ", text, flags=re.M)) == 1 and text.startswith("# ")
    assert not re.search(r"\b(TODO|FIXME|XXX|TBD)\b|for now", text)


def built_in_functions():
    """Names in the table of BackhandCandidacy."""
    names = set()
    for path in files("*.swift"):
        if path.parts[:2] == ("Sources", "BackhandCandidacy"):
            names |= set(re.findall(r'\bCandidacyFunction\(\s*"(\w+)"', read(path)))
    assert names, "no function found"
    return names


def test_each_function_has_a_page_and_each_page_a_function():
    assert pages("functions") - NOT_BUILT_IN == built_in_functions() - NOT_BUILT_IN


def test_index_of_functions_names_every_page():
    assert set(re.findall(r"\]\((\w+)\.md\)", read("docs/functions/README.md"))) == pages("functions")


def test_index_of_docs_names_every_page_and_folder():
    index = read("docs/README.md")
    named = set(re.findall(r"\]\(([\w./-]+)\)", index))
    wanted = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    wanted |= {str(path.relative_to("docs")) for path in MARKDOWN if path.parts[:2] == ("docs", "decisions")}
    wanted |= {f"{folder.name}/README.md" for folder in (ROOT / "docs").iterdir() if (folder / "README.md").exists()}
    assert wanted - named == set()
