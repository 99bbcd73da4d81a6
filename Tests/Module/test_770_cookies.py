# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sessions: the cookies that bySession sets, and those by which an application steers the requests to a farm."""

import collections
import hashlib
import hmac
import os
import re
import subprocess
import time

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.crowd import asking
from harness.httpd import BUILD, REPOSITORY
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

ADDRESSES = ("127.0.9.80", "127.0.9.81", "127.0.9.82")
LINE = 'Backhand bySession "cookie=ROUTE"\nBackhand default\n'
MINE = re.compile(r"ROUTE=([0-9a-f]{16})((?:; \S+)+)")
USUAL = "; Path=/; HttpOnly; SameSite=Lax"


def farm(members, lines=LINE, more=""):
    listed = "".join(f"AthMember {each.id}\n" for each in members)
    return f"AthEngine On\n<AthFarm farm_one>\n{listed}{lines}</AthFarm>\n{more}ProxyPass / http://farm_one/\n"


def balancer(members, lines=LINE):
    listed = "".join(f"BalancerMember http://{each.id}\n" for each in members)
    return f"<Proxy balancer://b>\n{listed}ProxySet lbmethod=backhand\n{lines}</Proxy>\nProxyPass / balancer://b/\n"


def chain(members, lines=LINE):
    return f"{CLUSTER_OF_9}<Location />\nBackhand removeSelf\n{lines}</Location>\n"


DOORS = {
    "chain": (chain, ()),
    "farm": (farm, ("athena",)),
    "balancer": (balancer, ("proxy_balancer", "lbmethod_backhand", "slotmem_shm")),
}


def front_of(stage, door, members, lines=LINE, more="", **how):
    make, modules = DOORS[door]
    front = stage.httpd(make(members, lines) + more, modules=modules, **how)
    front.log.allow("AH00957|AH01114|AH00959|AH01102|AH00898|AH01110|AH10154|BH0166|AH01167|BH0404|BH0491")
    if door == "chain":
        stage.plant(front, *(Announcement(each.address, each.port) for each in members))
    return front


@pytest.fixture
def backends(stage):
    return [stage.backend(address) for address in ADDRESSES]


class Visit:
    """A request, and what it says of the client's session."""

    def __init__(self, front, cookie=None, path="/", **how):
        self.answer = front.get(path, headers={"Cookie": cookie} if cookie else {}, **how)
        self.set = [value for name, value in self.answer.headers if name.lower() == "set-cookie"]
        self.server = self.answer.text

    @property
    def cookie(self):
        """The name and value that a browser sends from now on."""
        (line,) = self.set
        assert MINE.fullmatch(line), line
        return line.partition(";")[0]


def ctl(server, *arguments):
    subprocess.run([str(BUILD / "backhandctl"), *arguments, "-s", str(server.control_socket)], check=True, timeout=30)


@pytest.mark.parametrize("door", DOORS)
def test_a_client_stays(stage, mpm, door, backends):
    """The first answer has the cookie; with it, no answer has one, and all are of one server."""
    front = front_of(stage, door, backends, mpm=mpm)
    clients = {}
    for _ in range(60):
        first = Visit(front)
        assert first.set[0].endswith(USUAL) and first.answer.header("Cache-Control") == 'no-cache="Set-Cookie"'
        clients[first.server] = first.cookie
    assert set(clients) == {each.id for each in backends} and len(set(clients.values())) == 3
    for server, cookie in clients.items():
        for text in (cookie, f"a=b; {cookie}"):
            for _ in range(5):
                next_one = Visit(front, text)
                assert (next_one.server, next_one.set) == (server, [])
                assert next_one.answer.header("Cache-Control") is None
    old = front.moderator() if door == "chain" else None
    front.restart()
    if old:
        front.moderator(other_than=old)
    for server, cookie in clients.items():
        assert Visit(front, cookie).server == server


@pytest.mark.parametrize("door", DOORS)
def test_a_dead_server(stage, door, backends):
    """The client moves, and stays where it is then."""
    front = front_of(stage, door, backends)
    first = Visit(front)
    next(each for each in backends if each.id == first.server).close()
    moved = Visit(front, first.cookie)
    assert moved.server != first.server and moved.cookie != first.cookie
    assert {Visit(front, moved.cookie).server for _ in range(10)} == {moved.server}


