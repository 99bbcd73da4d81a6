# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Each directive, good and bad: an error names the directive, the value, and what would be right."""

import socket

import pytest
from harness import ports, status
from harness.stage import CLUSTER
from harness.wait import wait_for

FUNCTIONS = (
    "addSelf",
    "removeSelf",
    "byAge",
    "byLoad",
    "byBusyChildren",
    "byCPU",
    "byLogWindow",
    "byRandom",
    "byCost",
    "bySession",
    "HTTPRedirectToIP",
    "HTTPRedirectToName",
)

GOOD = [
    "UnixSocketDir ${sockets}",
    "UnixSocketDir sockets",
    "MulticastStats 239.255.1.1:4445",
    "MulticastStats 239.255.1.1:4445,1",
    "MulticastStats 239.255.1.1:4445,255",
    "MulticastStats 127.0.0.2 239.255.1.1:4445,1",
    "MulticastStats 127.0.0.2:8080 239.255.1.1:4445,1",
    "MulticastStats 10.0.0.255:4445",
    "MulticastStats 10.0.0.7 10.0.0.255:65535",
    "MulticastStats 127.0.0.3:1024",
    "<VirtualHost 127.0.0.9:80>\nServerName site.test\nMulticastStats 239.255.1.1:4445\nAcceptStats "
    "10.0.0.4\n</VirtualHost>",
    "AcceptStats 10.0.0.4",
    "AcceptStats 10.0.0.0/24",
    "AcceptStats 10.0.0.0/255.255.255.0",
    "AcceptStats 0.0.0.0/0",
    "AcceptStats 2001:db8::/32",
    "AcceptStats 10.0.0.4\nAcceptStats 10.0.0.5",
    *(f"Backhand {name}" for name in FUNCTIONS),
    "Backhand off",
    "Backhand backhand_off",
    "Backhand bySession JSESSIONID=",
    "Backhand HTTPRedirectToName %-2S.%-2H",
    "Backhand HTTPRedirectToName %1S.example.com",
    "BackhandSelfRedirect On",
    "BackhandSelfRedirect Off",
    "<Location /a>\nBackhandSelfRedirect On\n</Location>",
    "BackhandRedirectStatus 302",
    "BackhandRedirectStatus 307",
    "<Directory />\nBackhandRedirectStatus 308\n</Directory>",
    "Backhand byAge 6",
    "Backhand byLoad 0.5",
    "Backhand byBusyChildren 5",
    "BackhandFromSO ${build}/byHostname.so byHostname www",
    "MulticastStats localhost 239.255.1.1:4445,1",
    "MulticastStats localhost:80 localhost:4445",
    "BackhandModeratorPIDFile moderator.pid",
    "BackhandCheck /health",
    "BackhandCheck / host=a.test:80 interval=0.1 timeout=60 rise=1 fall=100 expect=200-299,304 text=x",
    'BackhandCheck /a?b=c text="all is well"\nBackhandCheck /d "text=all is well" INTERVAL=3600',
    "<VirtualHost *>\nServerName a.test\nBackhandCheck /health\n</VirtualHost>",
    "BackhandDrainFile drain",
    "BackhandDrainFile /no/such/folder/drain",
    "BackhandLogLevel +mbcs1",
    "BackhandLogLevel -netall",
    # Sections of other modules do not have the core's settings when ours are read.
    "<Proxy *>\nBackhandLogLevel +dcsn1\n</Proxy>",
    '<If "true">\nBackhandLogLevel +dcsn1\n</If>',
    "BackhandTrace On",
    "BackhandTrace Off",
    "BackhandMode Act",
    "BackhandMode Observe",
    "BackhandMode observe",
    "BackhandNoCandidate Local",
    "BackhandNoCandidate Unavailable",
    "BackhandSocketGroup daemon",
    "BackhandSocketGroup #33",
    *(
        f"<{section}>\nBackhand byLoad\nBackhandTrace On\nBackhandMode Observe\nBackhandNoCandidate "
        f"Local\n</{section.split()[0]}>"
        for section in ("VirtualHost *", "Directory /", "Location /", "Files *.html", 'If "true"', "LocationMatch ^/a")
    ),
    "<Location />\nBackhandFromSO ${build}/byHostname.so byHostname (sun|alpha)\n</Location>",
]

