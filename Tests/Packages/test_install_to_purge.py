# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The Debian packages in a bare Debian, as an administrator meets them: installed, configured, upgraded under load,
removed, purged.

The tests are one story: each begins where the one before it ended. `make check-packages` builds the packages and runs
them.
"""

import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from harness import client
from harness.httpd import BUILD, REPOSITORY
from harness.load import Load
from harness.wait import wait_for
from Packages.bare_debian import BareDebian, why_not

MODULE, TOOLS, ANNOUNCER, DEV = NAMES = (
    "libapache2-mod-backhand",
    "backhand-tools",
    "backhand-announce",
    "backhand-dev",
)
PACKAGES = {name: path for path in (BUILD / "deb").glob("*.deb") if (name := path.name.split("_")[0]) in NAMES}
VERSION = re.search(
    r'#define BACKHAND_VERSION "([^"]+)"', (REPOSITORY / "Sources/CBackhand/include/version.h").read_text()
)[1]
# As long as the one of today, because it is written over it.
NEXT = VERSION[:-1] + chr(ord(VERSION[-1]) + 1)
REASON = why_not() or (None if PACKAGES.keys() == set(NAMES) else f"{BUILD}/deb has not the four packages: make deb")
pytestmark = [pytest.mark.long, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

FRONT = SimpleNamespace(address="127.0.0.1", port=80)
BACK = SimpleNamespace(address="127.0.0.2", port=80)
CONFIGURATION = """
UnixSocketDir /var/lib/backhand
MulticastStats {address}:80 239.255.221.20:4445,1
AcceptStats 127.0.0.0/8
<Location "/app/">
    Backhand byAge 6
    Backhand removeSelf
    BackhandNoCandidate Unavailable
</Location>
"""
# What programs write for themselves while packages come and go, and what the second instance has.
NOT_PACKAGES = re.compile(
    r"(proc|sys|dev|run|tmp|root|usr/local|var/(cache|log|tmp|backups|www|lib/(back|dpkg|apt|apache2)))(/|$)"
    r"|etc/.*-back(/|$)"
)
OURS = ("backhand", "athena", "lbmethod_backhand")
FARM = """
AthEngine On
<AthFarm farm_one>
    AthMember 127.0.0.1:80
</AthFarm>
<Location "/athena">
    Require local
</Location>
"""
GROUP = """
<Proxy "balancer://group">
    BalancerMember "http://127.0.0.1:80"
    ProxySet lbmethod=backhand
