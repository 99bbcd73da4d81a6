# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Farms, where two of their parts meet."""

import time
from pathlib import Path

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.certificates import Authority
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for
from Module.test_540_drain import ctl
from Module.test_760_farms import ENGINE, MODULES, PASS, farm, shares
from Module.test_762_farm_states import SOCKETS, ask


def test_servers_that_announce_themselves_have_states(stage, backends):
    lines = farm([], '    AthMembers "^app"\n    AthExpectUpdate 2\n')
    front = stage.httpd(CLUSTER_OF_9 + "AthAcceptUpdates 127.0.0.0/8\n" + ENGINE + lines + PASS, modules=MODULES)
    front.log.allow("BH0378|BH0166")
    names = ("app1.test", "app2.test")
    stage.plant(front, *[Announcement(each.address, each.port, name) for each, name in zip(backends, names)])
    assert set(shares(front, 20)) == {backends[0].id, backends[1].id}
    assert ask(front, "farm farm_one")["member_count"] == 2
    assert ask(front, "member farm_one app1.test off")["reason"] == "off"
    assert set(shares(front, 10)) == {backends[1].id}
    ask(front, "member farm_one app1.test on")
    wait_for(lambda: front.get("/").status == 503, 10, "members without an update")
    assert front.get("/athena/update/phys/?h=app2").status == 200
    assert set(shares(front, 10)) == {backends[1].id}


def test_a_farm_that_is_off(stage, backends):
    """No member is out of service, so that no member's forward= counts."""
    own, old, sorry = (each.id for each in backends)
    lines = farm([f"{own} forward=http://{old}/old"], f"    AthForward http://{sorry}/closed\n")
    front = stage.httpd(SOCKETS + ENGINE + lines + PASS, modules=MODULES)
    front.log.allow("BH0378")
    wait_for(lambda: ask(front, "farms"))
    ask(front, f"member farm_one {own} off")
    assert set(shares(front, 5)) == {old}
    ask(front, "farm farm_one off")
    assert set(shares(front, 5)) == {sorry}


def test_the_oracle_knows_what_requests_do(stage, backends):
    """A member that drains takes none if it has a forward."""
    lines = farm([f"{backends[0].id} forward=http://{backends[2].id}/old"])
    front = stage.httpd(SOCKETS + ENGINE + lines + PASS, modules=MODULES)
    wait_for(lambda: ask(front, "farms"))
    assert front.get("/athena/balance/?farm_one").status == 200
    ctl(front, "drain", backends[0].id)
    assert front.get("/").text == backends[2].id
    assert front.get("/athena/balance/?farm_one").status == 503


def test_an_interval_that_a_restart_brings(stage, mpm, backends):
    """Members have it for their first update, as at a start."""
    lines = [ENGINE + farm([backends[0].id], more) + PASS for more in ("", "    AthExpectUpdate 3\n")]
    front = stage.httpd(lines[0], modules=MODULES, mpm=mpm)
    front.log.allow("BH0166")
    time.sleep(3.5)  # longer than the interval
    front.configure(lines[1])
    front.restart()
    assert front.get("/").status == 200
    wait_for(lambda: front.get("/").status == 503, 15, "the member without an update")


def test_settings_of_one_host_are_not_anothers(stage, backends):
    """Nor are its connections, which may be verified, or have a certificate."""
    backends[0].reply = lambda request: Reply(body=b"ok", delay=2)
    hosts = "".join(
        f"<VirtualHost *:*>\nServerName {name}.test\nProxyPass / http://farm_one/ timeout={timeout}\n</VirtualHost>\n"
        for name, timeout in (("slow", 20), ("quick", 1))
    )
    front = stage.httpd(ENGINE + farm([backends[0].id]) + hosts, modules=MODULES, mpm="event", children=1)
    front.log.allow("AH01102|AH00898|AH01110|BH0166|AH")
    assert front.get("/", headers={"Host": "slow.test"}).status == 200
    # The error of the member that had the request; "no member takes it" would not be true.
    assert front.get("/", headers={"Host": "quick.test"}).status in (502, 504)
    assert front.get("/", headers={"Host": "slow.test"}).status == 200


def tls_member(stage, address, pair):
    member = stage.httpd(
        pair.server, address=address, without=("backhand",), modules=["ssl"], files={"page": "page"}, name=address
    )
    member.log.always("AH01873|AH01909|AH02008")
    return member


VERIFY = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile {}\n"


def test_a_connection_that_was_not_verified(stage):
    """A host that verifies members does not use it."""
    authority, other = Authority(stage.folder), Authority(stage.folder, "other")
    member = tls_member(stage, "127.0.9.94", authority.sign("127.0.9.94"))
    hosts = (
        "<VirtualHost *:*>\nServerName any.test\nSSLProxyEngine On\nSSLProxyVerify none\nSSLProxyCheckPeerName Off\n"
        "ProxyPass / https://farm_one/\n</VirtualHost>\n"
        f"<VirtualHost *:*>\nServerName strict.test\n{VERIFY.format(other.certificate)}"
        "ProxyPass / https://farm_one/\n</VirtualHost>\n"
    )
    front = stage.httpd(
        ENGINE + farm([member.id]) + hosts, modules=(*MODULES, "ssl"), mpm="event", children=1, name="front"
    )
    front.log.allow("AH")
    asked = [front.get("/page", headers={"Host": f"{name}.test"}).status for name in ("any", "any", "strict", "any")]
    assert asked == [200, 200, 502, 200]


