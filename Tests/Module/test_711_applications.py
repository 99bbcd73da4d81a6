# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An application behind ProxyPass, SetHandler proxy: or [P]: the section's chain decides first, and "here" is the
application."""

import pytest
from harness.applications import AJP, FastCGI, LocalApplication
from harness.backend import Reply
from harness.front import CHAIN, announcement_of, front_of
from harness.stage import CLUSTER, CLUSTER_OF_9

MODULES = ["rewrite", "proxy_fcgi", "proxy_ajp"]

# How the application is attached; %s is its URL without a path.
FORMS = {
    "ProxyPass": "ProxyPass /dyn %s/dyn",
    "ProxyPass in a section": "<Location /dyn>\nProxyPass %s/dyn\n</Location>",
    "ProxyPassMatch": "ProxyPassMatch ^/dyn/(.*)$ %s/dyn/$1",
    "RewriteRule": "RewriteEngine On\nRewriteRule ^/(dyn/.*)$ %s/$1 [P]",
    "RewriteRule of a section": "<Directory ${root}/htdocs/dyn>\nRewriteEngine On\nRewriteRule ^(.*)$ %s/dyn/$1 "
    "[P]\n</Directory>",
    "SetHandler": "<Location /dyn>\nSetHandler proxy:%s/dyn\n</Location>",
}
FILES = {"dyn/page": "a file"}
HERE = CLUSTER_OF_9 + "<Location /dyn>\nBackhand byAge 600\n</Location>\n"
AWAY = CLUSTER_OF_9 + "<Location /dyn>\nBackhand removeSelf\nBackhand byLoad\n</Location>\n"


class Http:
    """The harness's web server as an application."""

    url = "http"

    def __init__(self, stage):
        self.server = stage.backend("127.0.0.8", reply=lambda request: Reply(body=b"application"))
        self.address, self.port = self.server.address, self.server.port

    @property
    def paths(self):
        return [request.target for request in self.server.requests]

    @property
    def bodies(self):
        return [request.body for request in self.server.requests]


def application_of(stage, kind):
    if kind == "http":
        return Http(stage)
    return stage.enter({"fcgi": FastCGI, "ajp": AJP}[kind]("127.0.0.8", "application"))


def url(application):
    return f"{application.url}://{application.address}:{application.port}"


@pytest.mark.parametrize("kind", ["http", "fcgi", "ajp"])
@pytest.mark.parametrize("form", FORMS)
def test_the_chain_decides_before_the_application_is_asked(stage, form, kind):
    application, server = application_of(stage, kind), stage.backend("127.0.9.2")
    config = FORMS[form] % url(application)
    front = front_of(stage, server, chain=AWAY, config=config, modules=MODULES, files=FILES)
    answer = front.get("/dyn/page?x=%2F")
    assert (answer.text, [request.target for request in server.requests], application.paths) == (
        server.id,
        ["/dyn/page?x=%2F"],
        [],
    )
    here = front_of(stage, chain=HERE, config=config, modules=MODULES, files=FILES)
    answer = here.get("/dyn/page?x=%2F")
    assert (answer.text, len(application.paths)) == ("application", 1)
    here.logged("action=local")


def test_on_the_chosen_server_its_own_proxypass_runs_once(stage, mpm):
    """Two httpds of the same configuration, each with an application of its own."""
    ours, theirs = (
        stage.backend(address, reply=lambda request, name=name: Reply(body=name))
        for address, name in (("127.0.0.7", b"front's"), ("127.0.0.8", b"server's"))
    )
    chain = "<Location /dyn>\nBackhand %s\n</Location>\nProxyPass /dyn http://%s/dyn\n"
    server = stage.httpd(CLUSTER + chain % ("removeSelf", theirs.id), address="127.0.9.2", mpm=mpm)
    front = stage.httpd(CLUSTER + chain % ("removeSelf", ours.id), address="127.0.9.1", mpm=mpm)
    front.knows(server)
    server.knows(front)
    answer = front.get("/dyn/page", source="127.0.0.1")
    assert (answer.text, len(theirs.requests), ours.requests) == ("server's", 1, [])
    server.logged("action=looped")
    assert theirs.requests[0].header("X-Forwarded-For").startswith("127.0.0.1")


