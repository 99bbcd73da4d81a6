# Licensed under the Apache License, Version 2.0; see LICENSE.
"""OPTIONS with Max-Forwards (RFC 9110, 7.6.2): counted down on the way, answered here at 0."""

import pytest
from harness.front import front_of
from harness.stage import CLUSTER_OF_9


@pytest.fixture(scope="module")
def pair(module_stage):
    backend = module_stage.backend("127.0.9.2")
    return front_of(module_stage, backend), backend


def ask(pair, method, most):
    front, backend = pair
    before = len(backend.requests)
    answer = front.get("/page", method=method, headers=[("Max-Forwards", most)])
    return answer, [request.header("Max-Forwards") for request in backend.requests[before:]]


@pytest.mark.parametrize("most", ["0", "00"])
def test_options_that_may_go_no_further_is_answered_here(pair, most):
    answer, forwarded = ask(pair, "OPTIONS", most)
    assert (answer.status, forwarded) == (200, []) and "GET" in answer.header("Allow")


@pytest.mark.parametrize(
    "sent, received",
    [
        ("1", "0"),
        ("10", "9"),
        ("9223372036854775806", "9223372036854775805"),
        ("99999999999999999999", "99999999999999999999"),
        ("-1", "-1"),
        ("1x", "1x"),
        ("", ""),
    ],
)
def test_options_is_counted_down(pair, sent, received):
    answer, forwarded = ask(pair, "OPTIONS", sent)
    assert (answer.status, forwarded) == (200, [received])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods_are_not_concerned(pair, method):
    _, forwarded = ask(pair, method, "0")
    assert forwarded == ["0"]


def test_each_attempt_counts_from_what_the_client_sent(stage):
    backend, gone = stage.backend("127.0.9.2"), stage.backend("127.0.9.3")
    gone.close()
    front = front_of(stage, gone, backend)
    front.log.allow("AH00957|AH01114")
    assert front.get("/page", method="OPTIONS", headers=[("Max-Forwards", "5")]).text == backend.id
    assert backend.requests[-1].header("Max-Forwards") == "4"


def test_nothing_runs_here_where_nothing_is_served_here(stage):
    front = stage.httpd(
        CLUSTER_OF_9 + "<Location /cgi-bin>\nBackhand removeSelf\nBackhandSelfRedirect On\n</Location>\n",
        cgi=True,
        files={"cgi-bin/script": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran here'\n"},
    )
    answer = front.get("/cgi-bin/script", method="OPTIONS", headers=[("Max-Forwards", "0")])
    assert (answer.status, answer.text) == (200, "") and "GET" in answer.header("Allow")
