# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docs/directives/ and the command table of the module say the same."""

import re

import pytest
from Docs.repository import fields, pages, read

# Pages for what is not in the command table.
OTHERS = {"backhand-handler", "environment"}
FIELDS = ["Description", "Syntax", "Default", "Context", "Override", "Since", "Validation", "Example", "Notes", "See also"]
OPTIONAL = {"Override"}


def command_table():
    """Name -> (macro, where it may stand), from the module's source."""
    source = read("module/mb_config.c")
    entries = re.findall(r'AP_INIT_(\w+)\("(\w+)",\s*\w+,\s*\w+,\s*([A-Z_| ]+),', source)
    assert entries, "no command table found"
    return {name: (macro, {word.strip() for word in where.split("|")}) for macro, name, where in entries}


TABLE = command_table()


def test_each_directive_has_a_page_and_each_page_a_directive():
    assert pages("directives") - OTHERS == set(TABLE)


@pytest.mark.parametrize("name", sorted(pages("directives")))
def test_page_has_the_fixed_fields_in_their_order(name):
    page = read(f"docs/directives/{name}.md")
    assert page.startswith(f"# {name}\n")
    found = list(fields(page))
    assert [field for field in found if field not in OPTIONAL] == [field for field in FIELDS if field not in OPTIONAL]
    assert [field for field in FIELDS if field in found] == found
    assert all(fields(page).values()), "an empty field"


@pytest.mark.parametrize("name", sorted(TABLE))
def test_page_tells_where_the_directive_may_stand(name):
    page, (macro, where) = fields(read(f"docs/directives/{name}.md")), TABLE[name]
    # Where only the main server's settings count, a virtual host is no place for the directive.
    wanted = {"server config"}
    if where & {"ACCESS_CONF", "MB_DIRECTORY_CONTEXT"}:
        wanted |= {"virtual host", "directory"}
    if "OR_FILEINFO" in where:
        wanted |= {".htaccess"}
    assert {place.strip() for place in page["Context"].split("\n")[0].rstrip(".").split(",")} == wanted
    assert ("FileInfo" in page.get("Override", "")) == ("OR_FILEINFO" in where)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_syntax_has_as_many_arguments_as_the_directive_takes(name):
    syntax = fields(read(f"docs/directives/{name}.md"))["Syntax"]
    forms = re.findall(r"^    (\S.*)$", syntax, flags=re.M) or re.findall(r"`(\w.*)`", syntax)
    macro, _ = TABLE[name]
    allowed = {"FLAG": {1}, **{f"TAKE{digits}": {int(digit) for digit in digits} for digits in ("1", "2", "12", "23", "123")}}[macro]
    seen = set()
    for form in forms:
        words = form.split()
        assert words[0] == name
        # [word] may be left out; a|b is one of several; ", dots" never occur.
        optional = sum(word.startswith("[") and word.endswith("]") for word in words[1:])
        seen |= set(range(len(words) - 1 - optional, len(words)))
    assert seen == allowed


def test_index_names_every_page():
    index = read("docs/directives/README.md")
    assert set(re.findall(r"\]\(([\w-]+)\.md\)", index)) == pages("directives")
