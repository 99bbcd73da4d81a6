# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The configurations of README.md, as clusters of real httpds."""

import re

from Docs.repository import read

# What a reader puts in: addresses, folders, and the one network of these tests.
VALUES = {
    "/var/lib/backhand": "${sockets}",
    "10.0.0.4:80": "${address}:${port}",
    "10.0.0.1:80": "${address}:${port}",
    "239.255.221.20:4445": "${group}",
    "10.0.0.0/24": "127.0.0.0/8",
    "/var/www/html/app": "${root}/htdocs",
}
# Where requests come from: no server has this address.
CLIENT = "127.0.46.1"


def configuration(heading):
    """The indented block of a section that has MulticastStats in it, with the values of this machine."""
    section = re.search(rf"^## {heading}$(.*?)^## ", read("README.md"), flags=re.M | re.S)[1]
    lines = [line for line in section.splitlines() if not line or line.startswith("    ")]
    text = "\n".join(lines)
    assert "MulticastStats" in text
    for written, value in VALUES.items():
        text = text.replace(written, value)
    return text


def without_sections(text):
    """The lines outside of all sections."""
    return re.sub(r"<(\w+) .*?</\1>", "", text, flags=re.S)


def test_a_minimal_configuration(stage):
    servers = [
        stage.httpd(configuration("A minimal configuration"), address=f"127.0.46.{number}", files={"page.html": "page"})
        for number in (2, 3)
    ]
    for server in servers:
        server.knows(*servers)
        assert server.get("/page.html", source=CLIENT).text == "page"
        assert server.get("/backhand/").status == 200
    assert all(
        server.logged("/page.html").split("action=")[1].split()[0] in ("local", "proxy", "looped") for server in servers
    )


def test_a_balancer_without_files(stage):
    balancer = stage.httpd(configuration("A balancer without files"), address="127.0.46.4")
    answer = balancer.get("/page.html", source=CLIENT)
    assert (answer.status, answer.header("Retry-After")) == (503, "1")

    plain = without_sections(configuration("A minimal configuration"))
    servers = [
        stage.httpd(plain, name=f"server{number}", address=f"127.0.46.{number}", files={"page.html": f"server{number}"})
        for number in (5, 6)
    ]
    balancer.knows(*servers)
    answers = [balancer.get("/page.html", source=CLIENT) for _ in range(20)]
    assert {answer.status for answer in answers} == {200} and {answer.text for answer in answers} <= {
        "server5",
        "server6",
    }
    # Not one that the balancer has: the servers have no such page either.
    assert balancer.get("/no-such-page", source=CLIENT).status == 404
    assert "action=proxy" in balancer.logged("/no-such-page")
