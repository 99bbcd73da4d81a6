# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandScheme https: servers are asked over TLS, and only those that can be trusted."""

import hashlib
import socket

import pytest
from harness.certificates import Authority
from harness.conversation import Server
from harness.front import CHAIN, announcement_of, front_of, idle, row
from harness.wait import wait_for
from harness.websocket import WebSocket, echo

SITE = "shop.test"
SECURE = """
BackhandScheme https
SSLProxyEngine On
SSLProxyVerify require
SSLProxyCACertificateFile {ca}
"""
UNTRUSTED = "BH0416: the TLS handshake with https://"


class Members:
    """A CA, and servers with certificates of it and of others."""

    def __init__(self, stage):
        self.stage = stage
        self.authority = Authority(stage.folder)
        self.good = self.server("127.0.9.2", self.authority.sign(SITE, "127.0.9.2"))

    def server(self, address, certificate, config="", **how):
        modules = ["ssl", *how.pop("modules", ())]
        server = self.stage.httpd(
            certificate.server + config,
            address=address,
            without=("backhand",),
            modules=modules,
            name=how.pop("name", "server-" + address.replace(".", "-")),
            files={"page": "page", "cgi-bin/echo": ECHO},
            cgi=True,
            **how,
        )
        server.log.always(
            "AH01873|AH01909|AH02008"
        )  # no session cache; a name that is not ServerName's; a client that does not trust it
        return server

    def front(self, *servers, config="", **how):
        made = front_of(
            self.stage, *servers, config=SECURE.format(ca=self.authority.certificate) + config, modules=["ssl"], **how
        )
        made.log.always("AH01873")
        return made


ECHO = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "https=$HTTPS sni=$SSL_TLS_SNI host=$HTTP_HOST"
sha256sum
"""


def digest(body):
    return hashlib.sha256(body).hexdigest() + "  -"


@pytest.fixture(scope="module")
def members(module_stage):
    return Members(module_stage)


@pytest.fixture(scope="module")
def front(members):
    return members.front(members.good)


def get(front, path="/page", host=SITE, **how):
    return front.get(path, headers={"Host": host}, **how)


def test_requests_go_over_tls(members, front):
    answer = get(front, "/cgi-bin/echo", method="POST", body=b"body")
    assert answer.text.splitlines() == [f"https=on sni={SITE} host={SITE}", digest(b"body")]
    assert answer.trace.server == members.good.id
    # Only a server that speaks TLS answers a request with it.
    assert members.good.get("/page").status == 400


def test_each_mpm(members, mpm):
    front = members.front(members.good, mpm=mpm)
    assert [get(front).text for _ in range(5)] == ["page"] * 5
    wait_for(lambda: row(front, members.good)["served"] == 5, 5, "five that were served")


def test_connections_are_kept(members, front):
    get(front)
    with front.client() as connection:
        for _ in range(10):
            assert connection.request("/page", headers={"Host": SITE}).text == "page"


def test_a_server_of_another_ca_is_no_candidate(members):
    """The next one gets the request, with its body; the log tells why; the client notices nothing."""
    stranger = members.server("127.0.9.3", Authority(members.stage.folder, "another-ca").sign(SITE))
    front = members.front(stranger, members.good)
    front.log.expect(UNTRUSTED)
    assert get(front).text == "page"
    body = bytes(range(256)) * 2000
    answer = get(front, "/cgi-bin/echo", method="POST", body=body)
    assert answer.text.splitlines()[1] == digest(body)
    assert answer.trace.server == members.good.id
    assert row(front, stranger)["served"] == 0 and row(front, stranger)["failed"] >= 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_nobody_is_trusted(members, method):
    """503, and the server stays in the table without back-off: that is for servers that are not there."""
    stranger = members.server(
        "127.0.9.4", Authority(members.stage.folder, f"other-{method}").sign(SITE), name="stranger-" + method
    )
    front = members.front(stranger)
    front.log.expect(UNTRUSTED)
    front.log.expect("BH0404: every candidate refused the connection")
    answer = get(front, method=method, body=b"x" if method == "POST" else None)
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    assert (row(front, stranger)["failed"], row(front, stranger)["backoff_ms"]) == (1, 0)


def test_the_name_is_that_of_the_site(members, front):
    """What is compared with the certificate is the Host that the client sent: servers of one site have certificates of
    the site."""
    front.log.expect("BH0404")
    front.log.expect(UNTRUSTED)
    assert get(front, host="elsewhere.test").status == 503
    assert [line for line in front.log.lines("AH02411") if "elsewhere.test" in line.text]
    assert get(front).text == "page"


def test_the_name_does_not_count_if_one_says_so(members):
    front = members.front(members.good, config="SSLProxyCheckPeerName Off\n")
    assert get(front, host="elsewhere.test").text == "page"


def test_an_expired_certificate(members):
    expired = members.server("127.0.9.5", members.authority.sign(SITE, "127.0.9.5", days=-1))
    front = members.front(expired, members.good)
    front.log.expect(UNTRUSTED)
    assert get(front).trace.server == members.good.id


def test_a_server_without_tls(members):
    """The announced port must speak what is asked."""
    plain = members.stage.httpd(address="127.0.9.6", without=("backhand",), name="plain")
    front = members.front(plain, members.good)
    front.log.expect(UNTRUSTED)
    assert get(front).trace.server == members.good.id


def test_a_server_that_is_silent(members):
    """It has taken the connection and says nothing: it is left out for a while, as over plain TCP."""
    silent = Server(lambda *_: True, "127.0.9.7")
    silent.close()
    with socket.create_server((silent.address, silent.port)):
        front = members.front(silent, members.good, config="ProxyTimeout 4\n")
        assert get(front).trace.server == members.good.id
        assert row(front, silent)["backoff_ms"] > 0


def test_sections_may_differ(members):
    """One front, two schemes: workers are of a server and a scheme."""
    both = members.server("127.0.9.8", members.authority.sign(SITE))
    front = members.front(both, config="<Location /plain>\nBackhandScheme http\n</Location>\n")
    assert get(front).text == "page"
    answer = get(front, "/plain")
    assert (answer.status, answer.trace.server) == (
        400,
        both.id,
    )  # "You're speaking plain HTTP to an SSL-enabled server port"


def test_websocket_over_tls(members):
    """As wss:// to the server."""
    application = Server(echo, "127.0.0.8")
    secure = members.server(
        "127.0.9.9", members.authority.sign(SITE), f"ProxyPass / http://{application.id}/ upgrade=websocket\n"
    )
    front = members.front(secure, config="SSLProxyCheckPeerName Off\n")
    client = WebSocket(front)
    assert client.say("secret") == "secret"
    assert client.close()
    idle(front, secure)
    application.close()


