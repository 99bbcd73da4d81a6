# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A site in which httpd makes more than one request of one: subrequests, fast and internal redirects.

MALLOC_PERTURB_ and MaxMemFree make reading what is gone end the child, and the error log's check takes a child's crash
for a failure.
"""

import time

from .stage import CLUSTER
from .wait import wait_for

ENVIRONMENT = {"MALLOC_PERTURB_": "165"}
MODULES = ("actions", "autoindex", "deflate", "filter", "include", "negotiation", "rewrite", "setenvif")

SITE = """
MaxMemFree 1
AddType text/html .html .shtml
AddType text/plain .txt
AddOutputFilter INCLUDES .shtml
AddHandler type-map .var
AddHandler acted .act
Action acted /cgi-bin/acted
ErrorDocument 404 /errors/missing.txt
ErrorDocument 403 /cgi-bin/error
ErrorDocument 500 /errors/broken.shtml
<Directory ${root}/htdocs>
    Options +FollowSymLinks +Includes +Indexes
</Directory>
<Directory ${root}/htdocs/fast>
    DirectoryIndex index.shtml index
</Directory>
<Files "index*">
    Header set X-Files "index"
</Files>
<Directory ${root}/htdocs/views>
    Options +MultiViews
</Directory>
<Files "page*">
    Header set X-Files "page"
</Files>
<Directory ${root}/htdocs/fallback>
    FallbackResource /fallback/all.txt
</Directory>
<Directory ${root}/htdocs/controller>
    RewriteEngine On
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^(.*)$ front.txt?route=$1 [L,QSA]
</Directory>
<Directory ${root}/htdocs/scripted>
    RewriteEngine On
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^(.*)$ /cgi-bin/echo?route=$1 [L,QSA]
</Directory>
<Directory ${root}/htdocs/forbidden>
    Require all denied
</Directory>
<If "%{QUERY_STRING} == 'if'">
    Header set X-If "yes"
</If>
<Location /packed>
    SetOutputFilter DEFLATE
