# Licensed under the Apache License, Version 2.0; see LICENSE.
"""mod_athena: farms by name, and the oracle."""

import time

import pytest
from harness.backend import Reply
from harness.httpd import USUAL
from Module.test_750_lbmethod import answer_after, ratio, shares

MODULES = ("athena",)


def farm(members, more="", name="farm_one"):
    lines = "".join(f"    AthMember {member}\n" for member in members)
    return f"<AthFarm {name}>\n{lines}{more}</AthFarm>\n"


ENGINE = "AthEngine On\n"
PASS = "ProxyPass / http://farm_one/\n"


def test_without_any_other_line(stage, mpm, backends):
    """The users' first example: no line of mod_backhand, no warning."""
    front = stage.httpd(ENGINE + farm(each.id for each in backends) + PASS, modules=MODULES, mpm=mpm)
    assert set(shares(front)) == {each.id for each in backends}
    assert ("Host", backends[0].id) in backends[0].requests[0].headers


def test_a_dead_member(stage, mpm, backends):
    """No client sees it."""
    front = stage.httpd(ENGINE + farm(each.id for each in backends) + PASS, modules=MODULES, mpm=mpm)
    front.log.allow("AH00957|AH01114|AH00959")
    shares(front)
    backends[0].close()
    assert backends[0].id not in shares(front, 100)


