# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_athena's own URLs: balance, status, update and mirror."""

import collections
import hashlib
import hmac
import json
import time

import pytest
from harness.backend import Backend
from harness.crowd import Crowd
from harness.wait import wait_for

MODULES = ("athena",)
ENGINE = "AthEngine On\nAthPath /ath\n"
ACCEPTS = "AthAcceptUpdates 127.0.0.0/8\n"
KEY = "k" * 32
REFUSED = "BH0172: an update from "


def farm(*members, more="", name="farm_one"):
    lines = "".join(f"    AthMember {member}\n" for member in members)
    return f"<AthFarm {name}>\n{lines}{more}</AthFarm>\n"


# Four equal members whose addresses nothing has: the engine never asks them.
FOUR = [f"127.0.9.{number}:1" for number in range(1, 5)]


@pytest.fixture
def backend():
    made = Backend("127.0.9.80")
    yield made
    made.close()


def engine(stage, *lines, **how):
    how.setdefault("modules", MODULES)
    return stage.httpd(ENGINE + "".join(lines), **how)


def ask(front, path, status=200, **how):
    """The text; one line if it is an error."""
    answer = front.get(f"/ath/{path}", **how)
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "text/plain; charset=us-ascii"
    assert (answer.header("Cache-Control"), answer.header("X-Content-Type-Options")) == ("no-store", "nosniff")
    assert status == 200 or (answer.text.count("\n") == 1 and answer.text.isascii()), answer
    return answer.text


def signed(path, query, key=KEY, when=0):
    query += f",t={int(time.time()) + when}"
    text = f"Backhand-Athena\n{path.strip('/')}\n{query}"
    return f"{path}?{query},m={hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()}"


# ---- status ----


def test_the_example_of_old_works_word_for_word(stage, mpm):
    front = engine(stage, farm("app01", "app02"), mpm=mpm)
    front.log.allow("BH0190")
    assert ask(front, 'status/phys/?Eh=app01,f="%h,%c"') == "app01,0\n"
    assert ask(front, "status/phys/?Eh%3Dapp01%2Cf%3D%22%25h%2C%25c%22") == "app01,0\n"


def test_lines_of_status(stage, backend):
    """A line for each member, for each farm, and one for the engine."""
    front = engine(
        stage,
        farm(f"{backend.id} loadfactor=2", "127.0.9.81:1"),
        farm(backend.id, name="farm_two"),
        "ProxyPass /p http://farm_two/\n",
    )
    assert front.get("/p").text == backend.id
    assert ask(front, 'status/phys?f="%n;%h;%c;%g;%e;%w"') == (
        f"farm_one;{backend.id};0;1;0;2\nfarm_one;127.0.9.81:1;0;0;0;1\nfarm_two;{backend.id};0;1;0;1\n"
    )
    assert ask(front, f'status/phys?h={backend.id},n=FARM_TWO,f="%-10n|%20h|"') == f"farm_two  |{backend.id:>20}|\n"
    assert ask(front, 'status/farm?f="%n:%j"') == "farm_one:2\nfarm_two:1\n"
    assert ask(front, 'status/farm?n=farm_two,f="%n:%o:%k:%c"') == "farm_two:on:1:0\n"
    assert ask(front, 'status/engine?f="%o:%g"') == "on:1\n"
    assert ask(front, "status/phys/").count("\n") == 3
    assert ask(front, "status/farm").count("\n") == 2
    assert ask(front, "status/engine/").count("\n") == 1


def test_what_is_wrong(stage, backend):
    """One line that names the code and the value; mod_proxy has nothing to say below AthPath."""
    front = engine(stage, ACCEPTS, farm(backend.id), "ProxyPass / http://farm_one/\n")
    before = ask(front, "status/phys")
    for path, status, said in (
        ('status/phys?f="%n%"', 400, "f=%"),
        ('status/phys?f="%9999c"', 400, "f=%9999"),
        ('status/farm?f="%x"', 400, "f=%x"),
        ("status/phys?z=1", 400, "z=1"),
        ("status/phys?o=off", 400, "o=off"),
        ("status/phys?h=nobody", 404, "'nobody'"),
        ("status/phys?n=farm_three", 404, "'farm_three'"),
        ("update/phys?l=1", 400, "h= is missing"),
        ("update/phys?h=nobody", 404, "'nobody'"),
        ("update/farm?n=farm_three,o=off", 404, "'farm_three'"),
        (f"update/phys?h={backend.id},l=much", 400, "l=much"),
        (f"update/phys?h={backend.id},o=maybe", 400, "o=maybe"),
        (f"update/phys?h={backend.id},o=off,x=1", 400, "x=1"),
        ("status/debug?true", 404, "'/status/debug'"),
        ("other", 404, "'/other'"),
        ("", 404, "'/'"),
        ("balance/?", 400, "the name of a farm is wanted"),
        ("balance/?farm_one,<script>", 400, "is not the name of a farm"),
        ("balance/?farm_one,farm_three", 404, "'farm_three'"),
    ):
        assert said in ask(front, path, status), path
    assert front.get("/ath").status == 404
    assert front.get("/athletes").text == backend.id
    assert len(backend.requests) == 1
    assert ask(front, "status/phys").split(",")[:7] == before.split(",")[:7]