</Proxy>
ProxyPass "/group/" "balancer://group/"
"""
# a2enmod has enabled these with the module, and they are apache2's own.
LEFT_ENABLED = {f"etc/apache2/mods-enabled/{name}" for name in ("proxy.load", "proxy.conf", "proxy_http.load")}


@pytest.fixture(scope="module")
def debian():
    """A bare Debian with a running httpd, and the packages in /root."""
    bare = BareDebian()
    try:
        bare.prepare("apache2", "apache2-dev", "gcc", "libc6-dev")
        bare.boot()
        bare.write("/etc/apache2/ports.conf", f"Listen {FRONT.address}:80\nServerName front\n")
        # After Debian's own, which hides the modules.
        bare.write("/etc/apache2/conf-enabled/zz-tokens.conf", "ServerTokens Full\n")
        bare.must("invoke-rc.d", "apache2", "start")
        for package in PACKAGES.values():
            shutil.copy(package, bare.path("/root"))
        bare.before = tree(bare)
        yield bare
    finally:
        bare.close()


def tree(bare):
    """Paths of everything that packages put somewhere."""
    return {
        name for path in bare.root.rglob("*") if not NOT_PACKAGES.match(name := path.relative_to(bare.root).as_posix())
    }


def enabled(bare):
    """The modules that are, by their names."""
    return {path.stem for path in bare.path("/etc/apache2/mods-enabled").glob("*.load")}


def ask(bare, path="/", server=FRONT):
    with bare.namespace.inside():
        return client.request(server.address, server.port, path, timeout=10)


def module_version(bare, server=FRONT):
    """The version of the module that answers; None if httpd runs without it."""
    found = re.search(r"balanced_by_mod_backhand/(\S+)", ask(bare, server=server).header("Server"))
    return found and found[1]


def parent(bare):
    return bare.path("/run/apache2/apache2.pid").read_text().strip()


def install(bare, folder):
    files = [f"/{path.relative_to(bare.root)}" for path in sorted(bare.path(folder).glob("*.deb"))]
    return bare.must("apt-get", "install", "-y", "--no-install-recommends", *files)


def known(bare):
    """How many servers the running httpd knows; 0 while its moderator does not answer."""
    code, said = bare.run("backhandctl", "status", "--json", "--socket", "/var/lib/backhand/backhand-80.sock")
    return len(json.loads(said)["servers"]) if code == 0 else 0


def next_version(bare):
    """The packages of a next version: the same files, but the module says which version it is."""
    folder = bare.path("/root/next")
    for name, package in PACKAGES.items():
        unpacked = folder / name
        unpacked.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "--raw-extract", package, unpacked], check=True)
        control = unpacked / "DEBIAN/control"
        control.write_text(control.read_text().replace(f"\nVersion: {VERSION}", f"\nVersion: {NEXT}"))
        if name == MODULE:
            module = unpacked / "usr/lib/apache2/modules/mod_backhand.so"
            said, says = (b"balanced_by_mod_backhand/" + version.encode() for version in (VERSION, NEXT))
            assert module.read_bytes().count(said) == 1
            module.write_bytes(module.read_bytes().replace(said, says))
            sums = unpacked / "DEBIAN/md5sums"
            sums.write_text(re.sub(r".*mod_backhand\.so\n", "", sums.read_text()))
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", unpacked, folder / f"{name}.deb"],
            check=True,
            capture_output=True,
        )
        shutil.rmtree(unpacked)
    return "/root/next"


def test_lintian_finds_nothing():
    changes = list((BUILD / "deb").glob("*.changes"))
    # Debian has no bug report that asks for the package.
    own = ["--suppress-tags", "initial-upload-closes-no-bugs"]
    result = subprocess.run(
        ["lintian", "--allow-root", *own, *changes], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0 and not re.search("^[EW]: ", result.stdout, re.M), result.stdout + result.stderr


def test_the_package_for_perl_goes_with_the_module():
    """It reads the module's shared memory, so both are of one version. mod_perl would stay when it is purged."""
    (package,) = (BUILD / "deb").glob("libapache-backhand-perl_*.deb")
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    assert f"{MODULE} (= {VERSION}" in depends and "libapache2-mod-perl2" in depends and "perlapi-" in depends
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    names = {line.split()[5] for line in listed.splitlines()}
    assert "./usr/lib/apache2/modules/byPerl.so" in names
    for end in ("/Apache/Backhand.pm", "/Apache/Backhand/byPerl.pm", "/auto/Apache/Backhand/Backhand.so"):
        assert [name for name in names if re.match("./usr/lib/[^/]+/perl5/", name) and name.endswith(end)], end


def test_install_enables_nothing(debian):
    before = parent(debian)
    install(debian, "/root")
    assert parent(debian) == before and module_version(debian) is None
    assert not enabled(debian) & set(OURS)
    assert 0 not in [debian.run("a2query", "-m", name)[0] for name in OURS]
    for name in (
        *(f"/etc/apache2/mods-available/{name}.load" for name in OURS),
        "/etc/apache2/mods-available/backhand.conf",
        *(f"/usr/lib/apache2/modules/mod_{name}.so" for name in OURS),
        "/usr/share/doc/libapache2-mod-backhand/docs/farms.md",
        "/usr/share/doc/libapache2-mod-backhand/docs/from-balancer.md",
        "/usr/share/doc/libapache2-mod-backhand/docs/directives/AthFarm.md",
        "/usr/share/doc/libapache2-mod-backhand/httpd-conf-examples/athena.conf",
        "/usr/share/man/man1/backhand-simulate.1.gz",
        "/usr/lib/apache2/modules/byHostname.so",
        "/usr/share/doc/libapache2-mod-backhand/docs/deploying.md",
        "/usr/bin/backhandctl",
        "/usr/share/man/man1/backhandctl.1.gz",
        "/usr/share/bash-completion/completions/backhandctl",
        "/usr/include/apache2/mod_backhand.h",
        "/usr/bin/backhand-announce",
        "/usr/share/man/man8/backhand-announce.8.gz",
        "/usr/share/doc/backhand-announce/docs/servers-without-httpd.md",
        "/usr/share/doc/backhand-dev/docs/writing-a-candidacy-function.md",
        "/lib/systemd/system/backhand-announce.service",
        "/etc/backhand/announce.conf",
    ):
        assert debian.path(name).is_file(), name
    state = debian.path("/var/lib/backhand").stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o777) == (33, 33, 0o750)
    # The folder of the pages, which the configuration names, is there.
    pages = re.search(
        r"^#.*(/usr/share/doc/\S+)", debian.path("/etc/apache2/mods-available/backhand.conf").read_text(), flags=re.M
    )[1]
    assert debian.path(pages).is_dir()
    assert debian.must("backhandctl", "--version").strip() == VERSION