@pytest.mark.parametrize("door", ["chain", "farm"])
def test_the_server_that_answers_counts(stage, door, backends):
    """One that ends the connection without an answer has no client."""
    front = front_of(stage, door, backends[:2], 'Backhand bySession "cookie=ROUTE"\n')
    backends[0].reply = lambda request: Reply(drop=True)
    for _ in range(6):
        visit = Visit(front)
        assert visit.server == backends[1].id and len(visit.set) == 1
        assert Visit(front, visit.cookie).set == []


@pytest.mark.parametrize("door", DOORS)
def test_a_draining_server(stage, door, backends):
    """It keeps its clients and gets no others."""
    front = front_of(stage, door, backends, more="UnixSocketDir ${sockets}\n" if door != "chain" else "")
    first = Visit(front)
    leaving = next(each for each in backends if each.id == first.server)
    ctl(front, "drain", leaving.id)
    wait_for(lambda: front.status().servers[leaving.id]["state"] == "draining", 5, "the order")
    assert {Visit(front, first.cookie).server for _ in range(5)} == {leaving.id}
    assert Visit(front, first.cookie).set == []
    assert leaving.id not in {Visit(front).server for _ in range(20)}
    assert Visit(front, first.cookie, method="POST", body=b"x").server == leaving.id
    leaving.close()
    moved = Visit(front, first.cookie)
    assert moved.server != leaving.id and moved.cookie != first.cookie
    ctl(front, "maintenance", leaving.id)
    assert Visit(front, first.cookie).server != leaving.id


@pytest.mark.parametrize("door", DOORS)
def test_no_server_is_left(stage, door, backends):
    """Our own answer has no cookie."""
    front = front_of(stage, door, backends[:1], more="BackhandNoCandidate Unavailable\n")
    backends[0].close()
    for _ in range(3):
        visit = Visit(front)
        assert visit.answer.status == 503 and visit.set == []


@pytest.mark.parametrize("door", DOORS)
def test_what_the_server_says_stays(stage, door, backends):
    backends[0].reply = lambda request: Reply(
        404, headers={"Set-Cookie": "a=b; Path=/x", "Cache-Control": "max-age=60"}, body=b"none"
    )
    visit = Visit(front_of(stage, door, backends[:1]))
    assert visit.answer.status == 404 and visit.set[0] == "a=b; Path=/x" and len(visit.set) == 2
    control = ", ".join(value for name, value in visit.answer.headers if name.lower() == "cache-control")
    assert control == 'max-age=60, no-cache="Set-Cookie"'


def test_no_client_can_make_one(stage, backends):
    """Nor read one: no part of the address or port is in it."""
    front = front_of(stage, "farm", backends)
    first = Visit(front)
    value = first.cookie.partition("=")[2]
    for wrong in ("", "0" * 16, value[:-1] + ("0" if value[-1] != "0" else "1"), value + "0", value.upper() + "Z"):
        visit = Visit(front, f"ROUTE={wrong}")
        assert len(visit.set) == 1
    port = int(first.server.partition(":")[2])
    assert f"{port:04x}" not in value or "7f000950" not in value


@pytest.mark.parametrize(
    ("line", "secure", "said"),
    [
        ("cookie=ROUTE; Path=/shop", False, "; Path=/shop; HttpOnly; SameSite=Lax"),
        ("cookie=ROUTE; SameSite=None; Secure", False, "; SameSite=None; Secure; Path=/; HttpOnly"),
        ("cookie=ROUTE", True, "; Path=/; HttpOnly; SameSite=Lax; Secure"),
        ("cookie=ROUTE; secure", True, "; secure; Path=/; HttpOnly; SameSite=Lax"),
    ],
)
def test_attributes(stage, backends, line, secure, said):
    more = "ServerName https://shop.test\n" if secure else ""
    visit = Visit(front_of(stage, "farm", backends[:1], f'Backhand bySession "{line}"\n', more))
    assert MINE.fullmatch(visit.set[0])[2] == said


