# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The plot: 99th percentiles, a panel for each scenario, with the oracle's bound as a line."""

import math
from html import escape

WIDTH, LEFT, RIGHT, ROW, GAP = 900, 300, 60, 18, 44
OURS, THEIRS = "#b5432a", "#7a8ca0"


def svg(results, contenders):
    """results: scenario -> (figures by contender, the oracle's p50, p90, p99, p99.9)."""
    parts, top = [], 20
    for name, (found, bound) in results.items():
        parts.append(_panel(name, found, bound[2], contenders, top))
        top += GAP + ROW * len(found)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" font-family="sans-serif" '
        'font-size="12">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>\n' + "".join(parts) + "</svg>\n"
    )


def _panel(name, found, bound, contenders, top):
    ordered = sorted(found.items(), key=lambda item: item[1].p99)
    least, most = bound * 0.8, max(max(one.p99 for _, one in ordered), bound) * 1.1

    def place(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(value, least) / least) / math.log(most / least)

    bottom = top + 18 + ROW * len(ordered)
    lines = [
        f'<text x="8" y="{top + 8}" font-weight="bold">{escape(name)}: p99 in ms, logarithmic; line: the oracle, '
        f"{bound:.0f}</text>\n"
    ]
    for number, (contender, one) in enumerate(ordered):
        y = top + 16 + ROW * number
        who = contenders[contender.split()[0]]
        color = OURS if who.chain else THEIRS
        lines.append(
            f'<text x="{LEFT - 6}" y="{y + 12}" text-anchor="end">{escape(who.title)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{place(one.p99) - LEFT:.1f}" height="{ROW - 4}" fill="{color}"/>'
            f'<text x="{place(one.p99) + 4:.1f}" y="{y + 12}">{one.p99:.0f}</text>\n'
        )
    x = f"{place(bound):.1f}"
    lines.append(f'<line x1="{x}" y1="{top + 12}" x2="{x}" y2="{bottom}" stroke="black" stroke-dasharray="3 3"/>\n')
    return "".join(lines)
