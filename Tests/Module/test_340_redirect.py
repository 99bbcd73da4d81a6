# Licensed under the Apache License, Version 2.0; see LICENSE.
"""HTTPRedirectToIP and HTTPRedirectToName: where clients are sent, where not, and that nobody puts words into the
answer."""

import re
import socket
import ssl

import pytest
from harness import client, ports
from harness.announce import Announcement
from harness.certificates import Authority
from harness.modules import candidacy_functions
from harness.stage import CLUSTER, CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
AllowEncodedSlashes NoDecode
BackhandTrace On
<Location /ip>
    Backhand removeSelf
    Backhand HTTPRedirectToIP
</Location>
<Location /name>
    Backhand removeSelf
    Backhand HTTPRedirectToName
</Location>
<Location /left>
    Backhand removeSelf
    Backhand HTTPRedirectToName %-2S.%-2H
</Location>
<Location /left1>
    Backhand removeSelf
    Backhand HTTPRedirectToName %1S.%1H
</Location>
<Location /307>
    BackhandRedirectStatus 307
    Backhand removeSelf
    Backhand HTTPRedirectToIP
    <If "%{QUERY_STRING} == 'permanent'">
        BackhandRedirectStatus 308
    </If>
</Location>
<Location /observe>
    BackhandMode Observe
    Backhand removeSelf
    Backhand HTTPRedirectToIP
</Location>
<Location /self>
    Backhand HTTPRedirectToIP
    Backhand byLoad 1000
</Location>
<Location /back>
    Backhand removeSelf
    Backhand HTTPRedirectToIP
    Backhand addSelf
</Location>
<Location /back-name>
    Backhand removeSelf
    Backhand HTTPRedirectToName %1S.site.%-1H
    Backhand addSelf
</Location>
<Location /stay-name>
    Backhand byLoad
    Backhand HTTPRedirectToName
</Location>
"""
)

# The least loaded machine there is: it is chosen, not the one that runs the test.
WWW3 = Announcement("127.0.9.3", 81, "www3.sanfran.hosting.com", load=-1_000_000)


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(
        CONFIG, files={name: name for name in ("observe", "self", "back", "back-name", "stay-name")}
    )
    module_stage.plant(server, WWW3)
    return server


# ---- Where to ----


@pytest.mark.parametrize(
    "path",
    [
        "/ip",
        "/ip/",
        "/ip?",
        "/ip/a%2Fb%20c?d=%26&e=+%0d%0a&f=http://x/",
        "/ip//x/./y/../z;p=1",
        "/ip/" + "x" * 3000,
        "/ip/%C3%A4?%",
        "/ip/a%0d%0aSet-Cookie:%20x=y",
        "/ip/é'\"<>",
    ],
)
def test_path_and_query_as_sent(server, path):
    answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: www.client.com\r\nConnection: close\r\n\r\n".encode())
    assert answer.status == 302
    assert answer.header("Location").encode("latin-1") == f"http://127.0.9.3:81{path}".encode()


def test_what_is_told(server):
    answer = server.get("/ip/told")
    assert (answer.trace.action, answer.trace.server) == ("redirect", WWW3.id)
    assert answer.trace.left == [("removeSelf", 1), ("HTTPRedirectToIP", 1)]
    assert " 302 action=redirect server=127.0.9.3:81" in server.logged("/ip/told")


@pytest.mark.parametrize(
    "path, host, location",
    [
        ("/name", "www.client.com", "www3.sanfran.hosting.com"),
        ("/left", "www.client.com", "www3.sanfran.client.com"),
        ("/left", "www.client.com:8080", "www3.sanfran.client.com"),
        ("/left", "client.com", "www3.sanfran.client.com"),
        ("/left", "WWW.Client.COM", "www3.sanfran.client.com"),
        ("/left1", "www.client.com", "www3.client.com"),
    ],
)
def test_names(server, path, host, location):
    answer = server.get(path, headers={"Host": host})
    assert answer.status == 302
    assert answer.header("Location").lower() == f"http://{location}:81{path}"


def test_port_80_is_not_written(stage):
    server = stage.httpd(CONFIG)
    stage.plant(server, WWW3.with_(port=80))
    assert server.get("/ip/x?y").header("Location") == "http://127.0.9.3/ip/x?y"
    assert server.get("/name", headers={"Host": "a.b"}).header("Location") == "http://www3.sanfran.hosting.com/name"


@pytest.mark.parametrize("path, status", [("/ip", 302), ("/307", 307), ("/307?permanent", 308)])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_status_and_methods(server, path, status, method):
    """The body of a request is read and thrown away: the connection goes on."""
    with server.client() as connection:
        for body in (None, b"x" * 100_000, b"short"):
            if method not in ("POST", "PUT"):
                body = None
            answer = connection.request(path, method=method, body=body)
            assert (answer.status, answer.header("Location")) == (status, f"http://127.0.9.3:81{path}")
            assert (answer.body == b"") == (method == "HEAD")
        chunked = connection.request(path, method="POST", chunks=[b"abc", b"x" * 5000])
        assert chunked.status == status
        assert connection.request("/index.html").status == 200


def test_post_307_arrives_whole(stage):
    """A client that follows sends the body again, there."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(CONFIG)
    stage.plant(server, Announcement(backend.address, backend.port))
    location = server.get("/307/a%20b", method="POST", body=b"data=1").header("Location")
    assert location == f"http://{backend.id}/307/a%20b"
    client.request(backend.address, backend.port, "/307/a%20b", method="POST", body=b"data=1")
    assert [(request.target, request.body) for request in backend.requests] == [("/307/a%20b", b"data=1")]