@pytest.mark.parametrize("shared", [True, False])
def test_two_balancers(stage, backends, shared):
    """They agree if they have a key; without, each is alone."""
    fronts = []
    for number in (1, 2):
        key = stage.folder / f"key{number}"
        key.write_text(
            "0123456789abcdef0123456789abcdef\n" if number == 1 else "f" * 40 + "\n" + "0123456789abcdef" * 2
        )
        key.chmod(0o600)
        more = f"BackhandKey {key}\n" if shared else ""
        fronts.append(front_of(stage, "farm", backends, more=more, name=f"front{number}"))
    first = Visit(fronts[0])
    others = [Visit(fronts[1], first.cookie) for _ in range(12)]
    if shared:
        # The other's first key is the new one.
        assert {each.server for each in others} == {first.server} and others[0].cookie != first.cookie
        assert Visit(fronts[1], others[0].cookie).set == []
    else:
        assert all(each.set for each in others) and len({each.server for each in others}) > 1


SELF = CLUSTER_OF_9 + "BackhandTrace On\n" + LINE


@pytest.mark.parametrize("walk", ["On", "Off"])
def test_served_here(stage, mpm, walk):
    """This server is one of those that a cookie names; also for its error pages, and for what it redirects inside."""
    config = SELF + f"BackhandDirectoryWalk {walk}\nErrorDocument 404 /missing\nAlias /other ${{root}}/htdocs/page\n"
    front = stage.httpd(config, mpm=mpm, files={"page": "here", "missing": "nothing", "folder/index.html": "index"})
    front.moderator()
    wait_for(lambda: Visit(front, path="/page").set, 5, "the first announcement")
    first = Visit(front, path="/page")
    assert (first.server, Visit(front, first.cookie, path="/page").set) == ("here", [])
    for path, status in (("/none", 404), ("/other", 200), ("/folder/", 200)):
        visit = Visit(front, path=path)
        assert (visit.answer.status, visit.cookie) == (status, first.cookie)


def test_redirects(stage, backends):
    """The client is sent to the same server again and again."""
    front = front_of(stage, "chain", backends, "Backhand HTTPRedirectToIP\n" + LINE)
    first = Visit(front)
    assert first.answer.status == 302
    for _ in range(10):
        again = Visit(front, first.cookie)
        assert (again.answer.header("Location"), again.set) == (first.answer.header("Location"), [])


def test_observed(stage, backends):
    front = front_of(stage, "chain", backends, LINE + "BackhandMode Observe\n", files={"index.html": "here"})
    visit = Visit(front, path="/index.html")
    assert (visit.server, visit.set) == ("here", [])


def test_no_cache_keeps_it(stage, backends):
    """mod_cache keeps the answer, and gives no client another one's cookie."""
    for each in backends:
        each.reply = lambda request: Reply(200, headers={"Cache-Control": "max-age=60"}, body=b"page")
    folder = stage.folder / "cache"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    more = f"CacheEnable disk /\nCacheRoot {folder}\nCacheQuickHandler Off\nCacheHeader On\n"
    config = farm(backends, more=more)
    front = stage.httpd(config, modules=("athena", "cache", "cache_disk"))
    assert len(Visit(front).set) == 1
    later = [Visit(front) for _ in range(3)]
    assert [each.set for each in later if "HIT" in (each.answer.header("X-Cache") or "")] in ([[], [], []], [])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("cookie=a=b", "bySession: 'cookie=a=b' is not an identifier of"),
        ("cookie=a; Domain=x", "'cookie=a; Domain=x' is not"),
        ("cookie=a; SameSite=Lex", "without blanks, quotes, ',', ';' and '&', or cookie=NAME; Path=/"),
    ],
)
def test_what_is_wrong_is_said(stage, argument, said):
    code, text = stage.httpd(f'<Location />\nBackhand bySession "{argument}"\n</Location>\n', start=False).test_config()
    assert code != 0 and said in text, text


# ---- Cookies by which the application steers: AthCookie ----

KEY = "0123456789abcdef" * 4


