# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The status page, as HTML and JSON."""

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser

import pytest
from harness import announce
from harness.announce import Announcement
from harness.stage import CLUSTER
from harness.wait import wait_for

COLUMNS = [
    "Entry",
    "Hostname",
    "Age",
    "Address",
    "Total Mem",
    "Avail Mem",
    "Ready/Total",
    "~ms/req [#req]",
    "Arriba",
    "CPUs",
    "Load/HWM",
    "CPU Idle",
    "Kept",
    "State",
    "Why",
]

MEANS = [
    "Entry",
    "Hostname",
    "Age",
    "Address",
    "In Flight",
    "Req/s",
    "First Byte",
    "Whole",
    "CPU Used",
    "Capacity",
    "Errors",
    "Dispatched",
]

ROW_FIELDS = {
    "id",
    "hostname",
    "address",
    "port",
    "age_ms",
    "load",
    "load_hwm",
    "cpu_idle",
    "ncpu",
    "arriba",
    "memory_total",
    "memory_available",
    "workers",
    "workers_idle",
    "idle_cost",
    "keepalive_ms",
    "keepalive_requests",
    "workers_kept",
    "arrivals",
    "dispatched",
    "mean_in_flight",
    "arrival_rate",
    "first_byte_ms",
    "latency_ms",
    "cpu_used",
    "capacity",
    "error_share",
    "concurrency",
    "in_flight",
    "kept",
    "served",
    "failed",
    "refused",
    "mean_ms",
    "state",
    "announced",
    "ordered",
    "reason",
    "up_ms",
    "backoff_ms",
    "last_announced",
    "clock_ahead_s",
    "encoded_slashes",
    "merge_slashes",
    "self",
    "own",
}

CONFIG = (
    CLUSTER
    + """
BackhandTrace On
<Location />
    Backhand removeSelf
</Location>
<Location /backhand-status>
    SetHandler backhand-handler
</Location>
"""
)

SLOW = """#!/bin/sh
printf 'Content-Type: text/plain\n\nfirst\n'
sleep 1
echo last
"""

OTHER = Announcement(
    "127.0.9.7",
    8087,
    "other-7",
    load=1234,
    load_hwm=4000,
    cpu=876,
    ncpu=3,
    workers=50,
    idle=49,
    arriba=654321,
    total_memory=6 << 30,
    free_memory=5 << 30,
    arrivals=12345,
    means=(77, 2500, 125_250, 12_345, 20_001, 1750, 2939, 15_999),
)