def test_long_queries(stage):
    """Those that httpd lets through."""
    front = engine(stage, "LimitRequestLine 200000\n", ACCEPTS, farm(*FOUR))
    before = ask(front, "status/phys")
    for long in ("x" * 100_000, "h=127.0.9.1:1," + "o=off," * 16_000):
        assert "8192 bytes" in ask(front, f"update/phys?{long}", 414)
    assert ask(front, "status/phys") == before


def test_methods(stage):
    front = engine(stage, ACCEPTS, farm(*FOUR))
    head = front.get("/ath/balance/?farm_one", method="HEAD")
    assert (head.status, head.body, head.header("Cache-Control")) == (200, b"", "no-store")
    for method in ("PUT", "DELETE", "OPTIONS"):
        answer = front.get("/ath/balance/?farm_one", method=method)
        assert (answer.status, answer.header("Allow"), answer.text.count("\n")) == (405, "GET, HEAD, POST", 1)


def test_post(stage, mpm):
    """Its body is a query, if it has no other."""
    front = engine(stage, farm(*FOUR), mpm=mpm)
    query = b'h=127.0.9.1:1,f="%h"'
    assert ask(front, "status/phys", method="POST", body=query) == "127.0.9.1:1\n"
    assert ask(front, "status/phys", method="POST", body=query + b"\r\n") == "127.0.9.1:1\n"
    assert ask(front, "status/phys", method="POST", chunks=[query[:3], query[3:]]) == "127.0.9.1:1\n"
    assert ask(front, 'status/phys?h=127.0.9.2:1,f="%h"', method="POST", body=query) == "127.0.9.2:1\n"
    assert ask(front, "status/phys", method="POST", body=b"").count("\n") == 4
    assert "x=1" in ask(front, "status/phys", 400, method="POST", body=b"x=1")
    assert "8192 bytes" in ask(front, "status/phys", 413, method="POST", body=b"x" * 8193)
    assert "8192 bytes" in ask(front, "status/phys", 413, method="POST", chunks=[b"x" * 5000] * 20)
    assert "8192 bytes" not in ask(front, "status/phys", 400, method="POST", body=b"x" * 8192)


# ---- Who may update ----

BROWSERS = (
    {"Origin": "http://evil.example"},
    {"Referer": "http://evil.example/"},
    {"Cookie": "a=b"},
    {"Sec-Fetch-Site": "cross-site"},
    {"sec-fetch-storage-access": "none"},
    {"Accept-Language": "de"},
)


def is_on(front, member=FOUR[0]):
    return ask(front, f'status/phys?h={member},f="%o"') == "on\n"


def test_updates_are_refused_without_a_line(stage, mpm):
    """One line in the log, of each child."""
    front = engine(stage, farm(*FOUR), mpm=mpm)
    front.log.expect(REFUSED + "127.0.0.1 is refused: .*AthAcceptUpdates")
    for path in ("update/phys", "mirror/phys"):
        assert "AthAcceptUpdates" in ask(front, f"{path}?h={FOUR[0]},o=off", 403)
    for path in ("update/farm", "mirror/farm"):
        assert "AthAcceptUpdates" in ask(front, f"{path}?n=farm_one,o=off", 403)
    assert "AthAcceptUpdates" in ask(front, "update/phys", 403, method="POST", body=f"h={FOUR[0]},o=off".encode())
    assert is_on(front) and ask(front, 'status/farm?f="%o"') == "on\n"
    assert front.log.count(REFUSED) <= 5


def test_a_refusal_is_logged_once_a_minute(stage):
    front = engine(stage, farm(*FOUR), children=1, workers=4)
    front.log.expect(REFUSED)
    for _ in range(20):
        ask(front, f"update/phys?h={FOUR[0]}", 403)
    assert front.log.count(REFUSED) == 1