LONG = "/" + "d" * 120

# Configuration, then what the message must contain.
BAD = [
    (f"UnixSocketDir {LONG}", ["UnixSocketDir", LONG, "too long"]),
    ("UnixSocketDir", ["UnixSocketDir", "one argument"]),
    ("MulticastStats 239.255.1.1", ["MulticastStats", "239.255.1.1", "port"]),
    ("MulticastStats 239.255.1.1:0", ["MulticastStats", "239.255.1.1:0", "65535"]),
    ("MulticastStats 239.255.1.1:70000", ["MulticastStats", "70000", "65535"]),
    ("MulticastStats 239.255.1.1:99999999999999999999", ["MulticastStats", "99999999999999999999"]),
    ("MulticastStats 239.255.1.1:44x", ["MulticastStats", "44x"]),
    ("MulticastStats 239.255.1.1:4445,0", ["MulticastStats", "0"]),
    ("MulticastStats 239.255.1.1:4445,256", ["MulticastStats", "256", "255"]),
    ("MulticastStats 239.255.1.1:4445,", ["MulticastStats", "239.255.1.1:4445,"]),
    ("MulticastStats 239.255.1:4445", ["MulticastStats", "239.255.1"]),
    ("MulticastStats 239.255.1.256:4445", ["MulticastStats", "239.255.1.256"]),
    ("MulticastStats nowhere.invalid:4445", ["MulticastStats", "nowhere.invalid"]),
    ("MulticastStats localhost", ["MulticastStats", "port"]),
    ("MulticastStats 127.0.0.2:0 239.255.1.1:4445", ["MulticastStats", "127.0.0.2:0"]),
    ("MulticastStats 127.0.0.2:70000 239.255.1.1:4445", ["MulticastStats", "70000"]),
    ("MulticastStats nobody.invalid 239.255.1.1:4445", ["MulticastStats", "nobody.invalid"]),
    ("MulticastStats 0.0.0.0 239.255.1.1:4445", ["MulticastStats", "0.0.0.0"]),
    ("MulticastStats 239.1.1.1 239.255.1.1:4445", ["MulticastStats", "239.1.1.1"]),
    ("MulticastStats 127.0.0.2 239.255.1.1:4445 1", ["MulticastStats"]),
    ("AcceptStats 10.0.0", ["AcceptStats", "10.0.0"]),
    ("AcceptStats 10.0.0.0/33", ["AcceptStats", "33"]),
    ("AcceptStats 10.0.0.0/-1", ["AcceptStats", "-1"]),
    ("AcceptStats 10.0.0.0/", ["AcceptStats", "10.0.0.0/"]),
    ("AcceptStats 10.0.0.0/255.0.255.0", ["AcceptStats", "255.0.255.0"]),
    ("AcceptStats 2001:db8::/129", ["AcceptStats", "129"]),
    ("AcceptStats example.com", ["AcceptStats", "example.com"]),
    ("Backhand byLod", ["Backhand", "byLod", "byLoad"]),
    ("Backhand ByAge", ["Backhand", "ByAge", "byAge"]),
    ("Backhand bybusychildern", ["Backhand", "bybusychildern", "byBusyChildren"]),
    ("Backhand offf", ["Backhand", "offf", "off"]),
    ("Backhand removeself", ["Backhand", "removeself", "removeSelf"]),
    ("Backhand", ["Backhand"]),
    ("Backhand off 3", ["Backhand", "off", "3"]),
    ("Backhand backhand_off 3", ["Backhand", "backhand_off", "3"]),
    ("Backhand bySession a;b", ["Backhand", "bySession", "a;b"]),
    ("Backhand HTTPRedirectToIP 10.0.0.4", ["Backhand", "HTTPRedirectToIP", "10.0.0.4"]),
    ("Backhand HTTPRedirectToName %S", ["Backhand", "HTTPRedirectToName", "'%S'", "%-#S"]),
    ("Backhand HTTPRedirectToName %%1S", ["Backhand", "HTTPRedirectToName", "'%%1S'"]),
    ("Backhand HTTPRedirectToName %100S", ["Backhand", "HTTPRedirectToName", "'%100S'", "1 to 99"]),
    ("Backhand HTTPRedirectToName %1S:8080", ["Backhand", "HTTPRedirectToName", "'%1S:8080'"]),
    ("Backhand HTTPredirectToName", ["Backhand", "HTTPredirectToName", "HTTPRedirectToName"]),
    ("Backhand bysession", ["Backhand", "bysession", "bySession"]),
    ("BackhandSelfRedirect Maybe", ["BackhandSelfRedirect", "On or Off"]),
    ("BackhandRedirectStatus 301", ["BackhandRedirectStatus", "301", "302", "307", "308"]),
    ("BackhandRedirectStatus 3020", ["BackhandRedirectStatus", "3020"]),
    ("Backhand byRandom 3", ["Backhand", "byRandom", "3"]),
    ("Backhand removeSelf now", ["Backhand", "removeSelf", "now"]),
    ("Backhand byAge six", ["Backhand", "byAge", "six"]),
    ("Backhand byAge -1", ["Backhand", "byAge", "-1"]),
    ("Backhand byAge 99999999999999999999", ["Backhand", "byAge", "99999999999999999999"]),
    ("Backhand byLoad 0.5x", ["Backhand", "byLoad", "0.5x"]),
    ("Backhand byLoad nan", ["Backhand", "byLoad", "nan"]),
    ("Backhand byLoad 1e999", ["Backhand", "byLoad", "1e999"]),
    ("Backhand byBusyChildren 1.5", ["Backhand", "byBusyChildren", "1.5"]),
    ("\n".join(["Backhand byLoad"] * 65), ["Backhand", "64"]),
    ("BackhandFromSO ${build}/missing.so f", ["BackhandFromSO", "missing.so"]),
    # What was renamed before the first release.
    ("Backhand byState", ["Backhand: byState is called byHealth"]),
    ("BackhandForward https", ["BackhandForward is called BackhandScheme"]),
    ("BackhandFromSO ${build}/byHostname.so noSuchFunction", ["BackhandFromSO", "noSuchFunction"]),
    ("BackhandFromSO ${build}/byHostname.so", ["BackhandFromSO"]),
    ("BackhandTrace Maybe", ["BackhandTrace", "On or Off"]),
    ("BackhandMode Look", ["BackhandMode", "Look", "Act", "Observe"]),
    ("BackhandNoCandidate Nobody", ["BackhandNoCandidate", "Nobody", "Local", "Unavailable"]),
    ("BackhandLogLevel dcsn1", ["BackhandLogLevel", "dcsn1", "+dcsnall"]),
    ("BackhandModeratorPIDFile /", ["BackhandModeratorPIDFile", "'/' is a directory"]),
    ("BackhandModeratorPIDFile ${root}", ["BackhandModeratorPIDFile", "is a directory"]),
    ("<VirtualHost *>\nBackhandModeratorPIDFile x\n</VirtualHost>", ["BackhandModeratorPIDFile", "VirtualHost"]),
    ("BackhandCheck", ["BackhandCheck", "takes a path"]),
    ("BackhandCheck interval=1", ["BackhandCheck", "'interval=1' is not a path"]),
    ("BackhandCheck http://a/", ["BackhandCheck", "'http://a/' is not a path"]),
    ("BackhandCheck /a interval", ["BackhandCheck", "'interval' is not host, interval, timeout"]),
    ("BackhandCheck /a interval=", ["BackhandCheck", "'interval=' is not host, interval, timeout"]),
    ("BackhandCheck /a port=80", ["BackhandCheck", "'port=80' is not host, interval, timeout"]),
    ("BackhandCheck /a interval=3601", ["BackhandCheck", "'3601' is not a number of seconds", "3600"]),
    ("BackhandCheck /a timeout=61", ["BackhandCheck", "'61' is not a number of seconds", "60"]),
    ("BackhandCheck /a timeout=0.0999", ["BackhandCheck", "'0.0999' is not a number of seconds"]),
    ("BackhandCheck /a timeout=0.099", ["BackhandCheck", "'0.099' is less than 0.1 s"]),
    ("BackhandCheck /a fall=101", ["BackhandCheck", "'101' is not a number of checks from 1 to 100"]),
    ("BackhandCheck /a expect=", ["BackhandCheck", "'expect=' is not host"]),
    ("BackhandCheck /a expect=200,", ["BackhandCheck", "'' is neither a status nor a range"]),
    ("BackhandCheck /a expect=600", ["BackhandCheck", "'600' is neither a status nor a range"]),
    ("BackhandCheck /a expect=300-200", ["BackhandCheck", "'300-200' is neither a status nor a range"]),
    ("BackhandCheck hcuri=/a", ["BackhandCheck", "'hcuri' is a word of mod_proxy_hcheck: here it is 'the path"]),
    ("BackhandCheck /a hcpasses=2", ["BackhandCheck", "'hcpasses' is a word of mod_proxy_hcheck: here it is 'rise='"]),
    ("BackhandCheck /a\n" * 65, ["BackhandCheck", "an httpd has at most 64 checks"]),
    ("<Location />\nBackhandCheck /a\n</Location>", ["BackhandCheck", "not allowed"]),
    ("BackhandDrainFile /", ["BackhandDrainFile", "'/' is a directory"]),
    ("BackhandDrainFile ${root}/run", ["BackhandDrainFile", "/run' is a directory"]),
    ("BackhandDrainFile run", ["BackhandDrainFile", "'run' is a directory"]),
    ('BackhandDrainFile ""', ["BackhandDrainFile", "one argument"]),
    ("BackhandDrainFile", ["BackhandDrainFile", "one argument"]),
    ("BackhandDrainFile a b", ["BackhandDrainFile", "one argument"]),
    ("<VirtualHost *>\nBackhandDrainFile x\n</VirtualHost>", ["BackhandDrainFile", "VirtualHost"]),
    ("<Location />\nBackhandDrainFile x\n</Location>", ["BackhandDrainFile", "not allowed"]),
    ("BackhandSocketGroup no-such-group", ["BackhandSocketGroup", "no-such-group"]),
    ("<VirtualHost *>\nUnixSocketDir ${sockets}\n</VirtualHost>", ["UnixSocketDir", "VirtualHost"]),
    ("<Location />\nMulticastStats 239.255.1.1:4445\n</Location>", ["MulticastStats", "not allowed"]),
    ("<VirtualHost *>\nAcceptStats 10.0.0.0/33\n</VirtualHost>", ["AcceptStats", "33"]),
    ("<Directory />\nAcceptStats 10.0.0.4\n</Directory>", ["AcceptStats", "not allowed"]),
    ("<Location />\nBackhandSocketGroup daemon\n</Location>", ["BackhandSocketGroup", "not allowed"]),
]