class Steered:
    """Two farms with a key."""

    def __init__(self, stage, backends, key=KEY, more="", **how):
        self.file = stage.folder / "athena.key"
        self.file.write_text(key + "\n")
        self.file.chmod(0o600)
        lines = f"AthCookie STEER\nAthCookieKey {self.file}\nBackhand byRandom\n{more}"
        other = f"<AthFarm farm_two>\nAthMember {backends[2].id}\n</AthFarm>\nUnixSocketDir ${{sockets}}\n"
        other += "<Location /page>\nSetHandler backhand-handler\n</Location>\nProxyPass /page !\n"
        self.front = stage.httpd(farm(backends[:2], lines, other), modules=("athena",), **how)
        self.front.log.allow("AH00957|AH01114|AH00959|BH0166")

    def ask(self, value, count=6):
        return collections.Counter(Visit(self.front, value and f"STEER={value}").server for _ in range(count))

    def refused(self):
        return self.front.status().counters["refused_cookies"]


def steer(word, target, farm="farm_one", key=KEY, age=60, version=1):
    payload = f"{version}.{word}.{int(time.time()) + age}.{target}"
    signed = f"Backhand-Cookie\n{farm}\n{payload}".encode()
    return f"{payload}.{hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}"


def test_an_application_steers(stage, mpm, backends):
    steered = Steered(stage, backends, mpm=mpm)
    for word in ("stay", "prefer"):
        for each in backends[:2]:
            assert set(steered.ask(steer(word, each.id))) == {each.id}
    assert set(steered.ask(steer("farm", "FARM_TWO"))) == {backends[2].id}
    assert len(steered.ask(None, 20)) == 2 and steered.refused() == 0


def test_stay_and_prefer_differ_where_the_member_is_gone(stage, backends):
    steered = Steered(stage, backends, more=f"AthForward http://{backends[2].id}/sorry\n")
    gone, left, sorry = backends
    assert steered.ask(steer("stay", gone.id), 1) == {gone.id: 1}
    gone.close()
    assert set(steered.ask(steer("prefer", gone.id))) == {left.id}
    assert set(steered.ask(steer("stay", gone.id))) == {sorry.id}
    assert {request.target for request in sorry.requests} == {"/sorry"}


def test_a_member_that_only_says_503(stage, backends):
    """With prefer, another member may do better; with stay, its 503 is the answer, and AthForward is not for it."""
    steered = Steered(stage, backends, more=f"AthForward http://{backends[2].id}/sorry\n")
    busy, other, sorry = backends
    busy.reply = lambda request: Reply(503, b"not now")
    assert set(steered.ask(steer("prefer", busy.id))) == {other.id}
    assert set(steered.ask(steer("stay", busy.id))) == {"not now"}
    ctl(steered.front, "drain", busy.id)
    assert set(steered.ask(steer("prefer", busy.id))) == {other.id}
    assert set(steered.ask(steer("stay", busy.id))) == {"not now"}
    assert sorry.requests == []


def test_a_draining_member_keeps_them(stage, backends):
    steered = Steered(stage, backends)
    leaving, other = backends[:2]
    ctl(steered.front, "drain", leaving.id)
    for word in ("stay", "prefer"):
        assert set(steered.ask(steer(word, leaving.id))) == {leaving.id}
    assert set(steered.ask(None)) == {other.id}
    ctl(steered.front, "maintenance", leaving.id)
    assert set(steered.ask(steer("prefer", leaving.id))) == {other.id}


def test_a_key_that_changes_under_load(stage, mpm, backends):
    """With the old key as the second one, each request of clients that have old cookies is steered through graceful
    restarts; without it, none is."""
    steered, target = Steered(stage, backends, mpm=mpm), backends[0].id
    seen = collections.Counter()
    with asking(4, lambda: seen.update(steered.ask(steer("stay", target), 1))):
        for keys in (f"{KEY}\n{'b' * 40}\n", f"{'b' * 40}\n{KEY}\n"):
            steered.file.write_text(keys)
            steered.front.restart()
            before = seen.total()
            wait_for(lambda before=before: seen.total() > before + 40, 20, "requests")
    assert set(seen) == {target}
    assert set(steered.ask(steer("stay", target, key="b" * 40))) == {target} and steered.refused() == 0
    steered.file.write_text("b" * 40 + "\n")
    steered.front.restart()
    # Children of the old generation may serve a moment longer.
    wait_for(
        lambda: len(steered.ask(steer("stay", target), 20)) == 2 and steered.refused(), 10, "no old cookie to count"
    )
    assert set(steered.ask(steer("stay", target, key="b" * 40))) == {target}