def test_updates_of_some_addresses(stage, mpm):
    front = engine(stage, "AthAcceptUpdates 127.0.7.1 127.0.8.0/24\n", farm(*FOUR), mpm=mpm)
    front.log.expect(REFUSED)
    for source in ("127.0.7.1", "127.0.8.200"):
        assert ask(front, f'update/phys?h={FOUR[0]},o=off,f="%o"', source=source) == "off\n"
        assert not is_on(front)
        assert (
            ask(front, "mirror/phys", source=source, method="POST", body=f'h={FOUR[0]},o=on,f="%o"'.encode()) == "on\n"
        )
        assert is_on(front)
    for source in ("127.0.7.2", "127.0.9.1"):
        ask(front, f"update/phys?h={FOUR[0]},o=off", 403, source=source)
    assert is_on(front)


@pytest.mark.parametrize("headers", BROWSERS, ids=lambda headers: next(iter(headers)))
def test_a_browser_changes_nothing(stage, headers):
    """It asks for whoever wrote the page that it shows, from an address that is accepted."""
    front = engine(stage, ACCEPTS, farm(*FOUR))
    front.log.expect(REFUSED)
    assert "AthAcceptUpdates" in ask(front, f"update/phys?h={FOUR[0]},o=off", 403, headers=headers)
    ask(front, "update/phys", 403, headers=headers, method="POST", body=f"h={FOUR[0]},o=off".encode())
    assert is_on(front)


def test_a_key(stage, tmp_path, mpm):
    """From anywhere, and from browsers too; a wrong one never, and from no address."""
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    front = engine(stage, f"AthUpdateKey {key}\nAthAcceptUpdates 127.0.7.1\n", farm(*FOUR), mpm=mpm)
    front.log.expect(REFUSED)
    query = f"h={FOUR[0]},o=off"
    assert ask(front, signed("update/phys", query)).startswith("farm_one,")
    assert not is_on(front)
    body = signed("update/phys/", f"h={FOUR[0]},o=on").partition("?")[2].encode()
    ask(front, "update/phys/", headers=BROWSERS[0], method="POST", body=body)
    assert is_on(front)
    for path in (
        signed("update/phys", query, key="x" * 32),
        signed("update/phys", query, when=-400),
        signed("update/phys", query, when=400),
        signed("mirror/phys", query).replace("mirror", "update"),
        signed("update/phys", query.replace("off", "on")).replace("on", "off"),
    ):
        for source in ("127.0.0.1", "127.0.7.1"):
            ask(front, path, 403, source=source)
    assert is_on(front)


def test_a_signature_without_a_key(stage):
    front = engine(stage, ACCEPTS, farm(*FOUR))
    front.log.expect(REFUSED)
    assert "AthUpdateKey" in ask(front, signed("update/phys", f"h={FOUR[0]},o=off"), 403)
    assert is_on(front)


# ---- What updates do ----


def test_an_update_steers(stage, backend):
    """Members that are off or down get nothing; a farm that is off has no member."""
    other = Backend("127.0.9.81")
    front = engine(
        stage,
        ACCEPTS,
        farm(backend.id, other.id, more=f"Backhand byRandom\nAthForward http://{other.id}/closed\n"),
        "ProxyPass /p http://farm_one/\n",
    )

    def shares():
        return {front.get("/p").text for _ in range(12)}, {ask(front, "balance/?farm_one") for _ in range(12)}

    both = {backend.id, other.id}
    proxied, told = shares()
    assert proxied <= both and told <= {f"{each}\n" for each in both}
    for change, back in (("o=off", "o=on"), ("u=down", "u=up")):
        ask(front, f"update/phys?h={backend.id},{change}")
        assert shares() == ({other.id}, {f"{other.id}\n"})
        assert ask(front, 'status/farm?f="%k/%j"') == "1/2\n"
        front.restart()
        assert shares() == ({other.id}, {f"{other.id}\n"})
        ask(front, f"update/phys?h={backend.id},{back}")
        wait_for(lambda: backend.id in shares()[0], 15, "the member to come back")
    assert ask(front, 'update/farm?n=farm_one,o=off,f="%o"') == "off\n"
    assert "'farm_one'" in ask(front, "balance/?farm_one", 503)
    count = len(other.requests)
    assert front.get("/p").text == other.id and other.requests[count].target == "/closed"
    other.close()