@pytest.mark.parametrize(
    "name, needs, settings, path, text",
    [
        ("athena", {"backhand", "proxy", "proxy_http"}, FARM, "/athena/balance/?farm_one", "127.0.0.1:80\n"),
        ("lbmethod_backhand", {"backhand", "proxy", "proxy_balancer"}, GROUP, "/group/one.html", "one"),
    ],
)
def test_a_door_is_enabled_by_its_name_alone(debian, name, needs, settings, path, text):
    """With what it needs; with the configuration of the package, it works and complains of nothing."""
    before, lines = enabled(debian), debian.path("/var/log/apache2/error.log").read_text().splitlines()
    debian.write("/var/www/html/one.html", "one")
    debian.must("a2enmod", "-q", name)
    assert enabled(debian) >= {name} | needs
    debian.must("a2enmod", "-q", "proxy_http")  # the scheme of the members
    debian.write("/etc/apache2/conf-enabled/door.conf", settings)
    assert debian.must("apache2ctl", "configtest") == "Syntax OK\n"
    debian.must("apache2ctl", "graceful")
    wait_for(lambda: ask(debian, path).text == text, 20, "the door", show=lambda: ask(debian, path).text)
    said = debian.path("/var/log/apache2/error.log").read_text().splitlines()[len(lines) :]
    assert [line for line in said if re.search(r":(warn|error|crit|alert|emerg)\]", line)] == []
    debian.path("/etc/apache2/conf-enabled/door.conf").unlink()
    debian.must("a2dismod", "-q", "-f", *sorted(enabled(debian) - before))
    debian.must("apache2ctl", "graceful")
    wait_for(lambda: module_version(debian) is None, 20, "httpd without it")
    assert enabled(debian) == before


@pytest.mark.parametrize("package", [MODULE, ANNOUNCER, DEV])
def test_links_of_installed_pages_lead_somewhere(debian, package):
    """Without the rest of the repository, which some pages name."""
    folder = debian.path(f"/usr/share/doc/{package}")
    pages = [*folder.glob("docs/**/*.md"), *folder.glob("httpd-conf-examples/**/*.md")]
    assert len(pages) > 50
    dead = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)\s#]+)", page.read_text())
        if ":" not in link and not re.search("CONTRIBUTING.md|mod_backhand.h", link)
        if not (page.parent / link).exists()
    ]
    assert dead == []


def test_the_announcers_package_needs_no_httpd_and_enables_nothing(debian):
    depends = debian.must("dpkg-query", "-W", "-f", "${Depends}", ANNOUNCER)
    assert {line.split()[0] for line in depends.split(", ")} <= {"libc6", "libssl3", "init-system-helpers"}
    assert not list(debian.path("/etc/systemd").rglob("backhand*"))
    # There is no systemd in this Debian that could do it.
    scripts = [debian.path(f"/var/lib/dpkg/info/{ANNOUNCER}.{name}").read_text() for name in ("postinst", "prerm")]
    assert "deb-systemd-invoke try-restart" in scripts[0] and "deb-systemd-invoke stop" in scripts[1]
    assert debian.must("backhand-announce", "--check-config") == "Syntax OK\n"


def test_an_author_builds_a_function_with_the_package_for_it(debian):
    source = debian.must("find", "/usr/share/doc/backhand-dev/examples", "-name", "byHostname.c").strip()
    debian.must("sh", "-c", f"mkdir /root/own && cd /root/own && cp {source} own.c && apxs -c -n own own.c")
    assert debian.path("/root/own/.libs/own.so").exists()


