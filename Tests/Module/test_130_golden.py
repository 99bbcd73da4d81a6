# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Published configurations of mod_backhand, word for word, after the edits of docs/upgrading-from-mod_backhand.md.

Each is checked by httpd as its administrator would copy it. Each that has a chain or a cluster is then started, with
this machine's addresses in the place of theirs, and asked for its chain. Sources: the project's pages, the technical
report CNDS-2000-2, "Apache: The Definitive Guide" (3rd edition), a wiki page, and mails.
"""

import re

import pytest
from harness.httpd import BUILD, MODULES
from harness.perl import LIBRARIES, package
from harness.stage import CLUSTER

CNDS = """\
LoadModule backhand_module libexec/mod_backhand.so
AddModule mod_backhand.c
<IfModule mod_backhand.c>
    UnixSocketDir /var/backhand/backhand
#   MulticastStats 128.220.221.255:4445
    MulticastStats 239.255.221.20:4445,1
    AcceptStats 128.220.221.0/24
</IfModule>
<Location "/backhand/">
    SetHandler backhand-handler
</Location>
"""

# Printed with two oddities: BackhandbyAge is a typo, BackHand is none.
AD3 = """\
LoadModule backhand_module libexec/mod_backhand.so
UnixSocketDir @@ServerRoot@@/backhand
# MulticastStats 128.220.221.255:4445
MulticastStats 225.220.221.20:4445,1
AcceptStats 128.220.221.0/24
<Location "/backhand/">
  SetHandler backhand-handler