UNVERIFIED = "SSLProxyVerify none\nSSLProxyCheckPeerName Off\n"
WAYS = {
    "pass": "ProxyPass / https://farm_one/\n",
    "match": "ProxyPassMatch ^/(.*)$ https://farm_one/$1\n",
    "rule": 'RewriteEngine On\nRewriteRule ^/(.*) "https://farm_one/$1" [P]\n',
}


def sections_front(stage, member, sections, lines):
    config = "".join(f'<Proxy "{url}">\n{own}</Proxy>\n' for url, own in sections.items())
    front = stage.httpd(
        ENGINE + "SSLProxyEngine On\n" + farm([member.id]) + config + lines,
        modules=(*MODULES, "ssl", "rewrite"),
        mpm="event",
        children=1,
        name="front",
    )
    front.log.allow("AH")
    return front


@pytest.mark.parametrize("way", WAYS)
def test_sections_that_verify_members(stage, way):
    """They use no connection of a section that does not. mod_proxy itself does so for [P] and ProxyPassMatch."""
    authority, other = Authority(stage.folder), Authority(stage.folder, "other")
    member = tls_member(stage, "127.0.9.94", authority.sign("127.0.9.94"))
    member.put("any/page", "any")
    member.put("strict/page", "strict")
    sections = {"https://farm_one/any/": UNVERIFIED, "https://farm_one/strict/": VERIFY.format(other.certificate)}
    front = sections_front(stage, member, sections, WAYS[way])
    asked = [front.get(f"/{name}/page").status for name in ("any", "any", "strict", "any", "strict")]
    assert asked == [200, 200, 502, 200, 502]


def test_a_section_of_the_farm_and_one_of_the_member(stage):
    """A line for the member itself has connections that the farm's section has not verified."""
    authority, other = Authority(stage.folder), Authority(stage.folder, "other")
    member = tls_member(stage, "127.0.9.94", authority.sign("127.0.9.94"))
    sections = {f"https://{member.id}/": UNVERIFIED, "https://farm_one/": VERIFY.format(other.certificate)}
    lines = f"ProxyPass /direct/ https://{member.id}/\nProxyPass / https://farm_one/\n"
    front = sections_front(stage, member, sections, lines)
    assert [front.get(path).status for path in ("/direct/page", "/page", "/direct/page")] == [200, 502, 200]


def test_a_section_with_a_certificate(stage):
    """Only its requests show it."""
    authority = Authority(stage.folder)
    pair, own = authority.sign("127.0.9.94"), authority.sign("front.test")
    member = tls_member(stage, "127.0.9.94", pair)
    member.configure(
        f"{pair.server}SSLCACertificateFile {authority.certificate}\nSSLVerifyClient optional\n"
        'CustomLog logs/shown "%U %{SSL_CLIENT_S_DN_CN}x"\n'
    )
    member.restart()
    both = stage.folder / "both.pem"
    both.write_text(Path(own.certificate).read_text() + Path(own.key).read_text())
    sections = {"https://farm_one/": UNVERIFIED, "https://farm_one/own": f"SSLProxyMachineCertificateFile {both}\n"}
    front = sections_front(stage, member, sections, WAYS["pass"])
    paths = ("/page", "/own", "/page", "/own")
    for path in paths:
        assert front.get(path).status == (200 if path == "/page" else 404)
    shown = wait_for(lambda: len(lines := (member.root / "logs/shown").read_text().splitlines()) == 4 and lines, 5)
    assert shown == [f"{path} {'front.test' if path == '/own' else '-'}" for path in paths]


def test_a_member_that_cannot_be_trusted(stage):
    """Another one gets the request."""
    authority, other = Authority(stage.folder), Authority(stage.folder, "other")
    members = [
        tls_member(stage, address, by.sign(address)).id
        for address, by in (("127.0.9.94", authority), ("127.0.9.93", other))
    ]
    lines = ENGINE + farm(members) + VERIFY.format(authority.certificate) + "ProxyPass / https://farm_one/\n"
    front = stage.httpd(lines, modules=(*MODULES, "ssl"), name="front")
    front.log.allow("AH")
    assert {front.get("/page").status for _ in range(20)} == {200}


def test_a_body_counts_if_the_query_is_empty(stage, backends):
    front = stage.httpd("AthAcceptUpdates 127.0.0.0/8\n" + ENGINE + farm([backends[0].id]), modules=MODULES)
    asked = front.get("/athena/update/phys/?", method="POST", body=f"h={backends[0].id}".encode())
    assert asked.status == 200, asked.text