@pytest.mark.parametrize("kind", ["http", "fcgi"])
@pytest.mark.parametrize("form", ["ProxyPass", "SetHandler"])
def test_a_body_reaches_the_application_once_when_the_server_refuses(stage, form, kind):
    application, gone = application_of(stage, kind), stage.backend("127.0.9.2")
    gone.close()
    front = front_of(
        stage,
        announcement_of(gone, load=0),
        chain=CLUSTER_OF_9 + "<Location /dyn>\nBackhand addSelf\nBackhand byLoad\n</Location>\n",
        config=FORMS[form] % url(application),
        modules=MODULES,
        files=FILES,
    )
    front.log.allow("AH00957|AH01114")
    body = bytes(range(256)) * 400
    answer = front.client().request("/dyn/page", method="POST", body=body)
    assert (answer.text, application.bodies) == ("application", [body])


def test_a_forward_proxy_is_not_touched(stage):
    origin, server = stage.backend("127.0.0.8"), stage.backend("127.0.9.2")
    front = front_of(stage, server, chain=CHAIN, config="ProxyRequests On\n<Proxy *>\nRequire ip 127.0.0.1\n</Proxy>\n")
    answer = front.get(f"http://{origin.id}/page")
    assert (answer.text, len(origin.requests), server.requests) == (origin.id, 1, [])


# ---- Chains that no request of a ProxyPass reaches ----

FOLDERS = {"dyn/inner/page": "", "dynamic/page": ""}
HIDDEN = """
<Directory ${root}/htdocs%s>
    Backhand removeSelf
    Backhand byLoad
</Directory>
ProxyPass %s http://127.0.0.8:9/
"""


@pytest.mark.parametrize(
    "folder, path", [("", "/dyn"), ("/dyn", "/dyn"), ("/dyn/inner", "/dyn"), ("/dyn", "/"), ("/dyn", "/dyn/")]
)
def test_a_directory_s_chain_that_proxypass_hides_is_named_with_both_lines(stage, folder, path):
    front = stage.httpd(CLUSTER_OF_9 + HIDDEN % (folder, path), start=False, files=FOLDERS)
    front.log.expect("BH0130")
    front.start()
    line = next(line for line in front.log.text().splitlines() if "BH0130" in line)
    assert f"<Directory {front.root}/htdocs{folder}>" in line and f"ProxyPass {path} at" in line
    first, second = (int(part.split(":")[1].split(" ")[0].rstrip(",")) for part in line.split(" at ")[1:3])
    text = front.conf.read_text().splitlines()
    assert "Backhand removeSelf" in text[first - 1] and f"ProxyPass {path}" in text[second - 1]
    assert line.count("BH0130") == 1 and front.log.text().count("BH0130") == 1


@pytest.mark.parametrize(
    "config",
    [
        HIDDEN % ("/dynamic", "/dyn"),
        HIDDEN.replace("Backhand removeSelf\n    Backhand byLoad", "Backhand off") % ("/dyn", "/dyn"),
        "<Location /dyn>\nBackhand byAge 6\n</Location>\nProxyPass /dyn http://127.0.0.8:9/\n",
        "<Directory ${root}/htdocs>\nBackhand byAge 6\n</Directory>\nProxyPass /dyn !\n",
        "<Directory ${root}/htdocs>\nBackhand byAge 6\n</Directory>\n<VirtualHost 127.0.0.9:1>\nServerName "
        "other.test\nDocumentRoot ${root}/cgi-bin\nProxyPass /dyn http://127.0.0.8:9/\n</VirtualHost>\n",
    ],
)
def test_what_is_not_hidden_is_not_named(stage, config):
    front = stage.httpd(CLUSTER_OF_9 + config, files=FOLDERS)
    assert "BH0130" not in front.log.text()


def test_a_virtual_host_s_proxypass_hides_the_main_server_s_chain(stage):
    front = stage.httpd(
        CLUSTER_OF_9 + "<Directory ${root}/htdocs/dyn>\nBackhand byAge 6\n</Directory>\n"
        "<VirtualHost 127.0.0.9:1>\nServerName other.test\nProxyPass /dyn http://127.0.0.8:9/\n</VirtualHost>\n",
        start=False,
        files=FOLDERS,
    )
    front.log.expect("BH0130")
    front.start()
    assert front.log.text().count("BH0130") == 1


# ---- Applications on Unix sockets ----

SOCKETS = {
    "ProxyPass": "ProxyPass /dyn unix:%s|http://localhost/dyn",
    "SetHandler": '<Location /dyn>\nSetHandler "proxy:unix:%s|http://localhost"\n</Location>',
    "RewriteRule": "RewriteEngine On\nRewriteRule ^/(dyn/.*)$ unix:%s|http://localhost/$1 [P]",
    "RewriteRule of a section": "<Directory ${root}/htdocs/dyn>\nRewriteEngine On\nRewriteRule ^(.*)$ "
    "unix:%s|http://localhost/dyn/$1 [P]\n</Directory>",
    "RewriteRule to FastCGI": "RewriteEngine On\nRewriteRule ^/(dyn/.*)$ unix:%s|fcgi://localhost/srv/$1 [P]",
}
OTHER = AWAY + AWAY.replace("/dyn", "/other")