def test_a_body_goes_to_the_next(stage, backends):
    front = stage.httpd(ENGINE + farm(each.id for each in backends[:2]) + PASS, modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959")
    backends[0].close()
    for size in (10, 100_000):
        for _ in range(4):
            assert front.get("/", method="POST", body=b"x" * size).text == backends[1].id
    assert {len(request.body) for request in backends[1].requests} == {10, 100_000}


def test_an_answer_that_is_lost(stage, backends):
    """A server that ends the connection without an answer: a GET goes to another one."""
    backends[0].reply = lambda request: Reply(drop=True)
    front = stage.httpd(ENGINE + farm(each.id for each in backends[:2]) + PASS, modules=MODULES)
    front.log.allow("AH01102|AH00898|AH01110|AH10154")
    assert set(shares(front, 20)) == {backends[1].id}


def test_retries_of_a_farm(stage, backends):
    """BackhandRetries in its section: nobody else is asked."""
    backends[0].reply = lambda request: Reply(drop=True)
    lines = "    Backhand byRandom\n    BackhandRetries 0\n"
    front = stage.httpd(ENGINE + farm((each.id for each in backends[:2]), lines) + PASS, modules=MODULES)
    front.log.allow("AH01102|AH00898|AH01110|AH10154")
    assert {front.get("/").status for _ in range(20)} == {200, 502}


# Lines that send /x to a host.
WAYS = {
    "pass": "ProxyPass /x http://{host}/y\n",
    "match": "ProxyPassMatch ^/x(/.*)$ http://{host}/y$1\n",
    "handler": '<Location /x>\n    SetHandler "proxy:http://{host}"\n</Location>\n',
    "mime": "AddHandler proxy:http://{host} .x\n",
    "rule": 'RewriteEngine On\nRewriteRule ^/x(.*) "http://{host}/y$1" [P]\n',
    "location": "<Location /x>\n    ProxyPass http://{host}/y\n</Location>\n",
}
WAYS_MODULES = (*MODULES, "rewrite", "mime")


@pytest.mark.parametrize("host", ["farm_one", "Farm_One:81", "user@farm_one", "user:p%40ss@farm_one:81"])
@pytest.mark.parametrize("way", WAYS)
def test_however_a_line_names_the_farm(stage, backends, way, host):
    """A user in the URL is dropped, as mod_proxy_http does with any server."""
    lines = WAYS[way].format(host=host)
    front = stage.httpd(ENGINE + farm([backends[0].id]) + lines, modules=WAYS_MODULES, files={"x/z.x": "a file\n"})
    assert front.get("/x/z.x?q=1").text == backends[0].id
    if "SetHandler" not in lines and "AddHandler" not in lines:
        assert backends[0].requests[0].target == "/y/z.x?q=1"
    assert not [name for name, _ in backends[0].requests[0].headers if name.lower() == "authorization"]


# The path is a variable, which ends the farm's name.
VARIABLES = {
    "match": "ProxyPassMatch ^/x(/.*)$ http://farm_one$1\n",
    "port": "ProxyPassMatch ^/x(/.*)$ http://farm_one:81$1\n",
    "rule": "RewriteEngine On\nRewriteRule ^/x(.*) http://user@farm_one$1 [P]\n",
    "whole": "RewriteEngine On\nRewriteRule ^/x http://farm_one%{REQUEST_URI} [P]\n",
}


@pytest.mark.parametrize("way", VARIABLES)
def test_a_variable_after_the_name(stage, backends, way):
    front = stage.httpd(ENGINE + farm([backends[0].id]) + VARIABLES[way], modules=WAYS_MODULES)
    assert front.get("/x/z?q=1").text == backends[0].id
    assert backends[0].requests[0].target == ("/x/z?q=1" if way == "whole" else "/z?q=1")


@pytest.mark.parametrize(
    "lines",
    [way.format(host=host) for way in WAYS.values() for host in ("user:p%40ss@farm_one", "FARM_ONE:81")]
    + list(VARIABLES.values()),
)
def test_a_line_that_names_a_farm_needs_the_engine(stage, lines):
    """However it names the farm; not only its requests find out."""
    code, text = stage.httpd(farm(["localhost"]) + lines, modules=WAYS_MODULES, start=False).test_config()
    assert code != 0 and "BH0169: " in text and "names the farm farm_one of " in text, text


@pytest.mark.parametrize(
    "lines",
    [
        "ProxyPass /x http://farm_one./\n",
        "ProxyPass /x http://localhost/?to=http://farm_one/\n",
        "ProxyPassMatch ^/x/([0-9])/ http://farm_one$1/\n",
        "RewriteEngine On\nRewriteRule ^/x https://farm_one%{REQUEST_URI} [R=301,L]\n",
    ],
)
def test_lines_that_name_no_farm(stage, lines):
    """Names in the DNS, and the site's own."""
    code, text = stage.httpd(farm(["localhost"]) + lines, modules=WAYS_MODULES, start=False).test_config()
    assert code == 0 and "BH0" not in text, text


GROUPS = {
    "member": "<Proxy balancer://b>\n    BalancerMember http://user@farm_one:81\n</Proxy>\n",
    "line": "BalancerMember balancer://b http://FARM_ONE loadfactor=2\n",
    "group": "<Proxy balancer://farm_one>\n    BalancerMember http://localhost\n</Proxy>\n"
    "ProxyPass / balancer://farm_one/\n",
}


@pytest.mark.parametrize("engine", [ENGINE, ""], ids=["on", "off"])
@pytest.mark.parametrize("way", GROUPS)
def test_a_farm_in_a_group(stage, way, engine):
    """mod_proxy_balancer would look the farm's name up, and the farm would take requests of a group of its name."""
    modules = (*MODULES, "proxy_balancer", "slotmem_shm", "lbmethod_byrequests")
    front = stage.httpd(engine + farm(["localhost"]) + GROUPS[way], modules=modules, start=False)
    code, text = front.test_config()
    directive = "ProxyPass" if way == "group" else "BalancerMember"
    assert code != 0 and f"BH0191: {directive} at " in text, text
    assert "names the farm farm_one of " in text and "a balancer:// group has servers, not farms" in text
    assert text.count("httpd.conf:") == 2, "both lines are named"


def test_what_a_member_says_with_its_name(stage, backends):
    """ProxyPassReverse and ProxyPassReverseCookieDomain have the farm's name."""
    place = backends[0].id
    cookie = f"a=b; Domain={place.partition(':')[0]}; Path=/"
    backends[0].reply = lambda request: Reply(
        302, headers={"Location": f"http://{place}/reports/new", "Set-Cookie": cookie, "set-cookie": "c=d"}
    )
    lines = (
        "ProxyPass /r/ http://farm_one/reports/\nProxyPassReverse /r/ http://farm_one/reports/\n"
        "ProxyPassReverseCookieDomain farm_one www.example.com\n"
    )
    front = stage.httpd(ENGINE + farm([place]) + lines, modules=MODULES)
    answer = front.get("/r/old")
    assert answer.header("Location") == f"http://{front.id}/r/new"
    cookies = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    assert cookies == ["a=b; Domain=www.example.com; Path=/", "c=d"]


@pytest.mark.parametrize("redirect", [False, True])
def test_nobody_is_left(stage, backends, redirect):
    """The whole URL is replaced."""
    sorry = backends[1]
    more = f"    AthForward http://{sorry.id}/closed?for=now\n" + ("    AthForwardRedirect On\n" if redirect else "")
    dead = backends[0]
    front = stage.httpd(ENGINE + farm([dead.id], more) + PASS, modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959")
    dead.close()
    answer = front.get("/a/b?c=d")
    if redirect:
        assert (answer.status, answer.header("Location")) == (302, f"http://{sorry.id}/closed?for=now")
    else:
        assert answer.text == sorry.id and sorry.requests[0].target == "/closed?for=now"


def test_nobody_is_left_and_there_is_no_other_place(stage, backends):
    front = stage.httpd(ENGINE + farm([backends[0].id]) + PASS, modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959")
    front.log.expect("BH0166: no member of the farm farm_one can take the request")
    backends[0].close()
    answer = front.get("/")
    assert (answer.status, answer.header("Retry-After")) == (503, "1")


def test_loadfactor(stage, backends):
    answer_after(backends, 0.05)
    members = [f"{backends[0].id} loadfactor=4", backends[1].id]
    front = stage.httpd(ENGINE + farm(members) + PASS, modules=MODULES, workers=32)
    assert 2.5 < ratio(front, *backends[:2]) < 6


def test_settings_of_the_line_count(stage, backends):
    """Those of mod_proxy: here its timeout."""
    backends[0].reply = lambda request: Reply(delay=3)
    front = stage.httpd(ENGINE + farm([backends[0].id]) + "ProxyPass / http://farm_one/ timeout=1\n", modules=MODULES)
    front.log.allow("AH01102|AH00898|AH01110|BH0166")
    began = time.monotonic()
    assert front.get("/", method="POST", body=b"x").status == 502
    assert time.monotonic() - began < 2.5


# ---- The oracle ----


def test_the_oracle(stage, mpm, backends):
    """The member as its line writes it, a line for each farm, and never mod_proxy's answer."""
    lines = farm([backends[0].id]) + farm(["app.invalid"], name="farm_two") + PASS
    front = stage.httpd(ENGINE + lines, modules=MODULES, mpm=mpm)
    front.log.allow("BH0190")
    answer = front.get("/athena/balance/?farm_one")
    assert (answer.status, answer.body) == (200, f"{backends[0].id}\n".encode())
    assert answer.header("Content-Type").startswith("text/plain")
    assert (answer.header("Cache-Control"), answer.header("X-Content-Type-Options")) == ("no-store", "nosniff")
    assert front.get("/athena/balance/?farm_one,FARM_TWO").text == f"{backends[0].id}\napp.invalid\n"
    assert front.get("/athena/balance?farm_one").status == 200
    for query, status in (
        ("farm_three", 404),
        ("", 400),
        (",".join(["farm_one"] * 17), 400),
        ("farm_one,<script>", 400),
    ):
        answer = front.get(f"/athena/balance/?{query}")
        assert answer.status == status and answer.text.count("\n") == 1
    assert front.get("/athena/other").status == 404
    assert front.get("/athena/balance/?farm_one", method="DELETE").status == 405
    assert backends[0].requests == []


def test_the_oracle_says_that_nobody_is_left(stage, backends):
    """It sees what requests have seen."""
    front = stage.httpd(ENGINE + farm([backends[0].id]) + "ProxyPass /p http://farm_one/\n", modules=MODULES)
    front.log.allow("AH00957|AH01114|AH00959|BH0166")
    backends[0].close()
    assert front.get("/p").status == 503
    assert front.get("/athena/balance/?farm_one").text in (f"{backends[0].id}\n", "no member of farm_one is left\n")


def test_another_path(stage, backends):
    front = stage.httpd(ENGINE + "AthPath /ath/\n" + farm([backends[0].id]) + PASS, modules=MODULES)
    assert front.get("/ath/balance/?farm_one").text == f"{backends[0].id}\n"
    assert front.get("/athena/balance/?farm_one").text == backends[0].id


# ---- Configurations ----


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (farm([]), "<AthFarm farm_one> has no AthMember"),
        (farm(["a"]) + farm(["b"]), "<AthFarm farm_one>: the farm is at"),
        (farm(["a", "A"]), "AthMember A: farm farm_one has it already"),
        (farm(["http://a/"]), "AthMember 'http://a/' is not a name or an address, with or without a port"),
        (farm(["a loadfactor=0"]), "AthMember 'loadfactor=0' is not a loadfactor from 0.01 to 100"),
        (farm(["-"]), "AthMember '-' is not a name or an address"),
        (farm(["."]), "AthMember '.' is not a name or an address"),
        (farm(["a..b:80"]), "AthMember 'a..b:80' is not a name or an address"),
        (farm(["[::]"]), "AthMember '[::]' is not the address of a server"),
        (farm(["0.0.0.0:80"]), "AthMember '0.0.0.0:80' is not the address of a server"),
        (farm(["a:080"]), "AthMember 'a:080' has a port that begins with a zero"),
        (farm(["a loadfactor=1 loadfactor=2"]), "AthMember 'loadfactor=2' is the second loadfactor of the line"),
        (
            farm(["a forward=http://b/ forward=http://c/"]),
            "AthMember 'forward=http://c/' is the second forward of the line",
        ),
        (
            farm(["Farm_One:80"]),
            "AthMember Farm_One:80 of the farm farm_one: 'Farm_One' points at the farm farm_one of",
        ),
        (
            farm(["farm_two:80"]) + farm(["a"], name="farm_two"),
            "BH0193: AthMember farm_two:80 of the farm farm_one: 'farm_two' points at the farm farm_two of",
        ),
        (
            farm(["a forward=http://u:p@FARM_ONE/"]),
            "AthMember a of the farm farm_one: forward='http://u:p@FARM_ONE/' points at the farm farm_one of",
        ),
        (farm(["a"], "    AthForward http://u@farm_one:81/x\n"), "'http://u@farm_one:81/x' points at the farm"),
        (
            farm(["a"]) + '<Location /x>\n SetHandler "proxy:http://farm_one:80x/"\n</Location>\n',
            "port is not a number",
        ),
        (farm(["a route=b"]), "AthMember 'route=b' is unknown: loadfactor= and forward= are known"),
        (farm(["a"], "    AthForward /closed\n"), "AthForward '/closed': a whole URL is wanted"),
        (farm(["a"], "    AthForward http://farm_one/x\n"), "AthForward 'http://farm_one/x' points at the farm"),
        (farm(["a"], "    Backhand byFoo\n"), "byFoo"),
        (farm(["a"], name="a/b"), "<AthFarm a/b>: one name is wanted"),
        ("AthMember a\n", "AthMember"),
        ("AthPath x\n", "AthPath 'x': a path of URLs is wanted"),
        (farm(["localhost"]) + PASS, "names the farm farm_one of"),
        (farm(["localhost"]) + '<Location /x>\n SetHandler "proxy:fcgi://FARM_ONE:9000"\n</Location>\n', "BH0169"),
    ],
)
def test_what_is_wrong_is_said(stage, lines, said):
    engine = "" if "BH0169" in said or "names the farm" in said else ENGINE
    code, text = stage.httpd(engine + lines, modules=MODULES, start=False).test_config()
    assert code != 0 and said in text, text


def test_lines_of_old(stage, backends):
    """Accepted; one line each, for those who want to know."""
    old = "AthSHMFile /tmp/shm\nAthAllowDiverseMulti On\n"
    front = stage.httpd(old + ENGINE + farm([backends[0].id]) + PASS, modules=MODULES)
    front.log.always("Ath[A-Za-z]+ is not needed")
    assert front.get("/").text == backends[0].id


def test_off_costs_nothing(stage):
    """Without the engine, farms are only names."""
    front = stage.httpd(farm(["localhost"]), modules=MODULES)
    assert front.get("/athena/balance/?farm_one").status == 404


@pytest.mark.parametrize("order", ["before", "after"])
def test_order_of_the_modules(stage, backends, order):
    names = list(USUAL)
    names.insert(0 if order == "before" else len(names), "athena")
    front = stage.httpd(ENGINE + farm([backends[0].id]) + PASS, order=names)
    assert front.get("/").text == backends[0].id


def test_without_mod_backhand(stage, backends):
    lines = ENGINE + farm([backends[0].id])
    code, text = stage.httpd(lines, modules=MODULES, without=("backhand",), start=False).test_config()
    assert code != 0 and "BH0168: mod_athena needs mod_backhand, which is not loaded" in text
