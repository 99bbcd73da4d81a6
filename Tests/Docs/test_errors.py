# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docs/errors.md and the log lines of the sources say the same."""

import re
from typing import NamedTuple

import pytest
from Docs.repository import fields, files, read

PAGE = "docs/errors.md"
FIELDS = ["Level", "Message", "Cause", "What we do", "What you do"]
LEVELS = {"ERR": "error", "WARNING": "warning", "NOTICE": "notice", "CRIT": "crit", "EMERG": "emerg", "ALERT": "alert"}


class Line(NamedTuple):
    """A log line of the sources. pieces: the literal parts of its text, between what differs from case to case."""

    number: str
    level: str
    pieces: list
    place: str


def lines_of_c(path):
    """The numbered lines of a C source; complains of a grave line without a number."""
    found = []
    for call in re.findall(r"\b(?:ap_log_r?error|MB_LOG_RARELY)\(((?:[^;\"]|\"(?:[^\"\\]|\\.)*\")*)\);", read(path)):
        level = re.search(r"\bAPLOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE)\b", call)
        # Adjacent literals make one text; a macro between them is a number's format.
        literals = re.search(r'"(?:[^"\\]|\\.)*"(?:\s*(?:"(?:[^"\\]|\\.)*"|[A-Z_]+_FMT))*', call)[0]
        text = "".join(
            "d" if macro else literal
            for literal, macro in re.findall(r'"((?:[^"\\]|\\.)*)"|\b[A-Z_]+(_FMT)\b', literals)
        )
        number = re.match(r"BH(\d{4}): ", text)
        if not number:
            assert not level, f"{path}: a line at {level[1]} without a number: {text}"
            continue
        assert level, f"{path}: a numbered line without a grave level: {text}"
        found.append(
            Line(number[1], LEVELS[level[1]], re.split(r"%[-0-9.l]*[a-z]", text[len("BH0000: ") :]), str(path))
        )
    return found


def swift_text(source, start):
    """The literal that begins at the quote, with NUL for each interpolation and each {} of a form; literals behind a +
    belong to it."""
    text, place = "", start + 1
    while (letter := source[place]) != '"':
        if source.startswith("\\(", place):
            depth, place = 1, place + 2
            while depth:
                depth += {"(": 1, ")": -1}.get(source[place], 0)
                place += 1
            text += "\0"
        elif source.startswith("{}", place):
            text, place = text + "\0", place + 2
        else:
            text += letter
            place += 1
    more = re.compile(r'\s*\+\s*(?=")').match(source, place + 1)
    return text + (swift_text(source, more.end()) if more else "")


def in_one_line(source):
    """Multi-line literals whose lines all go on, as the literal of one line that they are."""
    return re.sub(r'"""\n\s*((?:.*\\\n)*.*)\n\s*"""', lambda text: '"' + re.sub(r"\\\n\s*", "", text[1]) + '"', source)


def lines_of_swift(paths):
    """The lines that Swift sources log: log(BH_LOG_…, LogNumber.…, "…"), the numbers as LogNumber has them."""
    sources = {str(path): in_one_line(read(path)) for path in paths}
    whole = "".join(sources.values())
    numbers = dict(re.findall(r"static let (\w+): Int32 = (\d{3})$", whole, flags=re.M))
    found = []
    for path, source in sources.items():
        for call in re.finditer(r"\blog\(\s*BH_LOG_(\w+),\s*([\w.]+),\s*(?=\")", source):
            text = swift_text(source, call.end())
            reasons = [(call[2].removeprefix("LogNumber."), None)]
            if call[2] == "line.number":  # one call for a table of numbers and reasons
                reasons = re.findall(r'\(LogNumber\.(\w+), "([^"]*)"\)', whole)
                assert reasons and ".word(line.why)" in source
            for name, why in reasons:
                # The reason is the second of three interpolations.
                told = text if why is None else text.replace("\0", "\1", 1).replace("\0", why, 1).replace("\1", "\0")
                found.append(Line("0" + numbers[name], call[1].lower(), told.split("\0"), path))
    unused = set(numbers.values()) - {line.number[1:] for line in found}
    assert not unused, f"numbers without a line: {unused}"
    calls = len(re.findall(r"\blog\(\s*BH_LOG_", whole))
    assert calls == len(re.findall(r"\blog\(\s*BH_LOG_\w+,\s*[\w.]+,\s*\"", whole)), "a call that this test cannot read"
    return found


