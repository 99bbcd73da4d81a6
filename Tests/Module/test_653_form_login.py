# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_auth_form on every node: a login that is posted to the page itself reaches the server, although the front has
read it."""

import base64
import hashlib

from Module.test_721_two_httpds import Cluster

MODULES = ["authn_core", "authn_file", "authz_user", "auth_form", "request", "session", "session_cookie", "actions"]
FORM = b"httpd_username=me&httpd_password=secret&more=" + b"x" * 3000
CONFIG = """
<LocationMatch ^/(private|cgi-bin/echo)>
    AuthFormProvider file
    AuthUserFile ${root}/htdocs/users
    AuthType form
    AuthName private
    Session On
    SessionCookieName session path=/
    Require valid-user
    %s
</LocationMatch>
"""


ECHO = (
    "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s %s %s ' $REQUEST_METHOD $CONTENT_TYPE $CONTENT_LENGTH\ncat\n"
)


def users():
    return "me:{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()).decode() + "\n"


def cluster(stage, lines, mpm="event"):
    return Cluster(
        stage,
        CONFIG % lines,
        mpm=mpm,
        modules=MODULES,
        files={"private/page.html": "the page", "users": users(), "cgi-bin/echo": ECHO},
    )


def log_in(httpd, form=FORM, path="/private/page.html", **how):
    return httpd.get(
        path,
        method="POST",
        body=form,
        headers={"Host": "shop.test", "Content-Type": "application/x-www-form-urlencoded"},
        **how,
    )


def session(answer):
    return [
        value.partition(";")[0]
        for name, value in answer.headers
        if name.lower() == "set-cookie" and value.startswith("session=")
    ]


def test_a_login_that_is_posted_to_the_page(stage, mpm):
    pair = cluster(stage, "KeptBodySize 8192", mpm)
    alone, front = log_in(pair.alone), log_in(pair.front)
    assert (front.status, front.text) == (alone.status, alone.text) == (200, "the page")
    # The session holds on both.
    again = pair.front.get("/private/page.html", headers={"Host": "shop.test", "Cookie": session(front)[0]})
    assert (again.status, again.text) == (200, "the page")
    assert len(session(front)) == len(session(alone))
    assert pair.server.logged("POST /private/page.html")


def test_a_form_that_brings_another_body(stage):
    """The one that was asked for before the login; mod_auth_form puts it in the form's place, which the server does
    itself."""
    pair = cluster(stage, "KeptBodySize 8192")
    form = FORM + b"&httpd_method=POST&httpd_mimetype=text/plain&httpd_body=hello"
    alone, front = (log_in(httpd, form, "/cgi-bin/echo") for httpd in (pair.alone, pair.front))
    assert (front.status, front.text) == (alone.status, alone.text) == (200, "POST text/plain 5 hello")


def test_in_chunks(stage):
    pair = cluster(stage, "KeptBodySize 8192")
    answer = pair.front.get(
        "/private/page.html",
        method="POST",
        chunks=[FORM[:100], FORM[100:]],
        headers={"Host": "shop.test", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status, answer.text) == (200, "the page")


def test_a_wrong_password(stage):
    pair = cluster(stage, "KeptBodySize 8192")
    for httpd in (pair.front, pair.alone):
        httpd.log.allow("AH0|password mismatch")
    assert (
        log_in(pair.front, FORM.replace(b"secret", b"wrong")).status
        == log_in(pair.alone, FORM.replace(b"secret", b"wrong")).status
        == 401
    )


def test_without_a_kept_body_the_log_says_what_helps(stage):
    pair = cluster(stage, "")
    pair.front.log.expect("BH0466: the body of a request was read here and not kept")
    pair.server.log.allow("AH0")
    assert log_in(pair.front).status == 401


def test_other_posts_are_what_they_were(stage):
    """Who has a session sends what it likes, read by nobody on the way."""
    pair = cluster(stage, "KeptBodySize 8192")
    cookie = session(log_in(pair.front))[0]
    answer = pair.front.get(
        "/private/page.html", method="POST", body=b"x" * 5000, headers={"Host": "shop.test", "Cookie": cookie}
    )
    assert (answer.status, answer.text) == (200, "the page")
