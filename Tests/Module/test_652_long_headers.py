# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Long lines in an answer's header pass up to BackhandResponseFieldSize; a longer one is an answer that cannot be read,
not a failed server."""

import time

import pytest
from harness.certificates import Authority
from harness.conversation import Server, count_body
from harness.front import front_of, row
from harness.stage import CLUSTER_OF_9

# What mod_proxy says of its own accord.
LINES = "AH10124|AH01106|AH10404|AH00898|AH01102|AH01110"
CHAIN = CLUSTER_OF_9 + "BackhandTrace On\nBackhand removeSelf\nBackhand byLoad\n"
UNREADABLE = "BH0465: mod_proxy cannot read the header of an answer"
KB = 1024


class Servers:
    """A front, and two servers that answer alike, with the bytes that the test gives them."""

    def __init__(self, stage, answer, config="", chain=CHAIN, **how):
        self.answer, self.asked = answer, []
        self.both = [Server(self._talk(number), f"127.0.9.{number}") for number in (2, 3)]
        self.front = front_of(stage, *self.both, chain=chain, config=config, **how)
        self.front.log.allow(LINES)

    def _talk(self, number):
        def talk(connection, stream, head):
            self.asked.append(number)
            count_body(stream, head)
            answer = self.answer(number) if callable(self.answer) else self.answer
            connection.sendall(answer)
            if not answer.endswith(b"\r\n\r\nbody"):
                time.sleep(1.5 if answer.endswith(b"silent") else 0)
                return False
            return True

        return talk

    def evidence(self):
        """Failures and back-off of the first server."""
        found = row(self.front, self.both[0])
        return found["failed"], found["refused"], found["backoff_ms"]

    def close(self):
        for server in self.both:
            server.close()


def answer_with(line, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: 4\r\n".encode() + line + b"\r\n\r\nbody"


def field(size):
    """A line of so many bytes."""
    return b"X-Long: " + b"x" * (size - 8)


@pytest.fixture
def servers(stage):
    made = []

    def make(*arguments, **how):
        made.append(Servers(stage, *arguments, **how))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("size", [8 * KB, 9 * KB, 60 * KB, 64 * KB - 2])
def test_a_long_line_passes(servers, mpm, size):
    """SAML answers, security policies and session cookies have lines of this length."""
    pair = servers(answer_with(field(size)), mpm=mpm)
    with pair.front.client() as client:
        for _ in range(2):
            answer = client.request("/")
            assert (answer.status, answer.text, len(answer.header("X-Long"))) == (200, "body", size - 8)
    assert pair.asked == [2, 2]
    assert pair.evidence() == (0, 0, 0)


def test_long_lines_among_others(servers):
    """Each is whole, in its place, and what begins a line is changed as that of a short one is."""
    lines = b"\r\n".join(
        [
            b"Set-Cookie: a=1",
            b"Set-Cookie: b=" + b"b" * 9000 + b"; Domain=127.0.9.2",
            b"X-A: b",
            b"Location: http://application.test/" + b"x" * 20_000 + b"?end  ",
            b"Set-Cookie: c=" + b"c" * 9001,
        ]
    )
    pair = servers(answer_with(lines, "302 Found"), "ProxyPassReverse /there/ http://application.test/\n")
    answer = pair.front.get("/", headers={"Host": "shop.test"})
    cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert cookies == ["a=1", "b=" + "b" * 9000 + "; Domain=shop.test", "c=" + "c" * 9001]
    assert answer.header("Location") == "http://shop.test/there/" + "x" * 20_000 + "?end"


def test_a_long_challenge_of_an_error_that_is_replaced(servers):
    """A ticket of Kerberos; mod_proxy gives back the status, and httpd makes the page."""
    pair = servers(answer_with(b"WWW-Authenticate: Negotiate " + b"x" * 20_000, "401 No"), "ProxyErrorOverride On\n")
    assert pair.front.get("/").header("WWW-Authenticate") == "Negotiate " + "x" * 20_000


def test_from_a_server_with_tls(stage):
    authority = Authority(stage.folder)
    program = "#!/usr/bin/python3\nprint('Content-Type: text/plain\\nX-Other: b\\n\\nbody')\n"
    lines = "".join(f'Header always append X-Long "{letter * 7000}"\n' for letter in "abcdefgh")
    server = stage.httpd(
        authority.sign("shop.test").server + lines,
        name="server",
        address="127.0.9.2",
        without=("backhand",),
        modules=["ssl"],
        cgi=True,
        files={"cgi-bin/long": program},
    )
    server.log.always("AH01873|AH01909|AH02008")
    front = front_of(
        stage,
        server,
        modules=["ssl"],
        chain=CHAIN,
        config=f"""
        BackhandScheme https
        SSLProxyEngine On
        SSLProxyCACertificateFile {authority.certificate}
    """,
    )
    front.log.always("AH01873")
    answer = front.get("/cgi-bin/long", headers={"Host": "shop.test"})
    assert (answer.text.strip(), answer.header("X-Long")) == ("body", ", ".join(letter * 7000 for letter in "abcdefgh"))


@pytest.mark.parametrize("method, body", [("GET", None), ("HEAD", None), ("POST", b"x")])
@pytest.mark.parametrize(
    "line", [field(64 * KB + 1), field(300 * KB), b"no header at all"], ids=["just", "far", "none"]
)
def test_what_cannot_be_read_is_asked_once(servers, mpm, method, body, line):
    """The other server would do the work again, for the same answer; and nothing is wrong with the one that did it."""
    pair = servers(answer_with(line), mpm=mpm)
    pair.front.log.allow(UNREADABLE)
    for _ in range(4):
        assert pair.front.get("/", method=method, body=body).status == 502
    assert pair.asked == [2] * 4
    assert pair.evidence() == (0, 0, 0)


def test_the_log_says_what_helps(servers):
    pair = servers(answer_with(field(65 * KB)))
    pair.front.log.expect(r"BH0465: .* BackhandResponseFieldSize \(65536 bytes\)")
    assert pair.front.get("/").status == 502


def test_a_status_line_that_is_too_long(servers):
    pair = servers(answer_with(b"X-A: b", "200 " + "x" * 70 * KB))
    pair.front.log.allow(UNREADABLE)
    assert pair.front.get("/").status == 502
    assert (pair.asked, pair.evidence()) == ([2], (0, 0, 0))


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
        b"HTTP/1.1 200 OK\r\n" + field(70 * KB),
        b"HTTP/1.1 200 OK\r\nX-A: silent",
    ],
    ids=["in a line", "between lines", "in a long line", "silent"],
)
def test_a_connection_that_ends_in_the_header_is_a_failure(servers, mpm, broken):
    """The next server has the request, where it is repeatable."""
    silence = "ProxyTimeout 1\n" if broken.endswith(b"silent") else ""
    pair = servers(lambda number: broken if number == 2 else answer_with(b"X-A: b"), silence, mpm=mpm)
    assert pair.front.get("/").text == "body"
    assert pair.asked == [2, 3]
    assert pair.evidence()[0] == 1


def test_on_a_kept_connection_too(servers):
    """What was seen of an earlier answer of the connection says nothing of this one."""
    answers = [answer_with(b"X-A: b"), b"HTTP/1.1 200 OK\r\nX-A"]
    pair = servers(lambda number: answers.pop(0) if answers else answer_with(b"X-A: b"), children=1)
    with pair.front.client() as client:
        assert [client.request("/").text for _ in range(2)] == ["body"] * 2
    assert pair.asked == [2, 2, 3]


@pytest.mark.parametrize("size, longest", [(8192, 8192), (20_000, 20_000)])
def test_the_limit_is_the_directives(servers, size, longest):
    lines = {}
    pair = servers(lambda number: answer_with(field(lines["size"])), f"BackhandResponseFieldSize {size}\n")
    pair.front.log.allow(UNREADABLE)
    found = []
    for lines["size"] in (longest, size + 1):
        found.append(pair.front.get("/").status)
    assert found == [200, 502]


@pytest.mark.parametrize(
    "line",
    [
        "BackhandResponseFieldSize 8191",
        "BackhandResponseFieldSize 1048577",
        "BackhandResponseFieldSize 64k",
        "BackhandResponseFieldSize -1",
    ],
)
def test_bad_sizes(stage, line):
    code, text = stage.httpd(line + "\n", start=False).test_config()
    name, value = line.split()
    assert code == 1 and f"{name}: '{value}' is not a number of bytes from 8192 to 1048576" in text


def test_only_for_the_whole_server(stage):
    code, text = stage.httpd(
        "<VirtualHost *>\nBackhandResponseFieldSize 9000\n</VirtualHost>\n", start=False
    ).test_config()
    assert code == 1 and "BackhandResponseFieldSize" in text


@pytest.mark.parametrize("lines, status", [(4, 200), (10, 503)])
def test_http2_to_servers(stage, lines, status):
    """There the limit is nghttp2's, 64 kB for all lines together, and what is beyond breaks the stream off: a failure
    as any other."""
    server = stage.httpd(
        "Protocols h2c http/1.1\n",
        name="server",
        address="127.0.9.2",
        without=("backhand",),
        modules=["http2"],
        cgi=True,
        files={"cgi-bin/long": f"#!/usr/bin/python3\nprint(('X-Long: ' + 'x' * 7000 + '\\n') * {lines} + '\\nbody')\n"},
    )
    front = front_of(stage, server, chain=CHAIN + "BackhandScheme h2c\n", modules=["proxy_http2"])
    front.log.allow("AH|BH0408")
    server.log.allow("AH")
    assert front.get("/cgi-bin/long").status == status