# ---- Strangers ----

INJECTED = re.compile(rb"[\r\n]\s*set-cookie", re.I)


def raw(server, data):
    """An answer to bytes, checked for lines that no server has written."""
    text = server.raw(data)
    assert not INJECTED.search(text), text
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert not any("\r" in line or "\n" in line for line in lines), lines
    return client.Response(int(lines[0].split(" ")[1]), [tuple(line.split(": ", 1)) for line in lines[1:]], body)


EVIL = [
    b"evil.com\rSet-Cookie: x=y",
    b"evil.com%0d%0aSet-Cookie: x=y",
    b"evil.com/",
    b"evil.com/..",
    b"a@evil.com",
    b"evil.com?x",
    b"evil.com#x",
    b"evil com",
    b"evil.com\t",
    b"\x01evil.com",
    b"evil.com\x7f",
    b"evil\xc3\xa9.com",
    b"evil.com\\@x.com",
    b".",
    b"..",
    b".com",
    b"..com",
    b"a..com",
    b"x.com..",
    b"<b>.com",
    b'"a".com',
    b"evil.com:80:80",
    b"evil.com:x",
    b"[::1]",
    b"[::1",
    b"::1",
    b"10.0.0.4",
    b"%2e.com",
    b"a,b.com",
    b"x" * 3000 + b".com",
]


