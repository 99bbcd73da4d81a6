# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_deflate and mod_ssl on the front, mod_remoteip behind a CDN, error pages of either side."""

import gzip
import http.client
import socket
import ssl

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.certificates import Authority
from harness.front import CHAIN, front_of

TEXT = b"the same again and again, " * 100


# ---- mod_deflate ----


def packing(request):
    headers = {"Content-Type": "text/html", "Vary": "Accept-Encoding"}
    if request.target == "/packed":
        return Reply(body=gzip.compress(TEXT), headers={**headers, "Content-Encoding": "gzip"})
    return Reply(body=TEXT, headers=headers)


@pytest.fixture(scope="module")
def deflating(module_stage):
    backend = module_stage.backend("127.0.9.2", reply=packing)
    return front_of(
        module_stage, backend, modules=["deflate", "filter"], config="AddOutputFilterByType DEFLATE text/html\n"
    )


@pytest.mark.parametrize("path", ["/plain", "/packed"])
def test_an_answer_is_compressed_once(deflating, path):
    answer = deflating.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == TEXT


def test_who_cannot_unpack_gets_it_plain(deflating):
    answer = deflating.get("/plain")
    assert (answer.header("Content-Encoding"), answer.body) == (None, TEXT)


def test_requests_are_unpacked_where_the_front_is_told_to(stage):
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(body=request.body))
    front = front_of(
        stage,
        backend,
        modules=["deflate", "filter"],
        config="<Location /inflate>\nSetInputFilter DEFLATE\n</Location>\n",
    )
    for path, expected in (("/inflate", TEXT), ("/as-it-is", gzip.compress(TEXT, mtime=0))):
        answer = front.get(path, method="POST", body=gzip.compress(TEXT, mtime=0), headers={"Content-Encoding": "gzip"})
        assert answer.body == expected


# ---- mod_remoteip ----


@pytest.mark.parametrize(
    "chain, client",
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("not an address", "127.0.0.50"),
    ],
)
def test_the_client_of_a_cdn(stage, chain, client):
    """What the CDN tells of its client is what the servers hear."""
    backend = stage.backend("127.0.9.2")
    front = front_of(
        stage,
        backend,
        modules=["remoteip"],
        config="""
        RemoteIPHeader X-Forwarded-For
        RemoteIPTrustedProxy 127.0.0.50
        RemoteIPInternalProxy 127.0.0.51
    """,
    )
    front.log.allow("AH0")
    front.get("/", source="127.0.0.50", headers={"X-Forwarded-For": chain})
    assert [request.header("Backhand-Proxied") for request in backend.requests] == [client]
    # Somebody else's word counts for nothing.
    front.get("/", source="127.0.0.52", headers={"X-Forwarded-For": chain, "Backhand-Proxied": chain})
    assert backend.requests[-1].header("Backhand-Proxied") == "127.0.0.52"
    front.log.allow("BH0407")


def test_a_private_address_is_believed_of_an_internal_proxy_only(stage):
    backend = stage.backend("127.0.9.2")
    front = front_of(
        stage, backend, modules=["remoteip"], config="RemoteIPHeader X-Real-IP\nRemoteIPInternalProxy 127.0.0.51\n"
    )
    front.get("/", source="127.0.0.51", headers={"X-Real-IP": "10.1.2.3"})
    assert backend.requests[-1].header("Backhand-Proxied") == "10.1.2.3"
    assert front.logged("GET / ").startswith("10.1.2.3 ")


# ---- mod_ssl ----


def test_a_front_with_tls(stage):
    """The servers hear of it, and what they say of themselves is told as the site with TLS."""
    authority = Authority(stage.folder)
    backend = stage.backend(
        "127.0.9.2", reply=lambda request: Reply(302, headers={"Location": f"http://{backend.id}/next"})
    )
    front = stage.httpd(CHAIN + authority.sign("shop.test").server, name="front", modules=["ssl"])
    front.log.always("AH01873|AH01909")
    stage.plant(front, Announcement(backend.address, backend.port))
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with (
        socket.create_connection((front.address, front.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="shop.test") as secure,
    ):
        head = f"GET /a HTTP/1.1\r\nHost: shop.test:{front.port}\r\nX-Forwarded-Proto: http\r\nConnection: close"
        secure.sendall(f"{head}\r\n\r\n".encode())
        response = http.client.HTTPResponse(secure)
        response.begin()
        assert (response.status, response.getheader("Location")) == (302, f"https://shop.test:{front.port}/next")
    assert backend.requests[0].header("X-Forwarded-Proto") == "https"


# ---- Error pages ----


@pytest.fixture(scope="module")
def errors(module_stage):
    pages = {
        "/missing": Reply(404, b"the server's page"),
        "/broken": Reply(500, b"the server's page"),
        "/busy": Reply(503, b"the server's page"),
    }
    backend = module_stage.backend("127.0.9.3", reply=lambda request: pages.get(request.target, Reply(body=b"fine")))
    return front_of(
        module_stage,
        backend,
        name="errors",
        config="""
        ErrorDocument 403 /errors/closed.html
        ErrorDocument 404 /errors/closed.html
        ErrorDocument 500 /errors/closed.html
        ErrorDocument 503 /errors/unavailable.html
        <Location /closed>
            Require all denied
        </Location>
        <Location /nobody>
            BackhandNoCandidate Unavailable
            Backhand removeSelf
            BackhandFromSO ${build}/byHostname.so byHostname ^nobody$
        </Location>
    """,
        files={
            "errors/closed.html": "the front's page: closed",
            "errors/unavailable.html": "the front's page: unavailable",
        },
    )


@pytest.mark.parametrize("path, status", [("/missing", 404), ("/broken", 500), ("/busy", 503)])
def test_error_pages_of_the_server_pass(errors, path, status):
    answer = errors.get(path)
    assert (answer.status, answer.text) == (status, "the server's page")


def test_error_pages_of_the_front_are_its_own(errors):
    """They are served here, although a chain covers them too."""
    answer = errors.get("/closed")
    assert (answer.status, answer.text) == (403, "the front's page: closed")
    errors.log.expect("AH01630")
    answer = errors.get("/nobody")
    assert (answer.status, answer.text, answer.header("Retry-After")) == (503, "the front's page: unavailable", "1")


def test_the_fronts_page_when_no_server_takes_the_request(stage):
    gone = stage.backend("127.0.9.2")
    front = front_of(
        stage, gone, config="ErrorDocument 503 /unavailable.html\n", files={"unavailable.html": "try again"}
    )
    gone.close()
    front.log.expect("BH0404")
    front.log.allow("AH00957|AH01114")
    for method, body in (("GET", None), ("POST", b"x" * 100000)):
        answer = front.get("/page", method=method, body=body)
        assert (answer.status, answer.text, answer.header("Retry-After")) == (503, "try again", "1")
