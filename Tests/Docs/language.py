# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rates of words that make prose hard to read, per 1,000 words of it: python3 Tests/Docs/language.py FOLDER..."""

import re
import sys
from collections import namedtuple
from pathlib import Path

# After these words, "who" is for a person that the sentence has just named.
PERSONS = (
    "administrators?|anybody|anyone|attackers?|authors?|contributors?|customers?|developers?|everybody|everyone|guy|"
    "man|men|people|persons?|readers?|someone|sponsors|those|us|users?"
)
# What a server may stand behind: that is a place, not an order.
PLACES = r"accelerators?|balancers?|firewalls?|fronts?|httpd|NAT|proxy|proxies|routers?"

HABITS = {
    "who": rf"(?<!\w)(?:(?:{PERSONS}),? )?who(?:m|ever)?\b(?!')",
    "behind": rf"\bbehind\b(?! (?:[\w-]+ ){{0,2}}(?:{PLACES})\b)",
    "anew": r"\banew\b",
    "likewise": r"\blikewise\b",
    "dear": r"\bdear\b",
    "nobody, somebody": r"\b(?:nobody|somebody)\b",
    "anybody, everybody": r"\b(?:any|every)(?:body|one)\b(?! of)",
    "believe, judge": r"\b(?:believ(?:e|es|ed|ing)|judg(?:e|es|ed|ing))\b",
    "is no": r"(?<!there\s)\b(?:is|are|was|were|be)\s+no\b(?! (?:longer|more|one)\b)",
    "so many": r"\bso\s+(?:many|much|long|few)\b(?! as\b)",
}

# What is no prose, by kind of file. A block of code is what is indented after an empty line, or after "::".
CODE = {
    ".md": [r"^```.*?^```", r"(?<=\n\n)(?:(?: {4}|\t).*\n|\n)+", r"`[^`\n]*`", r"\]\([^)\s]*\)"],
    ".rst": [r"^\.\. .*\n(?:[ \t]+.*\n|\n)*", r"(?<=::\n\n)(?:[ \t]+.*\n|\n)+", r"``[^`]*``", r"`[^`]*<[^>]*>`_+"],
    ".1": [r'^\.\\".*$', r"^\.(?!It|Nd)\S+.*$", r"^\.(?:It|Nd)"],
}
CODE[".8"] = CODE[".1"]

# A comment of C or Swift, or a text in quotes; "://" in a text begins none.
COMMENT = re.compile(r'/\*(.*?)\*/|//+([^\n]*)|"""(.*?)"""|"((?:[^"\\\n]|\\.)*)"', flags=re.S | re.M)

Hit = namedtuple("Hit", "path line habit text")


def blank(match):
    """The same number of lines, without a word."""
    return "\n" * match[0].count("\n")


def prose(text, kind):
    """The text without its code; a kind that is not in the table is prose as it is."""
    for pattern in CODE.get(kind, []):
        text = re.sub(pattern, blank, text, flags=re.M | re.S if pattern.startswith("^```") else re.M)
    return text


def comments_and_texts(source):
    """The comments of a file of C or Swift, and its texts with a blank in them, each on its line."""
    lines = [""] * (source.count("\n") + 1)
    for match in COMMENT.finditer(source):
        block, line, *quoted = match.groups()
        text = next((part for part in (block, line, *quoted) if part is not None), "")
        if any(part is not None for part in quoted):
            text = re.sub(r"\\\([^)]*\)", "", text) if " " in text else ""
        elif block is not None:
            text = re.sub(r"^[ \t]*\* ?", "", text, flags=re.M)
        first = source.count("\n", 0, match.start())
        for place, part in enumerate(text.split("\n")):
            lines[first + place] += part + " "
    return "\n".join(lines)


def measure(texts):
    """How many words these have, and what of them is a habit. texts: (path, kind, text)."""
    words, hits = 0, []
    for path, kind, text in texts:
        text = prose(text, kind)
        words += len(re.findall(r"[A-Za-z][\w'’-]*", text))
        lines = text.split("\n")
        for habit, pattern in HABITS.items():
            for match in re.finditer(pattern, text, flags=re.I):
                if habit == "who" and " " in match[0]:  # "users who"
                    continue
                line = text.count("\n", 0, match.start())
                hits.append(Hit(path, line + 1, habit, lines[line].strip()))
    return words, hits


def rates(words, hits):
    """Habit -> how often it occurs in 1,000 words."""
    return {habit: 1000 * sum(hit.habit == habit for hit in hits) / words for habit in HABITS}


if __name__ == "__main__":
    found = sorted(path for folder in sys.argv[1:] for path in Path(folder).rglob("*") if path.suffix in CODE)
    counted, seen = measure((path, path.suffix, path.read_text(errors="replace")) for path in found)
    for one in seen:
        print(f"{one.path}:{one.line}: {one.habit}: {one.text}")
    print(f"{counted} words", {habit: round(rate, 3) for habit, rate in rates(counted, seen).items()})