def lines_of_sources():
    found = []
    for path in files("*.c"):
        if path.parts[0] == "module":
            found += lines_of_c(path)
    swift = [path for path in files("*.swift") if path.parts[0] == "Sources"]
    return found + lines_of_swift(swift)


def entries():
    """Number -> fields of the entry, from the page."""
    parts = re.split(r"^## BH(\d{4})$", read(PAGE), flags=re.M)
    found = {}
    for number, text in zip(parts[1::2], parts[2::2]):
        assert number not in found, f"BH{number} twice on the page"
        found[number] = fields(re.split(r"^## ", text, flags=re.M)[0])
    return found


# By folder of module/; then numbers and files that are about something else than their folder.
RANGES = {
    "0480": range(400, 500),
    "0482": range(400, 500),
    "config": range(100, 200),
    "lbmethod": range(100, 200),
    "athena": range(100, 200),
    "doors": range(100, 200),
    "module/proxy/mb_mod_proxy.c": range(100, 200),
    "Sources": range(300, 400),
    "Sources/BackhandModerator/Advice": range(100, 200),
    "module/perl": range(170, 190),
    "table": range(200, 300),
    "moderator": range(200, 300),
    **dict.fromkeys(
        ["connections", "request", "message", "proxy", "balance", "module/config/mb_loaded.c"], range(400, 500)
    ),
}

LINES = lines_of_sources()
ENTRIES = entries()


def test_no_number_is_used_twice():
    """In C each call has a number of its own; in Swift each name, whose calls differ in the reason only."""
    numbers = [line.number for line in LINES if line.place.startswith("module/")]
    names = re.findall(
        r"static let \w+: Int32 = (\d{3})$",
        "".join(read(path) for path in files("*.swift") if path.parts[0] == "Sources"),
        flags=re.M,
    )
    numbers += ["0" + number for number in names]
    assert sorted({number for number in numbers if numbers.count(number) > 1}) == []


def test_each_line_has_an_entry_and_each_entry_a_line():
    assert set(ENTRIES) == {line.number for line in LINES}


def test_entries_are_in_order():
    assert list(ENTRIES) == sorted(ENTRIES)


@pytest.mark.parametrize("number", ENTRIES)
def test_entry_has_the_fixed_fields(number):
    assert list(ENTRIES[number]) == FIELDS
    assert all(ENTRIES[number].values()), "an empty field"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.number)
def test_entry_tells_what_the_source_says(line):
    entry = ENTRIES[line.number]
    message = re.sub(r"\s+", " ", entry["Message"])
    assert entry["Level"] == line.level, line.place
    if [other.number for other in LINES].count(line.number) == 1:
        assert re.split(r"`<[^`]*>`", message) == line.pieces, line.place
    else:  # several calls: what differs between them stands in brackets too
        pattern = ".*".join(re.escape(piece) for piece in re.split(r"`<[^`]*>`", message))
        assert re.fullmatch(pattern, "\0".join(line.pieces)), line.place


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.number)
def test_number_is_of_the_range_of_its_source(line):
    if int(line.number) in range(370, 376):  # of all sources
        return
    keys = [line.number, line.place, line.place.rsplit("/", 1)[0], *line.place.split("/")[1::-1]]
    assert int(line.number) in next(RANGES[key] for key in keys if key in RANGES), line.place