@pytest.mark.parametrize("options", ["Strict", "Unsafe"])
@pytest.mark.parametrize("path", ["/left1", "/left"])
def test_evil_hosts(module_stage, evil, path, options):
    """Refused by httpd, or sent to the address, or to a name that has nothing evil in it."""
    server = evil(options)
    for host in EVIL:
        answer = raw(
            server, b"GET " + path.encode() + b"?x HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        )
        if answer.status == 400:
            continue
        assert answer.status == 302
        named = re.fullmatch(r"http://(www3(\.[\w-]+)+|127\.0\.9\.3):81" + path + r"\?x", answer.header("Location"))
        assert named, (host, answer)
        assert not re.search(r"\.[0-9]+$", named[1]) or named[1] == "127.0.9.3", (host, answer)
    server.log.allow("BH0421|AH0255[0-9]|AH0063[0-9]|AH0242[0-9]|AH1024[0-9]")


@pytest.fixture(scope="module")
def evil(module_stage):
    servers = {}

    def serve(options):
        if options not in servers:
            servers[options] = module_stage.httpd(
                f"HttpProtocolOptions {options}\n" + CONFIG, group=module_stage.new_group()
            )
            module_stage.plant(servers[options], WWW3)
        return servers[options]

    return serve


@pytest.mark.parametrize("options", ["Strict", "Unsafe"])
@pytest.mark.parametrize(
    "target",
    [
        b"/ip/a\rSet-Cookie:x=y",
        b"/ip/a\x0bb",
        b"/ip/\x7f",
        b"/ip?a\rSet-Cookie:x",
        b"/ip\tx",
        b"http://h.i/ip/a%0d%0aSet-Cookie:%20x=y",
        b"http://h.i/ip\rSet-Cookie:x=y",
        b"http://user@h.i/ip",
        b"http://h.i:1/ip?x",
    ],
)
def test_evil_targets(evil, options, target):
    server = evil(options)
    server.log.allow(r"AH\d+")
    answer = raw(server, b"GET " + target + b" HTTP/1.1\r\nHost: h.i\r\nConnection: close\r\n\r\n")
    assert answer.status in (302, 400)
    if answer.status == 302:
        assert re.fullmatch(r"http://127\.0\.9\.3:81/ip[!-~]*", answer.header("Location"))
    if target.startswith(b"http") and b"%0d" in target:
        assert answer.header("Location") == "http://127.0.9.3:81/ip/a%0d%0aSet-Cookie:%20x=y"


def test_without_a_name_to_the_address(stage):
    """HTTP/1.0 has no Host. One line tells, once a minute."""
    server = stage.httpd(CONFIG)
    stage.plant(server, WWW3)
    server.log.expect(
        r":warn\].*BH0421: '%1S\.%1H' makes no host name of the server name 'www3\.sanfran\.hosting\.com' and the "
        r"Host header ''"
    )
    for _ in range(30):
        assert raw(server, b"GET /left1 HTTP/1.0\r\n\r\n").header("Location") == "http://127.0.9.3:81/left1"
    assert server.log.count("BH0421") <= len(server.children())


# ---- Who is not sent away ----


def test_chosen_self_serves(server):
    answer = server.get("/self")
    assert (answer.status, answer.text, answer.trace.action, answer.trace.server) == (200, "self", "local", server.id)


def test_who_asks_for_this_server_stays(server):
    """Another one is better by now; but the client has been sent here, and would be sent round for ever."""
    assert server.get("/back", headers={"Host": "www.site.test"}).header("Location") == "http://127.0.9.3:81/back"
    answer = server.get("/back")  # by address and port
    assert (answer.status, answer.text, answer.trace.action, answer.trace.server) == (200, "back", "local", server.id)
    assert "action=local" in server.logged('/back HTTP/1.1" 200')
    # With another port it is another server.
    assert server.get("/back", headers={"Host": server.address}).status == 302


def test_who_asks_for_this_server_by_name_stays(server):
    name = f"{server.name}.test:{server.port}"
    for host in (name, name.upper()):
        answer = server.get("/stay-name", headers={"Host": host})
        assert (answer.status, answer.text, answer.trace.action) == (200, "stay-name", "local")
    for host in (f"{server.name}.test", f"x{name}", server.id):
        answer = server.get("/stay-name", headers={"Host": host})
        assert (answer.status, answer.header("Location")) == (302, "http://www3.sanfran.hosting.com:81/stay-name")


def test_the_name_is_that_of_the_rule_which_redirects(server):
    """addSelf comes behind: this server has no rule of its own, and clients are sent here by the others' rule."""
    host = f"{server.name}.site.test:{server.port}"
    assert (
        server.get("/back-name", headers={"Host": "www.test"}).header("Location")
        == "http://www3.site.test:81/back-name"
    )
    assert server.get("/back-name", headers={"Host": host}).text == "back-name"
    assert server.get("/back-name", headers={"Host": f"www.site.test:{server.port}"}).status == 302


def test_removed_self_does_not_keep_anybody(server):
    assert server.get("/ip").status == 302
    assert server.get("/name", headers={"Host": f"{server.name}.test:{server.port}"}).status == 302


def test_who_asks_for_the_other_server_is_proxied(stage):
    """Sent there, it would come here again."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(CONFIG)
    stage.plant(server, Announcement(backend.address, backend.port, "www9.site.test"))
    for path, host in (
        ("/ip", backend.id),
        ("/name", f"www9.site.test:{backend.port}"),
        ("/name", f"WWW9.Site.test:{backend.port}"),
    ):
        answer = server.get(path, headers={"Host": host})
        assert (answer.status, answer.text, answer.trace.action) == (200, backend.id, "proxy")
    assert server.get("/ip", headers={"Host": backend.address}).status == 302


def test_no_ping_pong(stage, mpm):
    """Two servers that choose at random: whoever asks either is served after one redirect at most."""
    config = CLUSTER + "BackhandTrace On\nBackhand byAge 6\nBackhand byRandom\nBackhand HTTPRedirectToIP\n"
    servers = [stage.httpd(config, mpm=mpm, name=f"server{number}", address=f"127.0.47.{number}") for number in (1, 2)]
    for server in servers:
        server.knows(*servers)
    seen = set()
    for number in range(40):
        first = servers[number % 2]
        answer = first.get("/", headers={"Host": "www.site.test"})
        if answer.status == 302:
            other = servers[1 - number % 2]
            assert answer.header("Location") == f"http://{other.id}/"
            for _ in range(5):
                answer = other.get("/")
                assert (answer.status, answer.text) == (200, f"{other.name}\n")
            seen.add("redirected")
        else:
            assert (answer.status, answer.text) == (200, f"{first.name}\n")
            seen.add("served")
    assert seen == {"redirected", "served"}


def test_observe(server):
    answer = server.get("/observe")
    assert (answer.status, answer.text, answer.trace.action, answer.trace.server) == (
        200,
        "observe",
        "redirect",
        WWW3.id,
    )
    assert "action=local server=127.0.9.3:81" in server.logged("/observe")


def test_a_peers_request_stays(stage):
    server = stage.httpd(CONFIG.replace("127.0.9.0/24", "127.0.0.0/8"))
    stage.plant(server, WWW3)
    server.put("ip", "here")
    assert server.get("/ip", headers={"Backhand-Proxied": "192.0.2.1"}).text == "here"


# ---- Together with proxying, and with the walk left out ----

MIXED = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Location /mixed>
    Backhand removeSelf
    BackhandFromSO %s away redirected
    Backhand byLoad
</Location>
"""
)
SOURCE = """
#include <string.h>
#include "mod_backhand.h"
int away(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    for (int i = 0; i < *n; i++)
        if (strcmp(serverstats[servers[i].id].hostname, arg) == 0) servers[i].mode = BACKHAND_MODE_REDIRECT;
    return *n;
}
int by_hostname(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    for (int i = 0; i < *n; i++) {
        servers[i].mode = BACKHAND_MODE_REDIRECT;
        servers[i].hostheader = serverstats[servers[i].id].hostname;
    }
    return *n;
}
"""


