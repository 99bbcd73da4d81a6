# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Virtual hosts with addresses of their own: each is one more server of the cluster, as IP-based hosts were with
mod_backhand."""

import socket
from collections import Counter

import pytest
from harness import client, ports, status
from harness.announce import MAINTENANCE, Announcement
from harness.wait import wait_for

CLIENT = "127.0.0.50"

# The machines are 127.0.9.x, the site "red" has 127.0.10.x on them and "blue" 127.0.11.x. The kernel gives connections
# on the loopback interface the address 127.0.0.1.
MACHINE = """
UnixSocketDir ${{sockets}}
MulticastStats ${{address}}:${{port}} ${{group}},1
AcceptStats 127.0.9.0/24
AcceptStats 127.0.0.1
Listen 127.0.10.{n}:${{port}}
Listen 127.0.11.{n}:${{port}}
BackhandTrace On
<Location /status>
    SetHandler backhand-handler
</Location>
Header setifempty X-Served-By "%{{SERVED}}e"
SetEnv SERVED machine{n}
<VirtualHost 127.0.10.{n}:${{port}}>
    ServerName red.test
    DocumentRoot ${{root}}/htdocs
    MulticastStats ${{group}},1
    AcceptStats 127.0.10.0/24
    AcceptStats 127.0.0.1
    SetEnv SERVED red{n}
    {chain}
</VirtualHost>
<VirtualHost 127.0.11.{n}:${{port}}>
    ServerName blue.test
    DocumentRoot ${{root}}/htdocs
    MulticastStats 127.0.11.{n}:${{port}} ${{group}},1
    AcceptStats 127.0.11.0/24
    AcceptStats 127.0.0.1
    SetEnv SERVED blue{n}
    {chain}
</VirtualHost>
{chain}
"""


def machines(stage, chain, count=2, **how):
    servers = [
        stage.httpd(
            MACHINE.format(n=n, chain=chain), name=f"machine{n}", address=f"127.0.9.{n}", modules=["setenvif"], **how
        )
        for n in range(1, count + 1)
    ]
    ids = [site_id(server, net, n) for n, server in enumerate(servers, 1) for net in (9, 10, 11)]
    for server in servers:
        server.knows(*ids)
    return servers


def site_id(server, net, number):
    return f"127.0.{net}.{number}:{server.port}"


def ask(server, net, number, path="/", **how):
    """A request to a site of the machine."""
    return client.request(f"127.0.{net}.{number}", server.port, path, source=CLIENT, **how)


def shares(server, net, number, count=40):
    answers = [ask(server, net, number) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.header("X-Served-By") for answer in answers)


def test_each_site_has_its_own_rows(stage):
    first, second = machines(stage, "")
    for server, number in ((first, 1), (second, 2)):
        table = server.status()
        own = {key: row for key, row in table.servers.items() if row["own"]}
        assert set(own) == {site_id(server, net, number) for net in (9, 10, 11)}
        assert table.self["own"] and [row["self"] for row in own.values()].count(True) == 1
        assert {row["hostname"] for row in own.values()} == {f"machine{number}.test"}
        # All of the machine's: the same facts in each.
        assert len({(row["arriba"], row["ncpu"], row["memory_total"], row["workers"]) for row in own.values()}) == 1
    page = first.get("/status").text
    assert [f'<tr class="own"><td>{row["id"]}</td>' in page for row in first.status().json["servers"]] == [
        row["own"] for row in first.status().json["servers"]
    ]
    # They never grow old, and the neighbour hears each of them by itself.
    before = second.status().counters["accepted"], first.status().counters["announced"]
    wait_for(lambda: first.status().counters["announced"] >= before[1] + 9, 8, "three rounds")
    wait_for(lambda: second.status().counters["accepted"] >= before[0] + 8, 3, "what the other announced")
    assert all(row["age_ms"] < 2500 for server in (first, second) for row in server.status().servers.values())
    assert second.status().counters["repeated"] == 0


def test_requests_of_a_site_stay_in_the_site(stage, mpm):
    """byRandom over two machines: each site's requests are served by that site, here or there, and never by another."""
    first, second = machines(stage, "Backhand byAge 6\nBackhand byRandom", mpm=mpm, workers=24)
    for server, number in ((first, 1), (second, 2)):
        for net, site in ((10, "red"), (11, "blue")):
            served = shares(server, net, number)
            assert set(served) == {f"{site}1", f"{site}2"}, served


