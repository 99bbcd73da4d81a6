# Licensed under the Apache License, Version 2.0; see LICENSE.
"""athena-engine.md has the table of codes, the formats and the bounds of farms.h and of the core."""

import hashlib
import hmac
import re

from Docs.repository import read

PAGE = read("docs/athena-engine.md")
HEADER = read("Sources/CBackhand/include/farms.h")
CODES = re.findall(
    r"""ROW\((\w+),\s*'(\w)',\s*(\w+),\s*(\w+),\s*(\w+),\s*"([^"]*)"\)""", HEADER.replace("\\\n", " "), flags=re.S
)
TYPES = {
    "NAME": "name",
    "ON_OFF": "`on` or `off`",
    "UP_DOWN": "`up` or `down`",
    "IN_OUT": "`in` or `out`",
}
PLACES = {
    "NOWHERE": "",
    "AT_PHYS": "phys",
    "AT_MEMBERS": "phys, farm",
    "AT_STATUS": "phys, farm, engine",
    "AT_BALANCE": "balance",
}
ROLES = {"h": "selects", "n": "selects", "f": "answers", "t": "signs", "m": "signs"}


def test_the_table_of_codes():
    told = re.findall(r"^\| `(\w)` \| ([^|]*) \| ([^|]*?) ?\| ([^|]*?) ?\| ([^|]*) \|$", PAGE, flags=re.M)
    assert len(CODES) > 20
    assert told == [
        (letter, TYPES.get(kind, kind.lower()), PLACES[asked], ROLES.get(letter, PLACES[updated]), meaning)
        for _, letter, kind, asked, updated, meaning in CODES
    ]


def test_no_letter_has_two_codes():
    letters = [letter for _, letter, *_ in CODES]
    assert len(set(letters)) == len(letters) and "".join(letters).islower()


def test_the_formats():
    source = read("Sources/BackhandFarms/Format/DefaultFormat.swift")
    formats = set(re.findall(r'"(%[^"]*)"', source))
    assert set(re.findall(r"^\| `[a-z/]+`[^|]*\| `(%\S+)` \|$", PAGE, flags=re.M)) == formats and len(formats) == 4


def test_the_bounds():
    bounds = dict(re.findall(r"^#define BH_ATH_(\w+) (\d+)$", HEADER, flags=re.M))
    assert f"at most {bounds['QUERY_MOST']} bytes" in PAGE and f"{bounds['ARGUMENTS_MOST']} arguments" in PAGE
    assert f"at most {bounds['FARMS_MOST']}" in PAGE and f"1 to {bounds['NAME_MOST']} bytes" in PAGE
    assert f"1 to {bounds['WIDTH_MOST']}:" in PAGE and f"{bounds['AGE_MOST']} s" in PAGE
    assert f"longer than {int(bounds['LINE_SIZE']) - 1} bytes" in PAGE


def test_the_program_that_signs():
    """It signs what the page says is signed."""
    program = re.search(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)[1]
    scope = {"key": b"k" * 32}
    exec(program, scope)
    signed, signature = scope["query"].rsplit(",m=", 1)
    text = b"Backhand-Athena\nupdate/phys\n" + signed.encode()
    assert hmac.new(b"k" * 32, text, hashlib.sha256).hexdigest() == signature and ",t=" in signed