@pytest.mark.parametrize("form", SOCKETS)
def test_a_local_socket_is_not_asked_in_a_servers_place(stage, mpm, form):
    """Nor is it left behind in a connection that is kept for other sections."""
    application, server = stage.enter(LocalApplication(stage.folder / "app.sock")), stage.backend("127.0.9.2")
    front = front_of(
        stage,
        server,
        chain=OTHER,
        config=SOCKETS[form] % application.path,
        modules=MODULES,
        files=FILES,
        mpm=mpm,
        children=1,
        workers=1 if mpm == "prefork" else 4,
    )
    for _ in range(3):
        assert [front.get(path).text for path in ("/dyn/page", "/other/page")] == [server.id] * 2
    assert application.requests == []


@pytest.mark.parametrize("form", ["ProxyPass", "RewriteRule"])
def test_a_local_socket_is_here(stage, form):
    """When the server refuses, too."""
    application, gone = stage.enter(LocalApplication(stage.folder / "app.sock")), stage.backend("127.0.9.2")
    gone.close()
    front = front_of(
        stage,
        announcement_of(gone, load=0),
        chain=CLUSTER_OF_9 + "<Location /dyn>\nBackhand addSelf\nBackhand byLoad\n</Location>\n",
        config=SOCKETS[form] % application.path,
        modules=MODULES,
        files=FILES,
    )
    front.log.allow("AH00957|AH01114")
    assert front.get("/dyn/page").text == "local" and len(application.requests) == 1


# ---- Another cluster behind this one ----


@pytest.mark.parametrize("keys", ["none", "first", "both"])
def test_a_cluster_behind_a_proxypass(stage, mpm, keys):
    """Its servers are not asked to believe what this cluster's say of a client, and what they say of this cluster's
    stays between them."""
    key = stage.folder / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    line = f"BackhandKey {key}\n"
    application = stage.httpd(
        CLUSTER_OF_9 + (line if keys == "both" else ""),
        address="127.0.9.3",
        group=stage.new_group(),
        files={"dyn/page": "application"},
        mpm=mpm,
    )
    tier = (
        CLUSTER_OF_9
        + (line if keys != "none" else "")
        + "<Location /dyn>\nBackhand removeSelf\nBackhand byLoad\n</Location>\n"
        + f"ProxySourceAddress ${{address}}\nProxyPass /dyn http://{application.id}/dyn\n"
    )
    server, front = (stage.httpd(tier, address=f"127.0.9.{number}", mpm=mpm) for number in (2, 1))
    front.knows(server)
    server.knows(front)
    answer = front.get("/dyn/page", source="127.0.0.5")
    assert (answer.status, answer.text) == (200, "application")
    server.logged("action=looped")


def test_a_refusal_by_another_cluster_is_not_the_servers(stage):
    """An application that does not know its front says nothing of whether the server does."""
    application = stage.backend(
        "127.0.9.3", reply=lambda request: Reply(503, b"no", {"Backhand-Refused": "unknown-server"})
    )
    server = stage.httpd(CLUSTER_OF_9 + f"ProxyPass /dyn http://{application.id}/dyn\n", address="127.0.9.2")
    front = stage.httpd(CLUSTER_OF_9 + "BackhandRetries 0\nBackhand removeSelf\n", address="127.0.9.1")
    front.knows(server)
    server.knows(front)
    assert front.get("/dyn/page", source="127.0.0.5").status == 503
    assert front.status().servers[server.id]["failed"] == 1 and "BH0433" not in front.log.text()


def test_a_proxypass_round_two_servers_ends(stage, mpm):
    """Each has the other for its application: what goes round is not passed on by chains any more."""
    first, second = (stage.httpd(CLUSTER_OF_9, address=f"127.0.9.{number}", mpm=mpm) for number in (1, 2))
    for server, other in ((first, second), (second, first)):
        server.configure(
            CLUSTER_OF_9 + "<Location /dyn>\nBackhand removeSelf\n</Location>\n<Location /dyn/1>\nProxyPass "
            f"http://{other.id}/dyn/2\n"
            "</Location>\n"
        )
        server.put("dyn/2", f"{server.name} has it\n")
        server.restart()
    first.knows(second)
    second.knows(first)
    answer = first.get("/dyn/1", source="127.0.0.5")
    assert answer.status == 200 and answer.text.endswith("has it\n")