def test_configured_it_balances(debian):
    """The other httpd of this Debian is a second instance, as README.multiple-instances of Debian's apache2 has it."""
    debian.write("/etc/apache2/mods-available/backhand.conf", CONFIGURATION.format(address=FRONT.address))
    debian.must("a2enmod", "-q", "backhand")
    assert {"proxy.load", "proxy_http.load", "backhand.load"} <= {
        path.name for path in debian.path("/etc/apache2/mods-enabled").iterdir()
    }
    debian.must("sh", "/usr/share/doc/apache2/examples/setup-instance", "back")
    debian.write("/etc/apache2-back/ports.conf", f"Listen {BACK.address}:80\nServerName back\n")
    debian.write(
        "/etc/apache2-back/mods-available/backhand.conf",
        CONFIGURATION.format(address=BACK.address).replace("/var/lib/backhand", "/var/lib/back"),
    )
    debian.must("install", "-d", "-o", "www-data", "/var/lib/back")
    site = debian.path("/etc/apache2-back/sites-available/000-default.conf")
    site.write_text(site.read_text().replace("/var/www/html", "/var/www/back"))
    debian.write("/var/www/back/app/page.html", "back")
    debian.write("/var/www/html/app/page.html", "front")
    debian.must("apache2ctl-back", "start")
    debian.must("apache2ctl", "graceful")
    wait_for(
        lambda: known(debian) == 2, 20, "both to know each other", show=lambda: debian.run("backhandctl", "status")
    )
    answer = ask(debian, "/app/page.html")
    assert (answer.status, answer.text) == (200, "back")
    assert module_version(debian) == VERSION


def test_an_upgrade_is_a_graceful_restart_that_loses_no_request(debian):
    before, folder = parent(debian), next_version(debian)
    with debian.namespace.inside():
        load = Load(
            FRONT, "/app/page.html", new=2, kept=2, good=lambda answer: (answer.status, answer.text) == (200, "back")
        )
        with load:
            wait_for(lambda: load.count > 200, 10, "load")
            install(debian, folder)
            # The table outlives it: the other server is known at once.
            assert known(debian) == 2
            wait_for(lambda: module_version(debian) == NEXT, 10, "the new module")
            after = load.count
            wait_for(lambda: load.count > after + 200, 10, "load with the new module")
    assert load.wrong == []
    assert parent(debian) == before
    assert debian.must("dpkg-query", "-W", "-f", "${Version}", MODULE).startswith(NEXT)
    assert debian.path("/etc/apache2/mods-available/backhand.conf").read_text() == CONFIGURATION.format(
        address=FRONT.address
    )
    # The other instance is its administrator's own to restart.
    assert module_version(debian, BACK) == VERSION
    print(f"{load.count} requests, {load.repeated} repeated, the longest took {load.longest * 1000:.0f} ms")


def test_an_upgrade_leaves_a_broken_configuration_alone(debian):
    site = debian.path("/etc/apache2/sites-available/000-default.conf")
    good = site.read_text()
    site.write_text(good + "Nonsense\n")
    before = parent(debian)
    said = debian.must("dpkg", "-i", f"/root/next/{MODULE}.deb")
    assert "configuration is broken" in said
    assert parent(debian) == before and ask(debian).status == 200
    site.write_text(good)


def test_removed_it_is_disabled_and_the_configuration_stays(debian):
    debian.must("apache2ctl-back", "stop")
    # Those that need the module must go before it.
    debian.must("a2enmod", "-q", "athena")
    debian.must("apache2ctl", "graceful")
    debian.must("apt-get", "remove", "-y", *NAMES)
    assert not enabled(debian) & set(OURS)
    wait_for(lambda: module_version(debian) is None, 20, "httpd without the module")
    assert "bh-moderator" not in debian.must("sh", "-c", "cat /proc/[0-9]*/comm")
    assert (ask(debian, "/app/page.html").text, ask(debian).status) == ("front", 200)
    assert (
        debian.path("/etc/apache2/mods-available/backhand.conf").exists() and debian.path("/var/lib/backhand").is_dir()
    )


def test_purged_nothing_is_left(debian):
    debian.must("install", "-d", "/var/lib/backhand-announce")
    debian.must("apt-get", "purge", "-y", MODULE, ANNOUNCER)
    assert not debian.path("/var/lib/backhand-announce").exists()
    assert not debian.path("/var/lib/backhand").exists()
    assert tree(debian) - debian.before == LEFT_ENABLED
    assert debian.before - tree(debian) == set()
    assert ask(debian).status == 200
