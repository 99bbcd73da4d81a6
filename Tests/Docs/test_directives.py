# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docs/directives/ and the command table of the module say the same."""

import re

import pytest
from Docs.repository import fields, pages, read
from harness.stage import Stage

# Pages for what is not in the command table.
OTHERS = {"backhand-handler", "environment"}
FIELDS = [
    "Description",
    "Syntax",
    "Default",
    "Context",
    "Override",
    "Since",
    "Validation",
    "Example",
    "Notes",
    "See also",
]
OPTIONAL = {"Override"}


def command_table():
    """Name -> (macro, where it may stand), from the module's source."""
    source = read("module/config/mb_directives.c")
    entries = re.findall(r'AP_INIT_(\w+)\(\s*"(\w+)",\s*\w+,\s*[&\w()]+,\s*([A-Z_| ]+),', source)
    assert entries, "no command table found"
    return {name: (macro, {word.strip() for word in where.split("|")}) for macro, name, where in entries}


TABLE = command_table()
FARMS = set(re.findall(r'AP_INIT_\w+\("<?(\w+)", ', read("module/athena/ma_config.c")))


def test_each_directive_has_a_page_and_each_page_a_directive():
    assert len(FARMS) == 15
    assert pages("directives") - OTHERS == set(TABLE) | FARMS


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
    page, (_, where) = fields(read(f"docs/directives/{name}.md")), TABLE[name]
    # Where only the main server's settings count, a virtual host is no place for the directive.
    wanted = {"server config"}
    if "MB_HOST_CONTEXT" in where:
        wanted |= {"virtual host"}
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
    # Of those that take any number, each more is as the second: ITERATE; Backhand counts its words itself, for the text
    # of its complaint.
    allowed = {
        "FLAG": {1},
        "ITERATE": {1, 2},
        "TAKE_ARGV": {1, 2},
        "RAW_ARGS": set(range(1, 9)),
        **{f"TAKE{digits}": {int(digit) for digit in digits} for digits in ("1", "2", "12", "23", "123")},
    }[macro]
    seen = set()
    for form in forms:
        words = form.split()
        assert words[0] == name
        # [word] may be left out; a|b is one of several; ", dots" never occur.
        optional = sum(word.startswith("[") and word.rstrip("…").endswith("]") for word in words[1:])
        seen |= set(range(len(words) - 1 - optional, len(words)))
    assert seen == allowed


def test_index_names_every_page():
    index = read("docs/directives/README.md")
    assert set(re.findall(r"\]\(([\w-]+)\.md\)", index)) == pages("directives")