@pytest.mark.parametrize("config", GOOD)
def test_good(stage, config):
    server = stage.httpd(config + "\n", start=False)
    assert server.test_config() == (0, "Syntax OK\n")


@pytest.mark.parametrize("config, words", BAD, ids=[config[-60:] for config, _ in BAD])
def test_bad(stage, config, words):
    server = stage.httpd(config + "\n", start=False)
    code, text = server.test_config()
    assert code == 1
    message = "\n".join(line for line in text.splitlines() if not line.startswith("AH00526"))
    assert [word for word in words if word not in message] == [], text


def test_in_htaccess(stage):
    """AllowOverride FileInfo admits Backhand; never BackhandFromSO, which loads code."""
    server = stage.httpd(
        """
        <Directory ${root}/htdocs>
            AllowOverride FileInfo
        </Directory>
        <Directory ${root}/htdocs/closed>
            AllowOverride Indexes
        </Directory>
        BackhandTrace On
    """
        + CLUSTER,
        files={
            "good/.htaccess": "Backhand byLoad\nBackhand byCPU\n",
            "good/page.html": "good",
            "code/.htaccess": "BackhandFromSO ${build}/byHostname.so byHostname www\n",
            "code/page.html": "code",
            "closed/.htaccess": "Backhand byLoad\n",
            "closed/page.html": "closed",
            "wrong/.htaccess": "Backhand byLod\n",
            "wrong/page.html": "wrong",
        },
    )
    server.knows()
    assert server.get("/good/page.html").trace.left == [("byLoad", 1), ("byCPU", 1)]
    for folder in ("code", "closed", "wrong"):
        assert server.get(f"/{folder}/page.html").status == 500
    server.log.expect(r"code/\.htaccess: BackhandFromSO not allowed here")
    server.log.expect(r"closed/\.htaccess: Backhand not allowed here")
    server.log.expect(r"wrong/\.htaccess: .*byLod.*byLoad")


