# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandConnectionPools, and mod_proxy's own settings in a section with a chain: they apply as they do for
ProxyPass."""

import pytest
from harness.backend import Reply
from harness.front import front_of, idle

SERVER_ERROR = (
    '<Location /error>\nProxyErrorOverride On\n</Location>\nErrorDocument 500 "page of the front"\nErrorDocument 404 '
    '"nothing here"\n'
)


def test_pools_on_and_off(stage, mpm):
    """Off: each request makes a connection of its own, which is closed behind it. A section may have it on."""
    backend = stage.backend("127.0.9.2")
    front = front_of(
        stage,
        backend,
        mpm=mpm,
        children=1,
        config="""
        BackhandConnectionPools Off
        <Location /pooled>
            BackhandConnectionPools On
        </Location>
    """,
    )
    with front.client() as client:
        assert [client.request("/", method="POST", body=b"x").status for _ in range(10)] == [200] * 10
        assert backend.connections == 10
        assert {request.header("Connection") for request in backend.requests} == {"close"}
        idle(front, backend)
        assert [client.request("/pooled").status for _ in range(10)] == [200] * 10
        assert backend.connections == 11


def test_bad_pools(stage):
    code, text = stage.httpd("BackhandConnectionPools Maybe\n", start=False).test_config()
    assert code == 1 and "BackhandConnectionPools: 'Maybe' is none of Auto, On, Off and Shared" in text


def reply(request):
    if request.target.startswith("/error") or request.target.startswith("/plain"):
        return Reply(
            int(request.target.rpartition("/")[2]),
            b"page of the server",
            {"X-Own": "1", "WWW-Authenticate": "Basic realm=x"},
        )
    return Reply(body=b"fine")


@pytest.fixture(scope="module")
def overriding(module_stage):
    backend = module_stage.backend("127.0.9.2", reply=reply)
    return front_of(module_stage, backend, config=SERVER_ERROR)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path, status, text",
    [
        ("/plain/500", 500, "page of the server"),
        ("/plain/404", 404, "page of the server"),
        ("/error/500", 500, "page of the front"),
        ("/error/404", 404, "nothing here"),
    ],
)
def test_proxy_error_override(overriding, path, status, text, method):
    answer = overriding.get(path, method=method, body=b"x" if method == "POST" else None)
    assert (answer.status, answer.text) == (status, text)


def test_proxy_add_headers(stage):
    backend = stage.backend("127.0.9.2")
    front = front_of(stage, backend, config="<Location /without>\nProxyAddHeaders Off\n</Location>\n")
    front.get("/with")
    front.get("/without")
    assert [request.header("X-Forwarded-For") for request in backend.requests] == ["127.0.0.1", None]
    # Ours is not one of them: without it the server would balance the request again.
    assert [request.header("Backhand-Proxied") for request in backend.requests] == ["127.0.0.1"] * 2


def test_proxy_timeout(stage):
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=2 if request.target == "/slow" else 0))
    front = front_of(stage, backend, config="ProxyTimeout 1\n")
    front.log.expect("AH01102")
    front.log.allow("AH00898|BH0408")
    assert front.get("/slow", method="POST", body=b"x").status in (502, 504)
    assert front.get("/fast").status == 200


def test_request_headers_of_the_section(stage):
    """RequestHeader and Header of the front change what passes, as they do for any answer of it."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(headers={"X-Secret": "1", "Server": "inner"}))
    front = front_of(
        stage,
        backend,
        config="""
        RequestHeader set X-Site shop
        RequestHeader unset User-Agent
        Header unset X-Secret
        Header set X-Front yes
        ProxyVia On
    """,
    )
    answer = front.get("/", headers={"User-Agent": "test"})
    (request,) = backend.requests
    assert (request.header("X-Site"), request.header("User-Agent")) == ("shop", None)
    assert (answer.header("X-Secret"), answer.header("X-Front")) == (None, "yes")
    assert "front" in answer.header("Via") and "front" in request.header("Via")