</Location>
<Directory cgi-bin>
BackhandbyAge 6
BackhandFromSO libexec/byHostname.so byHostname (sun|alpha)
Backhand byRandom
BackHand byLogWindow
Backhand byLoad
</Directory>
"""

TR_STATS = """\
MulticastStats 10.0.5.255:4445
MulticastStats 10.0.5.10 10.0.5.255:4445
MulticastStats 240.220.221.20:4445,3
MulticastStats 10.0.5.10 240.220.221.20:4445,3
AcceptStats 10.0.5.1
AcceptStats 10.0.0.0/16
"""

TR_LEAST_LOADED = """\
Backhand byAge
Backhand byLoad
"""

TR_WINDOW = """\
Backhand byAge 2
BackhandFromSO libexec/byHostname.so byHostname alpha
Backhand byRandom
Backhand byLogWindow
Backhand byLoad
"""

WLUG_BALANCER = """\
LoadModule backhand_module libexec/apache/mod_backhand.so
AddModule mod_backhand.c
<IfModule mod_backhand.c>
UnixSocketDir /var/backhand/
MulticastStats 10.58.4.1 239.255.221.20:4445,1
AcceptStats 10.58.4.0/24
<Directory /usr/local/www/htdocs/>
AllowOverride None
Options None
Order allow,deny
Allow from all
Backhand removeSelf
Backhand byAge 6
Backhand byRandom
Backhand byLogWindow
Backhand byLoad
</Directory>
</IfModule>
DocumentRoot /usr/local/www/data
<Location "/backhand/">
SetHandler backhand-handler
</Location>
"""

AD3_TWO_NETS = """\
MulticastStats 10.0.0.4 10.0.0.255:4445
AcceptStats 10.0.0.0/24
"""

AD3_HOSTNAME = """\
BackhandFromSO libexec/byHostname.so byHostname www
"""

PERL = """\
PerlModule Apache::Backhand
BackhandFromSO libexec/byPerl.so byPerl Package::function
"""

SELF_REDIRECT = """\
BackhandSelfRedirect On
"""

USER_2001 = """\
<Location />
Backhand byAge
Backhand byRandom
Backhand byLogWindow
Backhand byLoad
</Location>
<Location /backhand/>
Backhand backhand_off
</Location>
"""

# The edits, in the order and with the numbers of the guide. Here the folder is that of this build; the guide has
# "modules/".
EDITS = {
    1: [(r"(?m)^LoadModule backhand_module .*\n", f"LoadModule backhand_module {BUILD}/mod_backhand.so\n")],
    2: [(r"(?m)^AddModule mod_backhand\.c\n", "")],
    3: [(r"(?m)^Order allow,deny\nAllow from all\n", "Require all granted\n")],
    4: [(r"libexec/byHostname\.so", f"{BUILD}/byHostname.so")],
    5: [(r"(?m)^(PerlModule Apache::Backhand)\n", f"LoadModule perl_module {MODULES}/mod_perl.so\n{LIBRARIES}\\1\n")],
    6: [(r"<Directory cgi-bin>", "<Directory ${root}/cgi-bin>")],
}

# Words that stand for something of the administrator's own.
ROOT = (r"@@ServerRoot@@", "${root}")


def edited(config, *others):
    """The configuration after all edits of the guide."""
    for replacements in EDITS.values():
        for old, new in replacements:
            config = re.sub(old, new, config)
    for old, new in others:
        config, count = re.subn(old, new, config)
        assert count, f"{old} does not occur"
    return config


def check(stage, config):
    """What httpd -t says. The module is loaded by the example's own line if it has one; LoadModule twice is a warning
    only."""
    server = stage.httpd(config, start=False, **without_backhand(config))
    return server.test_config()


def without_backhand(config):
    return {"without": ["backhand"]} if "LoadModule backhand_module" in config else {}


FIXED_TYPO = (r"BackhandbyAge 6", "Backhand byAge 6")
# httpd's check wants this folder to exist.
DATA = (r"/usr/local/www/data", "${root}/htdocs")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(edited(CNDS), id="cnds"),
        pytest.param(edited(AD3, ROOT, FIXED_TYPO), id="ad3"),
        pytest.param(edited(TR_LEAST_LOADED), id="tr-least-loaded"),
        pytest.param(edited(TR_WINDOW), id="tr-window"),
        pytest.param(edited(WLUG_BALANCER, DATA), id="wlug-balancer"),
        pytest.param(edited(AD3_TWO_NETS), id="ad3-two-nets"),
        pytest.param(edited(AD3_HOSTNAME), id="ad3-hostname"),
        pytest.param(edited(PERL), id="perl"),
        pytest.param(edited(SELF_REDIRECT), id="selfredirect"),
        pytest.param(edited(USER_2001), id="user-2001"),
    ],
)
def test_example_is_accepted(stage, config):
    assert check(stage, config) == (0, "Syntax OK\n")


def test_reserved_groups_are_accepted_with_a_warning(stage):
    code, text = check(stage, edited(TR_STATS))
    lines = text.splitlines()
    assert code == 0 and lines[-1] == "Syntax OK"
    assert len(lines) == 3 and all("BH0104: MulticastStats at " in line for line in lines[:2])


@pytest.mark.parametrize(
    "config, reasons",
    [
        pytest.param(edited(AD3, ROOT), ["Invalid command 'BackhandbyAge'"], id="the typo"),
        pytest.param(CNDS, ["libexec/mod_backhand.so", "No such file"], id="1 LoadModule"),
        pytest.param(re.sub(*EDITS[1][0], CNDS), ["Invalid command 'AddModule'"], id="2 AddModule"),
        pytest.param(
            edited(WLUG_BALANCER).replace("Require all granted", "Order allow,deny"),
            ["Invalid command 'Order'"],
            id="3 Order",
        ),
        pytest.param(
            edited(WLUG_BALANCER).replace("Require all granted", "Allow from all"),
            ["Invalid command 'Allow'"],
            id="3 Allow",
        ),
        pytest.param(PERL, ["Invalid command 'PerlModule'"], id="5 PerlModule"),
        pytest.param(PERL.partition("\n")[2], ["BackhandFromSO: ", "/byPerl.so", "undefined symbol: "], id="5 byPerl"),
    ],
)
def test_what_was_not_edited_is_refused_with_the_reason(stage, config, reasons):
    code, text = check(stage, config)
    assert code == 1
    assert [reason for reason in reasons if reason not in text] == [], text


# ---- Started, with addresses of this machine ----

# What the examples' own lines say, but for the stage's group and address.
HERE = [(r"239\.255\.221\.20:4445|225\.220\.221\.20:4445", "${group}")]


def chain(server, path, **how):
    """Names of the chain's functions, from the trace."""
    return [name for name, _ in server.get(path, **how).trace.left]


def start(stage, config, **how):
    server = stage.httpd("BackhandTrace On\n" + config, **without_backhand(config), **how)
    server.knows()
    return server


