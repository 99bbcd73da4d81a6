# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The check of the configuration warns of what leaves a server alone in its cluster."""

import pytest

GOOD = {
    "UnixSocketDir": "UnixSocketDir ${sockets}\n",
    "AcceptStats": "AcceptStats 127.0.0.0/8\n",
    "MulticastStats": "MulticastStats 127.0.0.1:${port} ${group},1\n",
    "chain": "<Location />\nBackhand byAge 6\n</Location>\n",
}


def check(stage, **changed):
    server = stage.httpd("".join({**GOOD, **changed}.values()), start=False)
    code, said = server.test_config(advice=True)
    assert code == 0, said
    lines = said.splitlines() + server.log.text().splitlines()
    server.log.allow("BH01")
    return [line for line in lines if "BH01" in line and "BH0110" not in line]


def test_nothing_is_said_of_a_good_one(stage):
    assert check(stage) == []


@pytest.mark.parametrize(
    "changed, number, text",
    [
        ({"UnixSocketDir": "UnixSocketDir ${root}/missing\n"}, "BH0140", "/missing is not a directory"),
        ({"UnixSocketDir": "UnixSocketDir ${root}/httpd.conf\n"}, "BH0140", "httpd.conf is not a directory"),
        ({"UnixSocketDir": ""}, "BH0103", "MulticastStats without UnixSocketDir"),
        ({"AcceptStats": ""}, "BH0102", "MulticastStats without AcceptStats"),
        ({"MulticastStats": ""}, "BH0141", "has no server to choose from"),
        (
            {"MulticastStats": "MulticastStats 192.0.2.7:80 ${group},1\n", "AcceptStats": "AcceptStats 192.0.2.0/24\n"},
            "BH0142",
            "announces 192.0.2.7, which is not an address of this machine",
        ),
        (
            {"AcceptStats": "AcceptStats 127.0.9.0/24\n"},
            "BH0143",
            "announces 127.0.0.1, which is outside this server's own AcceptStats",
        ),
    ],
)
def test_it_names_what_is_missing(stage, changed, number, text):
    lines = check(stage, **changed)
    assert len([line for line in lines if number in line and text in line]) >= 1, lines
    assert {line.split("BH")[1][:4] for line in lines} == {number[2:]}


def test_one_destination_alone_may_have_other_networks(stage):
    """As two balancers that hear servers, and tell each other of themselves."""
    assert (
        check(
            stage,
            MulticastStats="MulticastStats 127.0.0.1:${port} 127.0.9.9:4445\n",
            AcceptStats="AcceptStats 127.0.9.0/24\n",
        )
        == []
    )


def test_without_a_chain_nothing_is_missing(stage):
    assert check(stage, MulticastStats="", chain="", AcceptStats="", UnixSocketDir="") == []