class Table(HTMLParser):
    """Cells of the page's table, and every element's name."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.names = [], []
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self._cell)
            self._cell = None


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CONFIG)
    module_stage.plant(server, OTHER)
    return server


def test_page(server):
    answer = server.get("/backhand-status")
    assert answer.status == 200
    assert answer.header("Content-Type").startswith("text/html")
    assert answer.header("Cache-Control") == "no-store"
    table = Table(answer.text)
    assert table.rows[0] == COLUMNS
    assert [row[:2] + row[3:4] for row in table.rows[1:]][1] == ["1", "other-7", "127.0.9.7:8087"]
    assert table.rows[1][3] == server.id
    row = dict(zip(COLUMNS, table.rows[2]))
    assert re.fullmatch(r"6144( MB)?", row["Total Mem"]) and re.fullmatch(r"5120( MB)?", row["Avail Mem"])
    assert (row["Ready/Total"], row["Arriba"], row["CPUs"]) == ("49/50", "654321", "3")
    assert re.fullmatch(r"1\.2340*/4", row["Load/HWM"]) and re.fullmatch(r"0\.8760*", row["CPU Idle"])
    assert not {"script", "img", "link", "iframe", "form"} & set(table.names)
    # The second table.
    header = next(row for row in table.rows if "In Flight" in row)
    assert header == MEANS
    assert table.rows[-1][4:] == ["2.5", "125", "12.3 ms", "20.0 ms", "1.75", "2939", "1.6 %", "77"]


def test_the_page_is_never_balanced(server):
    for path in ("/backhand-status", "/backhand-status?format=json", "/backhand-status/deeper?a=b"):
        answer = server.get(path)
        assert (answer.status, answer.trace) == (200, None)
    # And what would be: the planted server does not listen.
    assert server.get("/page").status == 503
    server.log.expect("AH00957|AH01114")
    server.log.allow("BH04")


def test_json(server):
    answer = server.get("/backhand-status?format=json")
    assert answer.header("Content-Type").startswith("application/json")
    status = json.loads(answer.body)
    assert set(status) >= {"version", "now", "trouble", "self", "servers", "not_in_table", "counters"}
    rows = {row["address"]: row for row in status["servers"]}
    assert set(rows) == {server.address, OTHER.address}
    for row in rows.values():
        assert set(row) >= ROW_FIELDS
    row = rows[OTHER.address]
    assert (row["hostname"], row["port"], row["ncpu"], row["arriba"], row["workers"], row["workers_idle"]) == (
        "other-7",
        8087,
        3,
        654321,
        50,
        49,
    )
    assert (row["memory_total"], row["memory_available"], row["arrivals"], row["self"]) == (
        6 << 30,
        5 << 30,
        12345,
        False,
    )
    assert (row["load"], row["load_hwm"], row["cpu_idle"]) == (1.234, 4, 0.876)
    assert [
        row[name]
        for name in (
            "dispatched",
            "mean_in_flight",
            "arrival_rate",
            "first_byte_ms",
            "latency_ms",
            "cpu_used",
            "capacity",
            "error_share",
        )
    ] == [77, 2.5, 125.25, 12.345, 20.001, 1.75, 2939, 0.015]
    assert 0 <= row["age_ms"] < 600_000
    assert rows[server.address]["self"] is True and rows[server.address]["id"] == 0


def test_json_of_the_page_and_of_the_control_socket_agree(server):
    page, control = json.loads(server.get("/backhand-status?format=json").body), server.status().json
    assert page.keys() == control.keys() and page["counters"].keys() == control["counters"].keys()
    assert [row.keys() for row in page["servers"]] == [row.keys() for row in control["servers"]]


def test_own_row(server):
    def look():
        # On a late machine, the second child is not there yet at the first sample.
        row = server.status().self
        return row if row and row["memory_total"] and row["workers"] == 16 else None

    row = wait_for(look, 15, "the first sample of all workers")
    memory = dict(line.split(":") for line in open("/proc/meminfo", encoding="ascii"))
    total = int(memory["MemTotal"].split()[0]) * 1024
    assert row["memory_total"] == total
    assert 0 < row["memory_available"] <= total
    assert row["ncpu"] == len(os.sched_getaffinity(0))
    assert 0 <= row["load"] < 1000 and 0 <= row["cpu_idle"] <= 1
    assert 0 < row["workers_idle"] <= 16


def test_own_arrivals_grow(server):
    before = server.status().self["arrivals"]
    for _ in range(10):
        server.get("/backhand-status")
    wait_for(lambda: server.status().self["arrivals"] >= before + 10, 5, "the next sample")


def test_own_times(stage):
    """Of what is served here, until its first byte and until its end."""
    server = stage.httpd(
        CLUSTER + "<Location /cgi-bin>\n    Backhand byAge\n</Location>\n", cgi=True, files={"cgi-bin/slow": SLOW}
    )
    server.knows()

    def times():
        assert server.get("/cgi-bin/slow").text == "first\nlast\n"
        row = server.status().self
        return row["latency_ms"] and (row["first_byte_ms"], row["latency_ms"])

    first, whole = wait_for(times, 15, "times", every=0)
    # A script may begin late. The mean of the first bytes may have one more request.
    assert 0 < first < whole - 500 and 1000 <= whole < 4000, (first, whole)


def test_head_and_other_methods(server):
    assert (
        server.get("/backhand-status", method="HEAD").status,
        server.get("/backhand-status", method="HEAD").body,
    ) == (200, b"")
    answer = server.get("/backhand-status", method="POST", body=b"x")
    assert answer.status == 405 and "GET" in answer.header("Allow")


def test_nothing_on_the_page_runs_or_comes_from_elsewhere(server):
    """The policy allows the page's own style by its number, and nothing else at all."""
    answer = server.get("/backhand-status?<script>alert(1)</script>", headers={"User-Agent": "<b>", "Referer": '"><b>'})
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.S)
    number = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert answer.header("Content-Security-Policy") == (
        f"default-src 'none'; style-src 'sha256-{number}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.header("X-Content-Type-Options") == "nosniff" and answer.header("Cache-Control") == "no-store"
    assert not re.search(r"style=|<script|<b>|\bon\w+=|src=|href=|<form|http:", answer.text)


def test_the_page_tells_nothing_but_the_table(server):
    text = server.get("/backhand-status").text
    assert re.findall(r"<dt>(.*?)</dt>", text) == ["Server", "Version", "Your address"]
    for secret in (str(server.root), "Apache/", "Debian"):
        assert secret not in text
    # As a number: a short one may be a part of a port.
    assert not re.search(rf"\b{server.moderator()}\b", text)
    document = server.get("/backhand-status?format=json").text
    for secret in (str(server.root), "Apache/", "www-data"):
        assert secret not in document


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("query", ["", "?format=json", "?drain=127.0.9.7:80", "?action=drain"])
def test_no_request_changes_anything(server, method, query):
    before = server.status()
    assert server.get("/backhand-status" + query, method=method, body=b"").status in (200, 405, 501)
    assert server.get("/backhand-status" + query).status == 200
    assert set(server.status().servers) == set(before.servers)


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", 'a"onload="x', "a&b", "a b", "a\nb", "a\0b", "", "x" * 64, "a'b", "é"],
    ids=("tag", "attribute", "ampersand", "blank", "line", "zero", "empty", "long", "quote", "accent"),
)
def test_hostnames_that_are_none_reach_no_page(stage, server, name):
    evil = Announcement("127.0.9.66", 80)
    before = server.status().counters["nonsense"]
    announce.send(evil.encode(extensions=announce.extension(1, name.encode())), server.group, "127.0.9.1")
    wait_for(lambda: server.status().counters["nonsense"] == before + 1, 5, "the count", show=server.status)
    text = server.get("/backhand-status").text
    assert "127.0.9.66" not in text and "alert" not in text
    server.log.allow("BH03")


def test_longest_hostname(stage):
    server = stage.httpd(CONFIG)
    name = "h" * 59 + "-.:_"
    stage.plant(server, Announcement("127.0.9.8", 80, name))
    assert server.status().others["127.0.9.8:80"]["hostname"] == name
    assert name in server.get("/backhand-status").text


def test_the_clients_address_is_escaped_and_shown(server):
    assert "127.0.0.9" in server.get("/backhand-status", source="127.0.0.9").text


def test_stale_rows_are_marked(stage):
    """A row not heard for SERVER_TIMEOUT seconds (20) stays on the page, marked. Slow, so done once."""
    server = stage.httpd(CONFIG)
    stage.plant(server, OTHER)
    assert 'class="stale"' not in server.get("/backhand-status").text
    wait_for(lambda: 'class="stale"' in server.get("/backhand-status").text, 25, "the mark", every=0.5)