def test_multicast_without_accept_warns(stage):
    server = stage.httpd("UnixSocketDir ${sockets}\nMulticastStats ${address}:${port} ${group},1\n")
    assert server.get("/").status == 200
    server.log.expect(r":warn\] .*BH\d{4}: .*MulticastStats.*AcceptStats")
    assert len(server.log.grave("BH")) == 1


def test_multicast_without_socket_directory_is_told(stage):
    server = stage.httpd("MulticastStats ${address}:${port} ${group},1\nAcceptStats 127.0.0.0/8\nBackhand byLoad\n")
    assert server.get("/").status == 200
    assert server.moderators() == []
    server.log.expect(r":error\] .*BH\d{4}: .*UnixSocketDir")
    assert len(server.log.grave("BH")) == 1


def address_towards(destination):
    """The local address from which the kernel would send there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((destination, 1))
        return probe.getsockname()[0]


@pytest.mark.parametrize("destination", ["127.0.0.1", "127.0.0.2"])
def test_own_address_and_port_are_found(stage, destination):
    """What a line does not give: the address of a socket connected there, and the port of the first plain Listen."""
    server = stage.httpd(
        f"UnixSocketDir ${{sockets}}\nMulticastStats {destination}:{ports.free_port(destination)}\n"
        "AcceptStats 127.0.0.0/8\n"
    )
    row = wait_for(lambda: server.status().self, 5, "its own row")
    assert (row["address"], row["port"]) == (address_towards(destination), server.port)


def test_own_port_is_found(stage):
    server = stage.httpd("UnixSocketDir ${sockets}\nMulticastStats 127.0.0.7 ${group},1\nAcceptStats 127.0.0.0/8\n")
    row = wait_for(lambda: server.status().self, 5, "its own row")
    assert (row["address"], row["port"]) == ("127.0.0.7", server.port)


def test_own_port_can_be_another(stage):
    """As behind a port that is forwarded: what is given is announced, and names the control socket."""
    server = stage.httpd(
        "UnixSocketDir ${sockets}\nMulticastStats 127.0.0.7:8099 ${group},1\nAcceptStats 127.0.0.0/8\n"
    )
    row = wait_for(lambda: status.over_socket(server.sockets / "backhand-8099.sock").self, 5, "its own row")
    assert (row["address"], row["port"]) == ("127.0.0.7", 8099)
