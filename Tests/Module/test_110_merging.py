# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which chain is in force where: the trace tells its functions. The table holds this server alone, so all is served
here."""

import pytest
from harness.stage import CLUSTER

CONFIG = (
    CLUSTER
    + """
BackhandTrace On
Backhand byRandom

<VirtualHost *>
    ServerName inherits.test
    DocumentRoot ${root}/htdocs
</VirtualHost>
<VirtualHost *>
    ServerName replaces.test
    DocumentRoot ${root}/htdocs
    Backhand byLoad
    Backhand byCPU
</VirtualHost>
<VirtualHost *>
    ServerName off.test
    DocumentRoot ${root}/htdocs
    Backhand off
</VirtualHost>

<Directory ${root}/htdocs/dir>
    Backhand byCPU
</Directory>
<Directory ${root}/htdocs/dir/below>
    Require all granted
</Directory>
<Directory ${root}/htdocs/dir/off>
    Backhand off
</Directory>
<Directory ${root}/htdocs/dir/off/on>
    Backhand byAge 6
</Directory>
<Directory ${root}/htdocs/open>
    AllowOverride FileInfo
    Backhand byCPU
</Directory>
<Directory ${root}/htdocs/quiet>
    BackhandTrace Off
</Directory>

<Files special.html>
    Backhand byBusyChildren
</Files>
<Location /place>
    Backhand byCost
</Location>
<Location /dir/place>
    Backhand byCost
    Backhand byLoad 0.5
</Location>
<Location /twice>
    Backhand byLoad
</Location>
<Location /twice>
    Backhand byCPU
</Location>
<If "%{QUERY_STRING} == 'if'">
    Backhand byRandom
    Backhand byCost
</If>
"""
)

PAGES = (
    "page.html",
    "special.html",
    "dir/page.html",
    "dir/below/page.html",
    "dir/special.html",
    "dir/place/page.html",
    "dir/off/page.html",
    "dir/off/on/page.html",
    "open/page.html",
    "open/own/page.html",
    "open/off/page.html",
    "quiet/page.html",
    "place/page.html",
    "twice/page.html",
    "shut/page.html",
)
FILES = dict.fromkeys(PAGES, "here") | {
    "open/own/.htaccess": "Backhand byLoad\n",
    "open/off/.htaccess": "Backhand off\n",
    "shut/.htaccess": "Backhand byLoad\n",  # AllowOverride None: not read
}


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CONFIG, files=FILES)
    server.knows()
    return server


@pytest.mark.parametrize(
    "path, host, functions",
    [
        ("/page.html", "inherits.test", ["byRandom"]),
        ("/page.html", "replaces.test", ["byLoad", "byCPU"]),
        ("/page.html", "off.test", None),
        ("/dir/page.html", "inherits.test", ["byCPU"]),
        ("/dir/page.html", "replaces.test", ["byCPU"]),
        ("/dir/page.html", "off.test", ["byCPU"]),
        ("/dir/below/page.html", "inherits.test", ["byCPU"]),
        ("/dir/off/page.html", "inherits.test", None),
        ("/dir/off/on/page.html", "inherits.test", ["byAge"]),
        ("/open/page.html", "inherits.test", ["byCPU"]),
        ("/open/own/page.html", "inherits.test", ["byLoad"]),
        ("/open/off/page.html", "inherits.test", None),
        ("/shut/page.html", "inherits.test", ["byRandom"]),
        ("/quiet/page.html", "inherits.test", None),
        ("/special.html", "inherits.test", ["byBusyChildren"]),
        ("/dir/special.html", "inherits.test", ["byBusyChildren"]),
        ("/place/page.html", "inherits.test", ["byCost"]),
        ("/dir/place/page.html", "inherits.test", ["byCost", "byLoad"]),
        ("/twice/page.html", "inherits.test", ["byCPU"]),
        ("/page.html?if", "inherits.test", ["byRandom", "byCost"]),
        ("/place/page.html?if", "inherits.test", ["byRandom", "byCost"]),
    ],
)
def test_chain_in_force(server, path, host, functions):
    answer = server.get(path, headers={"Host": host})
    assert (answer.status, answer.body) == (200, b"here")
    if functions is None:
        assert answer.trace is None
    else:
        assert answer.trace.action == "local"
        assert answer.trace.server == server.id
        assert [step.name for step in answer.trace.chain] == functions