@pytest.fixture(scope="module")
def away(module_stage):
    return candidacy_functions(module_stage.folder, "away", SOURCE, "-Wall", "-Werror")


def test_mixed_list(stage, away, mpm):
    """Each candidate in its own way: proxied to while it answers, then redirected to the next."""
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(MIXED % away, mpm=mpm)
    proxied = Announcement(backend.address, backend.port, "proxied", load=1000)
    redirected = Announcement("127.0.9.4", 81, "redirected", load=2000)
    stage.plant(server, proxied, redirected)
    answer = server.get("/mixed", method="POST", body=b"x" * 30_000)
    assert (answer.status, answer.text, answer.trace.action) == (200, backend.id, "proxy")

    backend.close()
    server.log.expect("AH00957|AH01114|AH00959")
    server.log.allow("AH00957|AH01114|AH00959")
    with server.client() as connection:
        answer = connection.request("/mixed", method="POST", body=b"x" * 30_000)
        assert (answer.status, answer.header("Location")) == (302, "http://127.0.9.4:81/mixed")
        assert (answer.trace.action, answer.trace.server) == ("redirect", redirected.id)
        assert connection.request("/index.html").status == 200


def test_each_has_a_name_of_its_own(stage, away):
    """Given by a loaded function: who asks for this server's stays, though another one is better."""
    server = stage.httpd(CLUSTER_OF_9 + f"Backhand byLoad\nBackhandFromSO {away} by_hostname\n", files={"page": "here"})
    stage.plant(server, WWW3)
    assert server.get("/page", headers={"Host": f"{server.name}.test:{server.port}"}).text == "here"
    assert (
        server.get("/page", headers={"Host": "a.test"}).header("Location") == "http://www3.sanfran.hosting.com:81/page"
    )


def test_redirect_before_proxy(stage, away):
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(MIXED % away)
    stage.plant(
        server,
        Announcement(backend.address, backend.port, "proxied", load=2000),
        Announcement("127.0.9.4", 81, "redirected", load=1000),
    )
    assert server.get("/mixed").header("Location") == "http://127.0.9.4:81/mixed"
    assert backend.requests == []


WALK = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Directory ${root}/htdocs/app>
    Require ip 203.0.113.0/24
</Directory>
<Location /app>
    BackhandDirectoryWalk Off
    Backhand removeSelf
    Backhand HTTPRedirectToIP
    Backhand addSelf