</Location>
"""

SCRIPT = "#!/bin/sh\necho Content-Type: text/plain\necho\n"
FILES = {
    "fast/index.shtml": '<!--#echo var="DOCUMENT_NAME" -->, fast\n',
    "views/page.html": "a view\n",
    "views/page.html.gz": b"?",
    "fallback/all.txt": "fallback\n",
    "controller/front.txt": "controller\n",
    "controller/file.txt": "a file\n",
    "scripted/file.txt": "a file\n",
    "forbidden/secret.txt": "secret\n",
    "errors/missing.txt": "missing\n",
    "errors/broken.shtml": 'broken <!--#echo var="REDIRECT_STATUS" -->\n',
    "ssi/part.txt": "part",
    "ssi/virtual.shtml": '[<!--#include virtual="part.txt" -->]\n',
    "ssi/script.shtml": '[<!--#include virtual="/cgi-bin/part" -->]\n',
    "ssi/folder.shtml": '[<!--#include virtual="/fast/" -->]\n',
    "ssi/missing.shtml": '[<!--#include virtual="/nowhere" onerror="/ssi/part.txt" -->]\n',
    "ssi/rewritten.shtml": '[<!--#include virtual="/controller/x" -->]\n',
    "ssi/view.shtml": '[<!--#include virtual="/views/page" -->]\n',
    "map.var": "URI: map.txt\n\nURI: map.txt\nContent-type: text/plain\n",
    "map.txt": "mapped\n",
    "some.act": "not shown\n",
    "packed/text.txt": "packed\n" * 100,
    "large.bin": b"0123456789abcdef" * 500_000,
    "listing/one.txt": "1",
    "cgi-bin/acted": SCRIPT + 'echo "acted on $PATH_INFO"\n',
    "cgi-bin/error": SCRIPT + 'echo "error $REDIRECT_STATUS"\n',
    "cgi-bin/echo": SCRIPT + 'echo "$REQUEST_METHOD $QUERY_STRING"\ncat\n',
    "cgi-bin/part": SCRIPT + "printf part\n",
    "cgi-bin/broken": "#!/bin/sh\nexit 1\n",
    "cgi-bin/local": "#!/bin/sh\nprintf 'Location: /fast/\\n\\n'\n",
}

# Path, what the request has beside it, and status and text of its answer.
SITUATIONS = {
    "fast redirect": ("/fast/", {}, 200, "index.shtml, fast\n"),
    "MultiViews": ("/views/page", {}, 200, "a view\n"),
    "MultiViews, missing": ("/views/none", {}, 404, "missing\n"),
    "FallbackResource": ("/fallback/any/thing", {}, 200, "fallback\n"),
    "front controller": ("/controller/a/route", {}, 200, "controller\n"),
    "front controller, a file": ("/controller/file.txt", {}, 200, "a file\n"),
    "front controller, a script": ("/scripted/a", {"method": "POST", "body": b"body"}, 200, "POST route=a\nbody"),
    "type map": ("/map.var", {}, 200, "mapped\n"),
    "Action": ("/some.act", {}, 200, "acted on /some.act\n"),
    "ErrorDocument, a file": ("/nowhere", {}, 404, "missing\n"),
    "ErrorDocument, of a POST": ("/nowhere", {"method": "POST", "body": b"body"}, 404, "missing\n"),
    "ErrorDocument, a script": ("/forbidden/secret.txt", {}, 403, "error 403\n"),
    "ErrorDocument, SSI": ("/cgi-bin/broken", {}, 500, "broken 500\n"),
    "script's local redirect": ("/cgi-bin/local", {}, 200, "index.shtml, fast\n"),
    "SSI of a file": ("/ssi/virtual.shtml", {}, 200, "[part]\n"),
    "SSI of a script": ("/ssi/script.shtml", {}, 200, "[part]\n"),
    "SSI of a folder": ("/ssi/folder.shtml", {}, 200, "[folder.shtml, fast\n]\n"),
    "SSI of what is missing": ("/ssi/missing.shtml", {}, 200, "[part]\n"),
    "SSI of a front controller": ("/ssi/rewritten.shtml", {}, 200, "[controller\n]\n"),
    "SSI of a view": ("/ssi/view.shtml", {}, 200, "[a view\n]\n"),
    "<If>": ("/index.html?if", {}, 200, None),
    "HEAD": ("/fast/", {"method": "HEAD"}, 200, ""),
    "redirect to the folder": ("/fast", {}, 301, None),
    "OPTIONS": ("/fast/", {"method": "OPTIONS"}, 200, None),
    "not modified": ("/ssi/part.txt", {"headers": {"If-None-Match": "*"}}, 304, ""),
    "listing": ("/listing/", {}, 200, None),
}


class Site:
    """An httpd with all of this: asked directly, with a chain that leaves the request here, or behind a front that
    sends all requests to it."""

    def __init__(self, stage, mpm, door, config=""):
        self.server = stage.httpd(
            CLUSTER + SITE + "Backhand byAge 600\n" + config,
            mpm=mpm,
            cgi=True,
            modules=(*MODULES, *self.further(config)),
            files=FILES,
            environment=ENVIRONMENT,
            group=stage.new_group(),
            address="127.0.9.2",
            children=1,
            workers=16 if mpm != "prefork" else None,
        )
        self.server.log.always(r"before headers: broken|AH01630|AH01374|unable to include|AH00128")
        self.asked = self.server
        self.front = None
        if door == "pair":
            self.front = self.asked = stage.httpd(
                CLUSTER + "MaxMemFree 1\nBackhand removeSelf\nBackhand byAge 600\n" + config,
                mpm=mpm,
                environment=ENVIRONMENT,
                group=self.server.group,
                address="127.0.9.3",
                modules=self.further(config),
                children=1,
                workers=16 if mpm != "prefork" else None,
            )
            self.front.knows(self.server)
            self.server.knows(self.front)
        self.server.status()

    @staticmethod
    def further(config):
        return ("http2",) if "h2c" in config else ()

    def counted(self):
        """Answered, failed and in flight here; the same of the server at the front."""
        tables = [self.server.status().self] + ([self.front.status().servers[self.server.id]] if self.front else [])
        return [(row["served"], row["failed"], row["in_flight"]) for row in tables]

    def expect(self, before, good, failed=0):
        """Waits until exactly so many more are counted, and none is in flight."""
        wanted = [(served + good, errors + failed, 0) for served, errors, _ in before]
        # For the front a server that says 500 has answered.
        wanted[1:] = [(served + good + failed, errors, 0) for served, errors, _ in before[1:]]
        wait_for(lambda: self.counted() == wanted, 5, f"{wanted}", show=self.counted)
        time.sleep(0.1)
        assert self.counted() == wanted