# One bad line for each text of the Validation fields that a configuration can cause.
BAD = [
    "Backhand",
    "Backhand byHostname www",
    "Backhand byAge byLoad",
    "Backhand byResource amem > 512",
    "BackhandFromSO libexec/byNothing.so f",
    "BackhandKey " + "4f3c2a1b" * 8,
    "BackhandKey key Required",
    "UnixSocketDir /" + "d" * 120,
    "MulticastStats 10.0.0.255",
    "MulticastStats 239.255.1.1:0",
    "MulticastStats 239.255.1.1:1023",
    "MulticastStats 10.0.0.4:0 239.255.1.1:4445",
    "MulticastStats 239.255.1.1:4445,0",
    "MulticastStats nowhere.invalid:4445",
    "MulticastStats 10.0.255:4445",
    "MulticastStats ::1 239.255.1.1:4445",
    "MulticastStats 10.0.4 239.255.1.1:4445",
    "MulticastStats 255.255.255.255 239.255.1.1:4445",
    "MulticastStats 0.0.0.1:4445",
    "AcceptStats name",
    "AcceptStats 10.0.0",
    "AcceptStats 10.0.0.0/33",
    "AcceptStats ::/129",
    "AcceptStats 10.0.0.0/255.0.255.0",
    "BackhandSocketGroup no-such-group",
    'BackhandSocketGroup "#x"',
    "Backhand byLod",
    "Backhand somethingelse",
    "Backhand byRandom 3",
    "Backhand off 3",
    "Backhand byAge six",
    "Backhand byLoad -1",
    "Backhand byBusyChildren 1.5",
    "\n".join(["Backhand byLoad"] * 65),
    "BackhandFromSO missing.so f",
    "BackhandFromSO ${build}/byHostname.so no_such_function",
    "BackhandModeratorPIDFile /",
    "BackhandDrainFile /",
    "BackhandCheck",
    "BackhandCheck health",
    "BackhandCheck /health retries=3",
    "BackhandCheck /health host=\x7f",
    "BackhandCheck /health interval=never",
    "BackhandCheck /health interval=0.05",
    "BackhandCheck /health rise=0",
    "BackhandCheck /health expect=2xx",
    "BackhandCheck /health hcinterval=5",
    "BackhandKey missing",
    "BackhandKey /dev/null",
    "BackhandKey httpd.conf",
    "BackhandKey ../large",
    "BackhandKey ../short",
    "BackhandKey ../three",
    "BackhandKey ../none",
    "BackhandKey ../good\nBackhandKey ../good",
    "BackhandExpire 59",
    "BackhandRetries 17",
    "BackhandRetryTimeout 0",
    "BackhandScheme ftp",
    "BackhandConnectionPools Maybe",
    "BackhandAsync Maybe",
    "BackhandSlowStart 3601",
    "BackhandFilters Maybe",
    "BackhandResponseFieldSize 8191",
    "BackhandTrace Maybe",
    "BackhandLogLevel dcsn1",
    "BackhandMode Look",
    "BackhandNoCandidate Nobody",
    "Backhand backhand_off 3",
    "Backhand bySession a;b",
    "Backhand HTTPRedirectToName %S",
    "BackhandModeratorPIDFile /",
    "BackhandCapacity 0",
    'Backhand byResource "cpu >> 5"',
    "Backhand byResource",
    "BackhandSelfRedirect Maybe",
    "BackhandRedirectStatus 301",
]
# Key files beside each server's folder.
KEYS = {"good": "k" * 32, "short": "k" * 31, "none": "# no key", "large": "k" * 5000, "three": ("k" * 32 + "\n") * 3}
# What no configuration can cause: httpd makes a path of any text, and 64 functions are counted in one place for both.
NOT_CAUSED = {
    "UnixSocketDir: '…' is not a valid path",
    "BackhandModeratorPIDFile: '…' is not a valid path",
    "BackhandDrainFile: '…' is not a valid path",
    "BackhandFromSO: '…' is not a valid path",
    "BackhandKey: '…' is not a valid path",
    # Module/test_440_key.py gives a file away, which only root can.
    "BackhandKey: '…': it belongs neither to root nor to the user that starts httpd",
    "BackhandFromSO: more than 64 functions in one chain",
}


def validation_texts(name):
    """The texts of a page's Validation field."""
    return set(re.findall(rf"`({name}(?:: | must )[^`]*)`", fields(read(f"docs/directives/{name}.md"))["Validation"]))


def pattern(text):
    """A text of a page with its dots as a regular expression."""
    return ".*".join(re.escape(piece) for piece in text.split("…"))


@pytest.fixture(scope="module")
def complaints():
    """What httpd says to each bad line."""
    with Stage("validation") as stage:
        said = {}
        for name, text in KEYS.items():
            (stage.folder / name).write_text(text)
            (stage.folder / name).chmod(0o600)
        for line in BAD:
            code, text = stage.httpd(line + "\n", start=False).test_config()
            assert code == 1
            said[line] = text.splitlines()[-1]
        return said


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:60])
def test_complaint_is_the_one_of_the_page(complaints, line):
    texts = validation_texts(line.split()[0])
    assert any(re.fullmatch(pattern(text), complaints[line]) for text in texts), complaints[line]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_each_text_of_the_page_is_heard(complaints, name):
    unheard = {
        text
        for text in validation_texts(name)
        if not any(re.fullmatch(pattern(text), said) for said in complaints.values())
    }
    assert unheard - NOT_CAUSED == set()