@pytest.mark.parametrize(
    "config, expected",
    [
        pytest.param(TR_LEAST_LOADED, ["byAge", "byLoad"], id="tr-least-loaded"),
        pytest.param(TR_WINDOW, ["byAge", "byHostname", "byRandom", "byLogWindow", "byLoad"], id="tr-window"),
        pytest.param(AD3_HOSTNAME, ["byHostname"], id="ad3-hostname"),
    ],
)
def test_chain_runs(stage, config, expected):
    """An example without statistics lines gets those of the stage."""
    server = start(stage, CLUSTER + edited(config))
    assert chain(server, "/") == expected


def test_perl_runs(stage):
    """PerlModule and byPerl as they stood, and a sub that was written for mod_perl 1, with Apache2::compat."""
    package(
        stage.folder,
        "Package",
        "use Apache2::compat ();\n"
        "sub function { my ($r, $s) = @_; my (@servers) = @{$s}; return $r->header_in('Host') ? \\@servers : [] }\n",
    )
    server = start(stage, CLUSTER + edited(PERL).replace("PerlModule", f"PerlSwitches -I{stage.folder}\nPerlModule"))
    assert server.get("/").trace.left == [("byPerl", 1)]


def test_user_2001_runs(stage):
    """The answer to that mail: the status page needs no exemption, and backhand_off is one."""
    server = start(stage, CLUSTER + edited(USER_2001), files={"backhand/page.html": "here"})
    assert chain(server, "/") == ["byAge", "byRandom", "byLogWindow", "byLoad"]
    answer = server.get("/backhand/page.html")
    assert answer.status == 200 and not answer.header("Backhand-Trace")


def test_cnds_runs(stage):
    server = start(
        stage,
        edited(
            CNDS,
            (r"/var/backhand/backhand", "${sockets}"),
            (r"MulticastStats 239\.", "MulticastStats ${address} 239."),
            *HERE,
            (r"AcceptStats 128\.220\.221\.0", "AcceptStats 127.0.9.0"),
        ),
        address="127.0.9.1",
    )
    other = stage.httpd(
        "UnixSocketDir ${sockets}\nMulticastStats ${address} ${group}\nAcceptStats 127.0.9.0/24\n", address="127.0.9.2"
    )
    server.knows(other)
    assert "<h1>Backhand status</h1>" in server.get("/backhand/").text


@pytest.mark.parametrize(
    "folder, expected",
    [("${root}/cgi-bin", ["byAge", "byHostname", "byRandom", "byLogWindow", "byLoad"]), ("cgi-bin", None)],
)
def test_ad3_runs(stage, folder, expected):
    """With the typo mended. A relative <Directory> is read without complaint, and matches nothing: edit 6."""
    config = edited(
        AD3,
        (r"@@ServerRoot@@/backhand", "${sockets}"),
        FIXED_TYPO,
        (r"MulticastStats 225\.", "MulticastStats ${address} 225."),
        *HERE,
        (r"AcceptStats 128\.220\.221\.0", "AcceptStats 127.0.9.0"),
        (r"<Directory .*>", f"<Directory {folder}>"),
    )
    server = start(
        stage,
        config,
        address="127.0.9.1",
        cgi=True,
        files={"cgi-bin/x": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nx'\n"},
    )
    answer = server.get("/cgi-bin/x")
    assert answer.status == 200
    assert (answer.trace and [name for name, _ in answer.trace.left]) == expected


def test_wlug_balancer_runs(stage):
    """The wiki's balancer with a server behind it: everything goes there."""
    config = edited(
        WLUG_BALANCER,
        (r"/var/backhand/", "${sockets}"),
        (r"MulticastStats 10\.58\.4\.1", "MulticastStats ${address}"),
        *HERE,
        (r"AcceptStats 10\.58\.4\.0", "AcceptStats 127.0.9.0"),
        (r"/usr/local/www/htdocs/", "${root}/htdocs/"),
        DATA,
    )
    balancer = start(stage, config, address="127.0.9.1", files={"page.html": "balancer"})
    server = stage.httpd(
        "UnixSocketDir ${sockets}\nMulticastStats ${address} ${group},1\nAcceptStats 127.0.9.0/24\nAcceptStats "
        "127.0.0.1\n",
        address="127.0.9.2",
        files={"page.html": "server"},
    )
    balancer.knows(server)
    server.knows(balancer)
    answer = balancer.get("/page.html", source="127.0.0.50")
    assert answer.text == "server"
    assert [name for name, _ in answer.trace.left] == ["removeSelf", "byAge", "byRandom", "byLogWindow", "byLoad"]
    assert "<h1>Backhand status</h1>" in balancer.get("/backhand/").text