def test_statistics(stage, mpm):
    """Any child takes them, and each shows them."""
    front = engine(stage, ACCEPTS, farm(*FOUR), mpm=mpm)
    ask(front, f"update/phys?h={FOUR[0]},l=0.75,p=0.5,s=threads:40,s=queue:-0.5")
    shown = f'status/phys?h={FOUR[0]},f="%l;%p;%{{threads}}s;%{{queue}}s;%{{none}}s;%i"'
    assert {ask(front, shown) for _ in range(8)} == {"0.75;0.5;40;-0.5;-;in\n"}
    ask(front, f"update/phys?h={FOUR[0]},s=threads:7")
    assert {ask(front, shown) for _ in range(8)} == {"0.75;0.5;7;-0.5;-;in\n"}
    assert ask(front, f'status/phys?h={FOUR[1]},f="%l;%{{threads}}s"') == "-;-\n"
    many = ",".join(f"s=n{number}:1" for number in range(20))
    assert "16" in ask(front, f"update/phys?h={FOUR[1]},{many}", 400)


# ---- balance ----


def test_json(stage):
    front = engine(stage, farm("127.0.9.1:1"), farm("app.invalid", name="farm_two"))
    front.log.allow("BH0190")
    answer = front.get("/ath/balance/?farm_one,farm_two", headers={"Accept": "text/html, application/json;q=0.5"})
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    assert (answer.header("Cache-Control"), answer.header("X-Content-Type-Options")) == ("no-store", "nosniff")
    farms = json.loads(answer.text)["farms"]
    assert [(each["farm"], each["member"]) for each in farms] == [
        ("farm_one", "127.0.9.1:1"),
        ("farm_two", "app.invalid"),
    ]
    assert all(each["chain"] == "default:1" and each["in_flight"] == 0 for each in farms)
    for accept in ("text/plain", "*/*", "application/json;q=0", "application/jsonp"):
        assert ask(front, "balance/?farm_one", headers={"Accept": accept}) == "127.0.9.1:1\n"
    ask(front, "balance/?none", 404, headers={"Accept": "application/json"})


def answers(front, count, **how):
    """Of one connection, as fast as it can be asked."""
    found = collections.Counter()
    with front.client(**how) as connection:
        for _ in range(count):
            answer = connection.request("/ath/balance/?farm_one")
            assert answer.status == 200
            found[answer.text.strip()] += 1
    return found


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 2, 4)], ids=str)
def test_callers_do_not_herd(stage, mpm, weights):
    """Each answer counts as a request in flight for a while."""
    members = [f"127.0.9.{number}:1 loadfactor={weight}" for number, weight in enumerate(weights, 1)]
    front = engine(stage, ACCEPTS, "MaxKeepAliveRequests 0\n", farm(*members), mpm=mpm)
    found = answers(front, 1000)
    for member, weight in zip(members, weights):
        share = found[member.partition(" ")[0]] / 1000 / (weight / sum(weights))
        assert (0.8 if weights[0] == weights[-1] else 0.85) <= share <= 1.2, found


def test_strangers_do_not_steer(stage):
    front = engine(stage, "AthAcceptUpdates 127.0.7.1\nMaxKeepAliveRequests 0\n", farm(*FOUR))
    answers(front, 1000)
    assert ask(front, 'status/phys?f="%c"') == "0\n" * 4
    answers(front, 100, source="127.0.7.1")
    in_flight = [int(line) for line in ask(front, 'status/phys?f="%c"').split()]
    assert sum(in_flight) > 20
    with front.client(source="127.0.7.1") as connection:
        connection.request("/ath/balance/?farm_one", headers=BROWSERS[0])


def test_half_an_answer_counts_nothing(stage):
    """A question for two farms of which one has no member left: the answer is not used for the other one."""
    front = engine(stage, ACCEPTS, farm(FOUR[0]), farm(FOUR[1], name="farm_two"))
    ask(front, f"update/phys/?h={FOUR[1]},o=off")
    said = "'farm_two' has no member that can take requests now\n"
    for query in ("farm_one,farm_two", "farm_one,farm_one,farm_two", "farm_two,farm_one"):
        assert ask(front, f"balance/?{query}", 503) == said
        assert ask(front, f"balance/?{query}", 503, headers={"Accept": "application/json"}) == said
    assert ask(front, f'status/phys/?h={FOUR[0]},f="%c"') == "0\n"
    assert ask(front, "balance/?farm_one") == f"{FOUR[0]}\n"


# ---- Where it stands ----


@pytest.mark.parametrize(
    "lines",
    [
        "ProxyPass / http://{id}/\n",
        "ProxyPass / http://{id}/ mapping=encoded\n",
        '<Location "/">\n    SetHandler "proxy:http://{id}"\n</Location>\n',
        '<Location "/ath">\n    SetHandler "proxy:http://{id}"\n</Location>\n',
        "RewriteEngine On\nRewriteRule ^/(.*) http://{id}/$1 [P]\n",
        "Redirect /ath http://{id}/\n",
    ],
)
def test_its_path_is_its_own(stage, backend, lines):
    front = engine(stage, farm(*FOUR), lines.format(id=backend.id), modules=(*MODULES, "rewrite"))
    assert ask(front, "balance/?farm_one").strip() in FOUR
    ask(front, "nothing/here", 404)
    ask(front, "balance/../x", 404)
    assert backend.requests == []