def test_what_is_not_accepted_is_counted(stage, backends):
    steered = Steered(stage, backends, key=f"{KEY}\n{'b' * 40}")
    target = backends[0].id
    wrong = (
        steer("stay", target, key="c" * 40),
        steer("stay", target, farm="farm_two"),
        steer("stay", target, age=-1),
        steer("stay", target, version=2),
        steer("leave", target),
        steer("stay", "app.invalid"),
        steer("farm", "farm_three"),
        steer("stay", target)[:-1],
        "x",
    )
    for number, value in enumerate(wrong, 1):
        assert len(steered.ask(value, 20)) == 2
        assert steered.refused() == 20 * number
    # The second key is for a change of keys.
    assert set(steered.ask(steer("stay", target, key="b" * 40))) == {target}
    assert steered.refused() == 20 * len(wrong)
    assert f"<p>Cookies refused: {20 * len(wrong)}</p>" in steered.front.get("/page").text


PAGE = (REPOSITORY / "docs/athena-cookies.md").read_text()
RUNS = {"php": ["php"], "perl": ["perl"], "python": ["/usr/bin/python3"]}


@pytest.mark.parametrize("language", RUNS)
def test_programs_of_the_page(stage, backends, language):
    """As they stand there, but for the file of the key and the member."""
    steered = Steered(stage, backends)
    program = re.search(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)[1]
    assert len(program.splitlines()) <= 11
    for old, new in (("/etc/apache2/athena.key", str(steered.file)), ("app01.example.com:8080", backends[1].id)):
        assert old in program
        program = program.replace(old, new)
    file = stage.folder / f"program.{language}"
    file.write_text(program)
    value = subprocess.run([*RUNS[language], str(file)], check=True, capture_output=True, text=True).stdout
    assert set(steered.ask(value)) == {backends[1].id} and steered.refused() == 0


SESSION_PAGE = (REPOSITORY / "docs/functions/bySession.md").read_text()


@pytest.mark.parametrize("language", ["php", "perl"])
def test_session_ids_of_the_page(stage, backends, language):
    """They have the server's address in front."""
    program = re.search(rf"^```{language}\n(.*?)^```", SESSION_PAGE, flags=re.M | re.S)[1]
    if language == "php":
        settings = f"ini_set('session.save_path', '{stage.folder}'); ini_set('session.use_strict_mode', '1');\n"
        program = program.replace("<?php\n", f"<?php\n$_SERVER['SERVER_ADDR'] = '127.0.9.81';\n{settings}")
        program += "echo session_id();\n"
    program = program.replace("80)", f"{backends[1].port})")
    file = stage.folder / f"program.{language}"
    file.write_text(program)
    made = subprocess.run(
        [*RUNS[language], str(file)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "SERVER_ADDR": "127.0.9.81"},
    ).stdout
    front = front_of(stage, "farm", backends, "Backhand bySession\nBackhand default\n")
    assert len(made) > 20 and {Visit(front, f"PHPSESSID={made}").server for _ in range(8)} == {backends[1].id}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("AthCookie a=b\n", "AthCookie 'a=b': the name of a cookie is wanted, of 64 characters at most"),
        ("AthCookie a\n", "<AthFarm farm_one>: AthCookie and AthCookieKey need each other"),
        ("AthCookieKey KEY\n", "<AthFarm farm_one>: AthCookie and AthCookieKey need each other"),
        ("AthCookie a\nAthCookieKey /not/there\n", "AthCookieKey: '/not/there': it cannot be read"),
        ("AthCookie a\nAthCookieKey KEY\nAthCookieKey b\n", "AthCookieKey: there is one already"),
    ],
)
def test_bad_lines_of_farms(stage, lines, said):
    key = stage.folder / "athena.key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    lines = lines.replace(" KEY", f" {key}")
    config = f"AthEngine On\n<AthFarm farm_one>\nAthMember localhost\n{lines}</AthFarm>\n"
    code, text = stage.httpd(config, modules=("athena",), start=False).test_config()
    assert code != 0 and said in text, text