def test_without_ssl_proxy_engine(members):
    """mod_ssl is loaded, but was not told to speak to servers."""
    front = members.stage.httpd(
        CHAIN + "BackhandScheme https\n", modules=["ssl"], name="no-engine", group=members.stage.new_group()
    )
    front.log.allow("AH01873")
    members.stage.plant(front, announcement_of(members.good))
    front.log.expect("AH00961")
    front.log.expect("BH0408|AH01961")
    assert get(front).status == 503


def test_lines_of_a_virtual_host(members):
    """mod_ssl's lines may differ from site to site, as for ProxyPass."""
    front = members.stage.httpd(
        CHAIN + "BackhandScheme https\n<VirtualHost *>\nServerName other.test\n</VirtualHost>\n<VirtualHost *>\n"
        f"ServerName {SITE}\nSSLProxyEngine On\nSSLProxyVerify require\n"
        f"SSLProxyCACertificateFile {members.authority.certificate}\n</VirtualHost>\n",
        modules=["ssl"],
        name="hosts",
        group=members.stage.new_group(),
    )
    front.log.always("AH01873")
    members.stage.plant(front, announcement_of(members.good))
    assert get(front).text == "page"
    front.log.expect("AH00961")
    front.log.expect("BH0408|AH01961")
    assert get(front, host="other.test").status == 503


def test_certificate_of_the_front(members):
    """Servers may ask the front for one."""
    mutual = members.server(
        "127.0.9.10",
        members.authority.sign(SITE),
        f"SSLCACertificateFile {members.authority.certificate}\nSSLVerifyClient require\n",
    )
    mutual.log.allow("AH02261|AH02008|AH10158")
    own = members.authority.sign("front.test")
    whole = members.stage.folder / "front.pem"
    with open(whole, "w", encoding="ascii") as file:
        for part in own:
            file.write(open(part, encoding="ascii").read())
    front = members.front(mutual, config=f"SSLProxyMachineCertificateFile {whole}\n")
    assert get(front).text == "page"


# ---- Configurations that are refused ----


@pytest.mark.parametrize(
    "line, missing, modules",
    [
        ("BackhandScheme https", "mod_ssl", []),
        ("BackhandScheme h2c", "mod_proxy_http2", []),
        ("BackhandScheme h2", "mod_proxy_http2 and mod_ssl", []),
        ("BackhandScheme H2", "mod_ssl", ["proxy_http2"]),
    ],
)
def test_missing_modules(stage, line, missing, modules):
    server = stage.httpd(CHAIN + line + "\n", start=False, modules=modules)
    code, text = server.test_config()
    scheme = line.split()[1].lower()
    assert code == 1
    assert [
        line
        for line in text.splitlines()
        if "BH0" in line and f"BackhandScheme {scheme} at " in line and f" needs {missing}:" in line
    ]


def test_bad_scheme(stage):
    code, text = stage.httpd("BackhandScheme ftp\n", start=False).test_config()
    assert code == 1 and "BackhandScheme: 'ftp' is none of http, https, h2c and h2" in text
