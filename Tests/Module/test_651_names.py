# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Names of the site on their way: WebDAV's Destination and If to the server, the server's own port in its redirects
back."""

import http.client
import os
import shutil
import ssl

import pytest
from harness.backend import Reply
from harness.certificates import Authority
from harness.front import front_of
from harness.stage import CLUSTER
from harness.wait import wait_for

TLS_LINES = "AH01873|AH01909"


class Secure:
    """A client that comes by TLS."""

    def __init__(self, front, authority):
        self.front = front
        self.context = ssl.create_default_context(cafile=str(authority.certificate))
        self.context.check_hostname = False

    def ask(self, method, path, headers=(), body=None):
        connection = http.client.HTTPSConnection(self.front.address, self.front.port, timeout=20, context=self.context)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        try:
            return answer.status, answer.getheader("Location"), answer.read().decode()
        finally:
            connection.close()


def secure_front(stage, *servers, config="", **how):
    authority = Authority(stage.folder)
    front = front_of(stage, *servers, modules=["ssl"], config=authority.sign("shop.test").server + config, **how)
    front.log.always(TLS_LINES)
    return front, Secure(front, authority)


# ---- WebDAV ----

DAV = """
DavLockDB ${root}/dav/locks
Alias /files ${root}/dav/files
<Directory ${root}/dav/files>
    Dav On
    Require all granted
</Directory>
"""


def dav_server(stage, config="", more=(), **how):
    server = stage.httpd(
        DAV + config, name="dav", address="127.0.9.2", modules=["dav", "dav_fs", *more], start=False, **how
    )
    for folder in ("dav", "dav/files"):
        (server.root / folder).mkdir()
        if os.geteuid() == 0:
            shutil.chown(server.root / folder, "www-data", "www-data")
    return server.start()


@pytest.mark.parametrize("name", ["without us", "inside.test", "https://shop.test"])
def test_files_are_moved_and_locked_through_a_front_with_tls(stage, name):
    """Whatever the server takes its own scheme for: a peer with ServerName https:// is sure of TLS."""
    if name == "without us":
        dav = dav_server(stage, without=("backhand",))
        front, client = secure_front(stage, dav)
    else:
        dav = dav_server(stage, f"{CLUSTER}ServerName {name}\n")
        front, client = secure_front(
            stage, chain=CLUSTER + "Backhand removeSelf\n", group=stage.group, address="127.0.9.1"
        )
        front.knows(dav)
        dav.knows(front)
    host = f"shop.test:{front.port}"
    site = f"https://{host}"

    def ask(method, path, body=None, **headers):
        return client.ask(method, "/files" + path, {"Host": host, **headers}, body)[0]

    assert ask("PUT", "/a", b"text") == 201
    assert ask("COPY", "/a", Destination=f"{site}/files/b") == 201
    assert ask("MOVE", "/b", Destination=f"{site}/files/c") == 201
    assert sorted(path.name for path in (dav.root / "dav/files").glob("[a-z]")) == ["a", "c"]
    lock = b'<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    connection = http.client.HTTPSConnection(front.address, front.port, timeout=20, context=client.context)
    connection.request("LOCK", "/files/c", lock, {"Host": host})
    answer = connection.getresponse()
    token = answer.getheader("Lock-Token")
    answer.read()
    connection.close()
    assert ask("PUT", "/c", b"other") == 423
    assert ask("MOVE", "/a", Destination=f"{site}/files/c", If=f"<{site}/files/c> ({token})") == 204
    dav.log.allow("This resource is locked")


@pytest.fixture(scope="module")
def seen(module_stage):
    """A server that keeps what it gets, behind a front with TLS that asks it by http."""
    backend = module_stage.backend("127.0.9.3")
    front, client = secure_front(module_stage, backend, name="seen")
    return backend, client


@pytest.mark.parametrize(
    "sent, got",
    [
        ("https://shop.test/a%20b", "http://shop.test/a%20b"),
        ("https://SHOP.test:443/a", "http://shop.test/a"),
        ("HTTPS://shop.test", "http://shop.test"),
        ("https://shop.test?https://shop.test/", "http://shop.test?https://shop.test/"),
        ("http://shop.test/a", "http://shop.test/a"),
        ("https://other.test/a", "https://other.test/a"),
        ("https://shop.test:8443/a", "https://shop.test:8443/a"),
        ("https://shop.test.evil.test/a", "https://shop.test.evil.test/a"),
        ("https://user@shop.test/a", "https://user@shop.test/a"),
        ("https:/shop.test/a", "https:/shop.test/a"),
        ("https://", "https://"),
        ("https:", "https:"),
        ("/a", "/a"),
        ("", ""),
        ("ftp://shop.test/a", "ftp://shop.test/a"),
    ],
)
def test_a_destination_on_its_way(seen, sent, got):
    backend, client = seen
    client.ask("COPY", "/x", {"Host": "shop.test", "Destination": sent})
    assert backend.requests[-1].header("Destination") == got


