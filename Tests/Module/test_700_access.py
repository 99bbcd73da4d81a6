# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who may have a page is decided on the front and on the server, and both see the same client."""

import base64
import hashlib

import pytest
from harness.announce import MAINTENANCE, Announcement
from harness.front import front_of
from harness.stage import CLUSTER_OF_9

CLIENT, OTHER = "127.0.0.77", "127.0.0.78"

WHO = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "address=$REMOTE_ADDR user=$REMOTE_USER"
"""

# The kernel gives connections on the loopback interface the address 127.0.0.1: the front is a peer.
SERVER = (
    CLUSTER_OF_9
    + """
AcceptStats 127.0.0.1
Backhand removeSelf
<Location /only-77>
    Require ip 127.0.0.77
</Location>
"""
)

PASSWORD = "sesam"
PROTECTED = """
<Location /private>
    AuthType Basic
    AuthName inside
    AuthUserFile {users}
    Require valid-user
</Location>
<Location /cgi-bin/private>
    AuthType Basic
    AuthName inside
    AuthUserFile {users}
    Require valid-user
</Location>
"""
AUTH = ("auth_basic", "authn_core", "authn_file", "authz_user")


class Pair:
    """A front and a server of one cluster."""

    def __init__(self, stage):
        users = stage.folder / "users"
        users.write_text("anna:{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode() + "\n")
        users.chmod(0o644)
        files = {"only-77": "for 77", "private": "for anna", "cgi-bin/who": WHO, "cgi-bin/private": WHO, "open": "open"}
        self.server = stage.httpd(
            SERVER + PROTECTED.format(users=users),
            name="server",
            address="127.0.9.2",
            modules=AUTH,
            cgi=True,
            files=files,
        )
        self.front = front_of(
            stage,
            self.server,
            modules=AUTH,
            config="""
            <Location /not-for-78>
                <RequireAll>
                    Require all granted
                    Require not ip 127.0.0.78
                </RequireAll>
            </Location>
        """
            + PROTECTED.format(users=users),
        )
        # They are in groups of their own: the server has to hear of the front.
        stage.plant(self.server, Announcement(self.front.address, self.front.port, state=MAINTENANCE))


@pytest.fixture(scope="module")
def pair(module_stage):
    return Pair(module_stage)


def authorization(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_the_server_sees_the_client(pair):
    assert pair.front.get("/cgi-bin/who", source=CLIENT).text == f"address={CLIENT} user=\n"
    assert pair.server.logged("/cgi-bin/who").startswith(CLIENT + " ")


def test_require_ip_on_the_server(pair):
    answer = pair.front.get("/only-77", source=CLIENT)
    assert (answer.status, answer.text, answer.trace.server) == (200, "for 77", pair.server.id)
    assert pair.front.get("/only-77", source=OTHER).status == 403
    pair.server.log.expect(r"client 127\.0\.0\.78.*AH01630")


def test_require_ip_on_the_front(pair):
    """Whom the front refuses, the server never hears of."""
    assert pair.front.get("/not-for-78", source=CLIENT).status == 404  # that is the server's word
    pair.server.logged("/not-for-78")  # after its answer
    before = len(pair.server.access_log())
    assert pair.front.get("/not-for-78", source=OTHER).status == 403
    pair.front.log.expect("AH01630")
    assert len(pair.server.access_log()) == before


def test_a_password_is_checked_on_both(pair):
    """The front asks for it, checks it and passes it; the server checks it again, and knows the user."""
    refused = pair.front.get("/private")
    assert (refused.status, refused.header("WWW-Authenticate")) == (401, 'Basic realm="inside"')
    assert not [line for line in pair.server.access_log() if "/private " in line]
    assert pair.front.get("/private", headers=authorization("anna", "wrong")).status == 401
    pair.front.log.expect("AH01617")
    assert pair.front.get("/private", headers=authorization("anna", PASSWORD)).text == "for anna"
    assert (
        pair.front.get("/cgi-bin/private", headers=authorization("anna", PASSWORD), source=CLIENT).text
        == f"address={CLIENT} user=anna\n"
    )


def test_a_password_that_only_the_server_asks_for(stage, pair):
    front = front_of(stage, pair.server)
    refused = front.get("/private")
    assert (refused.status, refused.header("WWW-Authenticate")) == (401, 'Basic realm="inside"')
    assert front.get("/private", headers=authorization("anna", PASSWORD)).text == "for anna"