def test_virtual_hosts_with_paths_of_their_own(stage, backend):
    """And with addresses of their own."""
    lines = (
        f"ProxyPass / http://{backend.id}/\n"
        "<VirtualHost *:${port}>\n    ServerName one\n</VirtualHost>\n"
        "<VirtualHost *:${port}>\n    ServerName two\n"
        "    AthPath /two\n    AthAcceptUpdates 127.0.7.1\n</VirtualHost>\n"
        "<VirtualHost *:${port}>\n    ServerName three\n    AthEngine Off\n</VirtualHost>\n"
    )
    front = engine(stage, ACCEPTS, farm(*FOUR), lines)
    front.log.expect(REFUSED)
    one, two, three = ({"Host": name} for name in ("one", "two", "three"))
    update = f"update/phys?h={FOUR[0]}"
    assert front.get(f"/ath/{update}", headers=one).status == 200
    assert front.get(f"/two/{update}", headers=two).status == 403
    assert front.get(f"/two/{update}", headers=two, source="127.0.7.1").status == 200
    for path, host in (("ath", two), ("ath", three), ("two", one)):
        assert front.get(f"/{path}/balance/?farm_one", headers=host).text == backend.id


def test_subrequests_and_internal_redirects(stage, mpm):
    """As of any other page."""
    files = {"page.shtml": 'best: <!--#include virtual="/ath/balance/?farm_one" -->.'}
    lines = (
        "<Location /page.shtml>\n    SetOutputFilter INCLUDES\n    Options +Includes\n</Location>\n"
        "RewriteEngine On\nRewriteRule ^/best$ /ath/balance/?farm_one [PT]\n"
        "ErrorDocument 404 /ath/balance/?farm_one\n"
    )
    front = engine(
        stage, farm("127.0.9.1:1"), lines, modules=(*MODULES, "include", "filter", "rewrite"), files=files, mpm=mpm
    )
    assert "127.0.9.1:1" in front.get("/page.shtml").text
    assert front.get("/best").text == "127.0.9.1:1\n"
    assert front.get("/not-there").text == "127.0.9.1:1\n"


def test_its_location_may_be_closed(stage):
    front = engine(stage, ACCEPTS, farm(*FOUR), "<Location /ath/update>\n    Require ip 127.0.7.1\n</Location>\n")
    front.log.allow("AH01630")
    assert front.get(f"/ath/update/phys?h={FOUR[0]}").status == 403
    assert front.get(f"/ath/update/phys?h={FOUR[0]}", source="127.0.7.1").status == 200
    assert ask(front, "balance/?farm_one").strip() in FOUR


def test_many_clients(stage, mpm):
    front = engine(stage, ACCEPTS, farm(*FOUR), mpm=mpm, workers=16)
    with Crowd(
        front, clients=8, paths=("/ath/balance/?farm_one", "/ath/status/phys", f"/ath/update/phys?h={FOUR[0]}")
    ) as crowd:
        crowd.for_requests(400)
    assert {asked.status for asked in crowd.asked} == {200}
    assert ask(front, "status/engine").count("\n") == 1


# ---- Configurations ----


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("AthAcceptUpdates farm.example\n", "AthAcceptUpdates 'farm.example': an address is wanted"),
        ("AthAcceptUpdates 10.0.0.0/99\n", "AthAcceptUpdates '10.0.0.0/99'"),
        ("AthAcceptUpdates 10.0.0.1/x\n", "AthAcceptUpdates '10.0.0.1/x'"),
        ("AthUpdateKey /not/there\n", "AthUpdateKey: '/not/there': it cannot be read"),
        ("AthUpdateKey KEY\nAthUpdateKey b\n", "AthUpdateKey: there is one already"),
        ("AthMutexPath /tmp/x\n", "BH0174: AthMutexPath at "),
        ("<Location /x>\n    athNothing\n</Location>\n", "BH0174: athNothing at "),
        ("<AthPhys app01>\n    Port 80\n</AthPhys>\n", "BH0174: <AthPhys at "),
    ],
)
def test_what_is_wrong_is_said(stage, tmp_path, lines, said):
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    lines = lines.replace(" KEY", f" {key}")
    code, text = engine(stage, lines, farm("localhost"), start=False).test_config()
    assert code != 0 and said in text, text
    assert "BH0174" not in text or ("upgrading-from-mod_athena.md" in text and "Invalid command" not in text)