def test_requests_of_the_main_server_stay_with_main_servers(stage):
    """As soon as a site has a list of its own, the main server's list holds for the main server's requests."""
    first, _ = machines(stage, "Backhand byAge 6\nBackhand byRandom")
    served = shares(first, 9, 1)
    assert set(served) == {"machine1", "machine2"}, served


def test_a_site_without_a_list_has_the_main_servers(stage):
    """One list for all: whoever is heard is a candidate, sites of other machines among them, but no other self."""

    def without_lists(n):
        lines = MACHINE.format(n=n, chain="Backhand byAge 6\nBackhand byRandom").splitlines()
        return "\n".join(line for line in lines if not line.startswith("    AcceptStats")).replace(
            "AcceptStats 127.0.9.0/24", "AcceptStats 127.0.0.0/16"
        )

    servers = [stage.httpd(without_lists(n), name=f"machine{n}", address=f"127.0.9.{n}") for n in (1, 2)]
    ids = [site_id(server, net, n) for n, server in enumerate(servers, 1) for net in (9, 10, 11)]
    for server in servers:
        server.knows(*ids)
    # From 127.0.0.50: a peer there, so ask from elsewhere.
    answers = [client.request("127.0.10.1", servers[0].port, "/", source="127.1.0.50") for _ in range(60)]
    assert {answer.header("X-Served-By") for answer in answers} == {"red1", "machine2", "red2", "blue2"}


@pytest.mark.parametrize(
    "chain, served_by",
    [
        ("Backhand byAge 6\nBackhand removeSelf", {"red2"}),
        ("Backhand byAge 6\nBackhandFromSO ${build}/byHostname.so byHostname machine9\nBackhand addSelf", {"red1"}),
        ("Backhand byAge 6\nBackhand byLoad 1000", {"red1"}),
        ("Backhand byAge 6\nBackhand byBusyChildren 1000", {"red1"}),
        ("BackhandFromSO ${build}/byHostname.so byHostname machine2", {"red2"}),
        ("BackhandFromSO ${build}/byHostname.so byHostname machine1", {"red1"}),
        ("BackhandDirectoryWalk Off\nBackhand removeSelf\nBackhand byRandom", {"red2"}),
        ("BackhandDirectoryWalk Off\nBackhand byLoad 1000", {"red1"}),
    ],
)
def test_self_is_the_site(stage, chain, served_by):
    """What functions do with the local server, they do with the site's row."""
    first, _ = machines(stage, chain)
    served = shares(first, 10, 1, 12)
    assert set(served) == served_by, served
    answer = ask(first, 10, 1)
    if served_by == {"red1"}:
        assert answer.header("Backhand-Trace").startswith(f"action=local server=127.0.10.1:{first.port} ")
    else:
        assert "action=proxy server=127.0.10.2:" in answer.header("Backhand-Trace")


def test_a_site_believes_its_own_list(stage):
    """The guard's header: from the site's networks, not from the main server's."""
    server = stage.httpd(
        MACHINE.format(n=1, chain="").replace("AcceptStats 127.0.0.1\n", ""), name="machine1", address="127.0.9.1"
    )
    stage.plant(server, *(Announcement(address, state=MAINTENANCE) for address in ("127.0.9.9", "127.0.10.9")))

    def action(net, source):
        path = f"/?{net}-{source}"
        client.request(f"127.0.{net}.1", server.port, path, source=source, headers={"Backhand-Proxied": "192.0.2.7"})
        return server.logged(path).split()[0]

    assert action(10, "127.0.10.9") == "192.0.2.7"
    assert action(10, "127.0.9.9") == "127.0.9.9"
    assert action(11, "127.0.10.9") == "127.0.10.9"
    assert action(9, "127.0.9.9") == "192.0.2.7"
    assert action(9, "127.0.10.9") == "127.0.10.9"
    server.log.allow("BH0407")


def test_the_moderator_hears_from_all_lists(stage):
    """A site's neighbours need not be the main server's."""
    server = stage.httpd(
        MACHINE.format(n=1, chain="Backhand removeSelf\nBackhand byRandom").replace("AcceptStats 127.0.0.1\n", ""),
        name="machine1",
        address="127.0.9.1",
    )
    backends = {net: stage.backend(f"127.0.{net}.7") for net in (9, 10, 11)}
    for net, backend in backends.items():
        stage.plant(server, Announcement(f"127.0.{net}.7", backend.port), source=f"127.0.{net}.7")
    stage.announce(Announcement("127.0.12.7", 80), source="127.0.12.7")
    wait_for(lambda: server.status().counters["not_accepted"] >= 1, 5, "a stranger")
    server.log.allow("BH0310")
    for net in (10, 11):
        assert f"server=127.0.{net}.7:{backends[net].port} " in ask(server, net, 1).header("Backhand-Trace")


