# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An answer that passes through two httpds of one configuration is as one of them alone would give it: headers and
content filters."""

import gzip
import os

import pytest
from harness.stage import CLUSTER, CLUSTER_OF_9

MODULES = (
    "brotli",
    "cgid",
    "charset_lite",
    "deflate",
    "expires",
    "ext_filter",
    "filter",
    "http2",
    "include",
    "negotiation",
    "request",
    "session",
    "session_cookie",
    "setenvif",
    "substitute",
    "usertrack",
)

# Folder -> configuration of it.
SECTIONS = {
    "set": "Header set X-A one\n",
    "always-set": 'Header always set Access-Control-Allow-Origin "*"\nHeader always set X-Frame-Options DENY\n',
    "both-set": "Header set X-A one\nHeader always set X-A one\n",
    "unset-and-always-set": "Header unset X-Application\nHeader always set X-Application ours\n",
    "add": 'Header add X-A one\nHeader add Link "</a.css>; rel=preload, </b.css>; rel=preload"\n',
    "always-add": "Header always add X-A one\nHeader always add X-A two\n",
    "append": "Header append X-A one\nHeader append X-Application more\nHeader append Vary Cookie\n",
    "always-append": "Header always append X-A one\nHeader always append Vary Cookie\n",
    "merge": "Header merge X-A one\nHeader merge Vary Cookie\nHeader merge Cache-Control no-transform\n",
    "always-merge": 'Header always merge Vary Cookie\nHeader always merge Cache-Control "private, max-age=60"\n',
    "unset": "Header unset X-Application\nHeader always unset X-Application\nHeader unset ETag\n",
    "edit": 'Header edit X-Application "^(.*)$" "<$1>"\nHeader edit Set-Cookie "^(.*)$" "$1; Secure"\n',
    "note": 'Header echo ^Host$\nHeader set X-Time "%t" "expr=false"\n',
    "cache": 'Header set Cache-Control "public, max-age=300"\nHeader always set Pragma no-cache\n',
    "cache-always": 'Header always set Cache-Control "no-store"\nHeader always set Expires "Thu, 01 Jan 2026 '
    '00:00:00 GMT"\n',
    "policy": "Header always set Content-Security-Policy \"default-src 'self'; img-src *, data:\"\n"
    'Header always set Strict-Transport-Security "max-age=1"\n',
    "cookies": 'Header add Set-Cookie "a=1; Path=/"\nHeader always add Set-Cookie "b=2; Path=/x; Domain=shop.test"\n',
    "expires": 'ExpiresActive On\nExpiresDefault "access plus 1 year"\n',
    "includes": "Options +Includes\nSetOutputFilter INCLUDES\n",
    "substitute": "SetOutputFilter SUBSTITUTE\nSubstitute s/a/aa/\n",
    "substitute-by-type": "AddOutputFilterByType SUBSTITUTE text/html text/plain\nSubstitute s/a/aa/\n",
    "deflate": "SetOutputFilter DEFLATE\n",
    "deflate-by-type": "AddOutputFilterByType DEFLATE text/html text/plain\n",
    "brotli": "SetOutputFilter BROTLI_COMPRESS\n",
    "charset": "CharsetSourceEnc ISO-8859-1\nCharsetDefault UTF-8\n",
    "ext": "SetOutputFilter doubler\n",
    "several": "SetOutputFilter INCLUDES;SUBSTITUTE;DEFLATE\nOptions +Includes\nSubstitute s/a/aa/\n",
    "smart": 'FilterProvider smart SUBSTITUTE "%{CONTENT_TYPE} =~ m#text#"\nFilterChain smart\nSubstitute s/a/aa/\n',
    "views": "Options +MultiViews\nAddLanguage en .en\nAddLanguage de .de\n",
    "encoded": "AddEncoding x-gzip .gz\nAddLanguage en .en\nAddType text/html .html\nAddDefaultCharset utf-8\n",
    "errors": "ErrorDocument 404 /includes/error.html\nSetOutputFilter INCLUDES;DEFLATE\nOptions +Includes\n",
}

PAGE = "a page of a: \xe4\n" * 40  # worth compressing
FILES = {
    "includes/error.html": '<!--#set var="x" value="&lt;!--#echo var=HTTP_HOST --&gt;" -->error <!--#echo '
    'encoding="none" var="QUERY_STRING" --> ',
    "views/page.html.en": "english",
    "views/page.html.de": "deutsch",
    "encoded/file.html.en.gz": gzip.compress(b"text", mtime=0),
}
for name in SECTIONS:
    FILES.setdefault(f"{name}/page.html", PAGE.encode("latin-1"))

SCRIPT = """#!/bin/sh
echo "Content-Type: text/plain"
echo "X-Application: its own"
echo "Set-Cookie: application=1; Path=/"
echo "Set-Cookie: application=2; Path=/y"
echo "Vary: Accept"
echo "Cache-Control: max-age=60"
echo "$QUERY_STRING" | grep -q Status && echo "Status: ${QUERY_STRING#Status=}"
echo
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "aa <!--#echo var='DOCUMENT_URI' -->"; done
"""

SHARED = (
    'ExtFilterDefine doubler mode=output cmd="/bin/sed s/a/aa/g"\nSSIEndTag "-->"\nProtocols h2c http/1.1\nFileETag '
    "Size\n"
    + "".join(
        f"<LocationMatch ^/(cgi-bin/)?{name}(/|$)>\n{lines}</LocationMatch>\n" for name, lines in SECTIONS.items()
    )
)
CHAIN = "<Location />\nBackhand removeSelf\n</Location>\n"


class Cluster:
    """Two httpds of one configuration, the first of which sends everything to the second; and one that is alone."""

    def __init__(self, stage, config=SHARED, mpm="event", **how):
        how = {"files": {**FILES, **{f"cgi-bin/{name}": SCRIPT for name in SECTIONS}}, "cgi": True, "mpm": mpm, **how}
        modules = [name for name in how.pop("modules", MODULES) if name != "cgid"]
        how["modules"] = [name for name in modules if not (name == "http2" and mpm == "prefork")]
        if mpm == "prefork":
            config = config.replace("Protocols h2c http/1.1\n", "")
        self.alone = stage.httpd(config, name="alone", without=("backhand",), **how)
        self.front, self.server = (
            stage.httpd(CLUSTER + CHAIN + config, name=name, address=f"127.0.9.{number}", **how)
            for number, name in ((1, "front"), (2, "server"))
        )
        self.front.knows(self.server)
        self.server.knows(self.front)
        for httpd in (self.alone, self.front, self.server):
            for path in (httpd.root / "htdocs").rglob("*"):
                os.utime(path, (1_700_000_000,) * 2)

    def both(self, path, **how):
        """What a client gets of the one that is alone, and of the front."""
        how = {"headers": {"Host": "shop.test", **how.pop("headers", {})}, **how}
        for _ in range(20):
            answers = self.alone.get(path, **how), self.front.get(path, **how)
            # Expires is a moment, too: both must have answered in the same second.
            if answers[0].header("Date") == answers[1].header("Date"):
                break
        assert self.server.logged(path.partition("?")[0])
        return answers


def told(answer, ignored=()):
    """The header without what names the moment or the connection. Lines of one name in their order."""
    ignored = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", *ignored}
    return sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in ignored)


@pytest.fixture(scope="module")
def cluster(mpm_stage, module_mpm):
    return Cluster(mpm_stage, mpm=module_mpm)


@pytest.mark.parametrize(
    "path", ["/{}/page.html", "/cgi-bin/{}", "/cgi-bin/{}?Status=404", "/{}/missing", "/cgi-bin/{}?Status=302"]
)
@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_as_one_httpd_alone(cluster, name, path, method):
    accept = {"Accept-Encoding": "br" if name == "brotli" else "gzip", "Accept-Language": "en"}
    alone, front = cluster.both(path.format(name), method=method, headers=accept)
    assert (front.status, told(front)) == (alone.status, told(alone))
    assert front.body == alone.body
    assert front.header("Backhand-Filtered") is None


@pytest.mark.parametrize("name", SECTIONS)
def test_not_modified(cluster, name):
    path = f"/{name}/page.html"
    first = cluster.alone.get(path, headers={"Host": "shop.test"})
    condition = {"If-Modified-Since": first.header("Last-Modified") or "Thu, 01 Jan 2099 00:00:00 GMT"}
    alone, front = cluster.both(path, headers=condition)
    assert (front.status, told(front), front.body) == (alone.status, told(alone), alone.body)


# ---- What only the front does to the server's header ----


@pytest.mark.parametrize(
    "there", ["", "Header set X-Any thing\n", 'Header edit Set-Cookie ^(.*)$ "$1; Secure; HttpOnly"\n']
)
def test_attributes_of_cookies_that_the_front_adds(stage, mpm, there):
    """Once, whether the server adds them too or not; the value is the server's."""
    server = stage.httpd(
        CLUSTER_OF_9 + there,
        address="127.0.9.2",
        cgi=True,
        mpm=mpm,
        files={"cgi-bin/page": "#!/bin/sh\nprintf 'Content-Type: text/plain\\nSet-Cookie: sid=1; path=/\\n\\n'\n"},
    )
    front = stage.httpd(
        CLUSTER_OF_9
        + 'BackhandFilters On\nBackhand removeSelf\nHeader edit Set-Cookie ^sid=1(.*)$ "sid=2$1; Secure; HttpOnly; '
        'SameSite=Lax"\n',
        address="127.0.9.1",
        mpm=mpm,
    )
    front.knows(server)
    server.knows(front)
    cookie = front.get("/cgi-bin/page", source="127.0.0.5").header("Set-Cookie")
    assert cookie == "sid=1; path=/; Secure; HttpOnly; SameSite=Lax"