@pytest.mark.parametrize(
    "host, sent, got",
    [
        ("shop.test:8443", "https://shop.test:8443/a", "http://shop.test:8443/a"),
        ("shop.test:443", "https://shop.test/a", "http://shop.test:443/a"),
        ("[2001:db8::1]:81", "https://[2001:db8::1]:81/a", "http://[2001:db8::1]:81/a"),
        ("[2001:db8::1]:81", "https://[2001:db8::2]:81/a", "https://[2001:db8::2]:81/a"),
    ],
)
def test_a_destination_is_of_the_site_by_host_and_port(seen, host, sent, got):
    backend, client = seen
    client.ask("MOVE", "/x", {"Host": host, "Destination": sent})
    assert backend.requests[-1].header("Destination") == got


@pytest.mark.parametrize(
    "sent, got",
    [
        ("<https://shop.test/a> (<opaquelocktoken:1>)", "<http://shop.test/a> (<opaquelocktoken:1>)"),
        (
            '<https://shop.test/a> (<https://shop.test/t> ["x)<https://shop.test/y>"]) <https://shop.test/b> (Not '
            "<u:2>)",
            '<http://shop.test/a> (<https://shop.test/t> ["x)<https://shop.test/y>"]) <http://shop.test/b> (Not <u:2>)',
        ),
        (
            "<https://other.test/a> (<u:1>) <https://shop.test/a> (<u:1>)",
            "<https://other.test/a> (<u:1>) <http://shop.test/a> (<u:1>)",
        ),
        ("(<https://shop.test/t>)", "(<https://shop.test/t>)"),
        ("<https://shop.test/a", "<https://shop.test/a"),
        ("(", "("),
        ('("', '("'),
        ("<>", "<>"),
        ("", ""),
    ],
)
def test_tags_of_if_on_their_way(seen, sent, got):
    backend, client = seen
    client.ask("PUT", "/x", {"Host": "shop.test", "If": sent}, b"")
    assert backend.requests[-1].header("If") == got


def test_a_second_server_gets_the_same(stage):
    """What was written for the one is not left for the other, nor for the log."""
    refuses, takes = stage.backend("127.0.9.2"), stage.backend("127.0.9.3")
    front, client = secure_front(
        stage, refuses, takes, config='LogFormat "%{Destination}i" own\nCustomLog ${root}/logs/own own\n'
    )
    refuses.close()
    front.log.allow("AH00957|AH01114")
    assert client.ask("COPY", "/x", {"Host": "shop.test", "Destination": "https://shop.test/a"})[0] == 200
    assert takes.requests[-1].header("Destination") == "http://shop.test/a"
    wait_for(lambda: (front.root / "logs/own").read_text().split() == ["https://shop.test/a"], 5, "the log")


def test_by_tls_to_the_server(stage):
    """The other way round: a client without TLS, and servers that are asked by it."""
    authority = Authority(stage.folder)
    dav = dav_server(stage, authority.sign("shop.test").server, more=["ssl"], without=("backhand",))
    dav.log.always(TLS_LINES + "|AH02008")
    front = front_of(
        stage,
        dav,
        modules=["ssl"],
        config=f"""
        BackhandScheme https
        SSLProxyEngine On
        SSLProxyCACertificateFile {authority.certificate}
    """,
    )
    front.log.always(TLS_LINES)
    assert front.get("/files/a", method="PUT", body=b"text", headers={"Host": "shop.test"}).status == 201
    assert (
        front.get(
            "/files/a", method="MOVE", headers={"Host": "shop.test", "Destination": "http://shop.test/files/b"}
        ).status
        == 201
    )


# ---- Redirects of a server whose ServerName has a port ----

HOST_OF_ITS_OWN = "<VirtualHost *>\nServerName shop.test\nDocumentRoot ${root}/htdocs\n</VirtualHost>\n"


@pytest.mark.parametrize(
    "config",
    [
        "ServerName shop.test:${port}\n",
        "ServerName inside.test:${port}\n",
        "ServerName inside.test:${port}\n" + HOST_OF_ITS_OWN,
    ],
)
@pytest.mark.parametrize(
    "host, told", [("shop.test", "http://shop.test/folder/"), ("shop.test:8080", "http://shop.test:8080/folder/")]
)
def test_the_site_keeps_its_port(stage, config, host, told):
    """httpd appends the main server's port to redirects where the client's Host has none; virtual hosts inherit it."""
    server = stage.httpd(
        config, name="server", address="127.0.9.2", without=("backhand",), files={"folder/index.html": "there"}
    )
    front = front_of(stage, server)
    assert front.get("/folder", headers={"Host": host}).header("Location") == told


def test_the_site_keeps_its_scheme_then_too(stage):
    server = stage.httpd(
        "ServerName shop.test:${port}\n",
        name="server",
        address="127.0.9.2",
        without=("backhand",),
        files={"folder/index.html": "there"},
    )
    _, client = secure_front(stage, server)
    assert client.ask("GET", "/folder", {"Host": "shop.test"})[1] == "https://shop.test/folder/"


@pytest.mark.parametrize("place", ["http://shop.test:%d/x", "http://shop.test:1/x", "https://shop.test/x"])
def test_other_ports_of_the_site_are_the_applications_business(stage, place):
    backend = stage.backend("127.0.9.2")
    place = place.replace("%d", str(backend.port + 1))
    backend.reply = lambda request: Reply(302, headers={"Location": place})
    assert front_of(stage, backend).get("/", headers={"Host": "shop.test"}).header("Location") == place