def test_restarts_keep_and_drop_sites(stage):
    """A site's row is the same after a graceful restart; one that is gone is announced no more, nor its row shown."""
    first, second = machines(stage, "Backhand byAge 6\nBackhand byRandom")
    before = {key: row["id"] for key, row in first.status().servers.items()}
    first.restart()
    wait_for(lambda: first.status().json["self"]["moderator_starts"] == 2, 5, "the next moderator")
    first.knows(*before)
    assert {key: row["id"] for key, row in first.status().servers.items()} == before
    assert set(shares(first, 10, 1)) == {"red1", "red2"}
    lines = MACHINE.format(n=1, chain="Backhand byAge 6\nBackhand byRandom")
    begin, end = lines.index("<VirtualHost 127.0.11."), lines.rindex("</VirtualHost>") + len("</VirtualHost>")
    first.configure(lines[:begin] + lines[end:])
    first.restart()
    gone = site_id(first, 11, 1)
    first.knows(*(key for key in before if key != gone))
    wait_for(lambda: second.status().servers[gone]["age_ms"] > 2500, 8, "its silence")
    assert set(shares(first, 10, 1)) == {"red1", "red2"}
    first.configure(lines)
    first.restart()
    first.knows(*before)
    wait_for(lambda: second.status().servers[gone]["age_ms"] < 1500, 8, "its return")
    # Between the restarts, nobody here accepts that site of the neighbour.
    first.log.expect("BH0310: a datagram from 127.0.11.2 ")
    second.log.allow("AH00957|AH01114|AH00959")


def test_name_based_hosts_share_the_main_servers_row(stage):
    """MulticastStats in a host without an address of its own announces the same server: no second self."""
    second = ports.free_group()
    server = stage.httpd(
        f"""
        UnixSocketDir ${{sockets}}
        MulticastStats ${{address}}:${{port}} ${{group}},1
        AcceptStats 127.0.9.0/24
        BackhandTrace On
        <VirtualHost *>
            ServerName one.test
            DocumentRoot ${{root}}/htdocs
            MulticastStats ${{address}}:${{port}} {second[0]}:{second[1]},1
            Backhand byLoad
        </VirtualHost>
    """,
        address="127.0.9.1",
    )
    other = stage.httpd(
        f"UnixSocketDir ${{sockets}}\nMulticastStats ${{address}}:${{port}} {second[0]}:{second[1]},1\n"
        "AcceptStats 127.0.9.0/24\n",
        address="127.0.9.2",
    )
    server.knows(other)
    other.knows(server)
    assert server.get("/", headers={"Host": "one.test"}).trace
    assert [row["own"] for row in server.status().servers.values()].count(True) == 1


def test_own_address_and_port_are_found(stage):
    """A line without them in <VirtualHost *>: the way to the destination, and the first Listen."""
    server = stage.httpd(
        f"""
        UnixSocketDir ${{sockets}}
        MulticastStats ${{address}}:8099 ${{group}},1
        AcceptStats 127.0.0.0/8
        <VirtualHost *>
            DocumentRoot ${{root}}/htdocs
            MulticastStats 127.0.0.3:{ports.free_port("127.0.0.3")}
        </VirtualHost>
    """,
        address="127.0.9.1",
    )

    def own():
        rows = [row for row in status.over_socket(server.sockets / "backhand-8099.sock").json["servers"] if row["own"]]
        return rows if len(rows) == 2 else None

    rows = wait_for(own, 5, "its rows")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.3", 1))
        assert (rows[1]["address"], rows[1]["port"]) == (probe.getsockname()[0], server.port)


def test_gaps_are_told(stage):
    """As for the main server: no list at all, or no folder."""
    lonely = stage.httpd("""
        UnixSocketDir ${sockets}
        Listen 127.0.10.1:${port}
        <VirtualHost 127.0.10.1:${port}>
            ServerName site.test
            MulticastStats ${group},1
            DocumentRoot ${root}/htdocs
        </VirtualHost>
    """)
    lonely.log.expect(r":warn\] .*BH0102")
    homeless = stage.httpd("""
        Listen 127.0.10.2:${port}
        <VirtualHost 127.0.10.2:${port}>
            ServerName site.test
            MulticastStats ${group},1
            AcceptStats 127.0.0.0/8
            DocumentRoot ${root}/htdocs
        </VirtualHost>
    """)
    homeless.log.expect(r":error\] .*BH0103")
    assert homeless.moderators() == []
    for server in (lonely, homeless):
        assert len(server.log.grave("BH")) == 1