</Location>
<Location /app/closed>
    Require ip 203.0.113.0/24
</Location>
"""
)


def test_without_the_walk(stage, mpm):
    server = stage.httpd(WALK, mpm=mpm, files={"app/page": "local"})
    stage.plant(server, WWW3)
    for path in ("/app/page", "/app/no/such/folder?a=b%2Fc", "/app/"):
        answer = server.get(path, headers={"Host": "www.site.test"})
        assert (answer.status, answer.header("Location")) == (302, f"http://127.0.9.3:81{path}")
        assert answer.trace.action == "redirect"
    assert server.get("/app/page", method="POST", body=b"x" * 100_000, headers={"Host": "www.site.test"}).status == 302
    # What is served here after all is guarded by all sections, and so is what <Location> guards.
    assert server.get("/app/page").status == 403
    assert server.get("/app/closed", headers={"Host": "www.site.test"}).status == 403
    server.log.expect("AH01630")


# ---- TLS ----

TLS = (
    CLUSTER_OF_9
    + """
BackhandTrace On
Listen ${address}:%(tls)s https
Backhand removeSelf
Backhand HTTPRedirectToName %%1S.%%1H
<Location /ip>
    Backhand removeSelf
    Backhand HTTPRedirectToIP
    Backhand addSelf
</Location>
<VirtualHost ${address}:%(tls)s>
    ServerName front.test
    SSLEngine on
    SSLCertificateFile %(certificate)s
    SSLCertificateKeyFile %(key)s
</VirtualHost>
"""
)


def ask_by_tls(server, port, path, host, certificate):
    context = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_connection((server.address, port), 20) as plain,
        context.wrap_socket(plain, server_hostname="front.test") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return client.Response(int(lines[0].split(" ")[1]), [tuple(line.split(": ", 1)) for line in lines[1:]], body)


def test_tls(stage, mpm):
    """https stays https, with the port of this connection; http has the announced one."""
    authority = Authority(stage.folder)
    tls = ports.free_port()
    server = stage.httpd(
        TLS % ({"tls": tls} | authority.sign("front.test")._asdict()),
        mpm=mpm,
        modules=["ssl"],
        files={"ip": "here"},
    )
    stage.plant(server, WWW3)
    server.log.allow("AH01873")  # no session cache

    def ask(path, host):
        return ask_by_tls(server, tls, path, host, authority.certificate)

    assert ask("/a%20b?c", "www.client.com").header("Location") == f"https://www3.client.com:{tls}/a%20b?c"
    assert ask("/ip", "www.client.com").header("Location") == f"https://127.0.9.3:{tls}/ip"
    assert server.get("/ip", headers={"Host": "www.client.com"}).header("Location") == "http://127.0.9.3:81/ip"
    # Who asks for this server stays, with the port of its scheme.
    assert ask("/ip", f"{server.address}:{tls}").text == "here"
    assert ask("/ip", server.id).status == 302


@pytest.mark.parametrize(
    "name, port",
    [("https://www.site.test", ""), ("https://www.site.test:443", ""), ("https://www.site.test:8443", ":8443")],
)
def test_tls_that_ends_before_us(stage, name, port):
    """ServerName says what clients see."""
    server = stage.httpd(f"ServerName {name}\n" + CONFIG)
    stage.plant(server, WWW3)
    assert server.get("/ip?x").header("Location") == f"https://127.0.9.3{port}/ip?x"


# ---- The configuration ----


def test_add_prediction_warns_once(stage):
    line = "Backhand addPrediction\n"
    server = stage.httpd(CLUSTER_OF_9 + "BackhandTrace On\n" + line * 3 + f"<Location /x>\n{line}</Location>\n")
    server.log.expect(r":warn\].*BH0120: addPrediction at .*httpd\.conf:\d+ does nothing: its lines may be removed")
    server.knows()
    assert server.get("/").trace.left == [("addPrediction", 1)] * 3
    assert server.log.count("BH0120") == 1
    server.restart()
    assert server.log.count("BH0120") == 2


def test_backhand_off(stage):
    server = stage.httpd(
        CLUSTER_OF_9 + "BackhandTrace On\nBackhand byLoad\n<Location /off>\nBackhand backhand_off\n</Location>\n",
        files={"off": ""},
    )
    assert server.get("/").trace is not None
    assert server.get("/off").trace is None
