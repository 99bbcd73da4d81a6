# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Httpds with mod_perl, Apache::Backhand and byPerl.so as `make perl` has built them."""

import atexit
import shutil
import tempfile
import urllib.parse
from pathlib import Path

from .httpd import BUILD
from .stage import CLUSTER_OF_9

BLIB = BUILD / "perl/blib"
BY_PERL = BUILD / "byPerl.so"


def readable(folder):
    """A copy that the user of httpd's children can read: the project may lie in a folder that only its owner can."""
    place = Path(tempfile.mkdtemp(prefix="backhand-perl-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    if folder.is_dir():
        shutil.copytree(folder, place / "blib")
    for each in (place, *place.rglob("*")):
        each.chmod(0o755)
    return place / "blib"


COPY = readable(BLIB)
LIBRARIES = f"PerlSwitches -I{COPY}/lib -I{COPY}/arch\n"


def searching(folder):
    """The lines with which perl finds Apache::Backhand, and the packages of a folder."""
    return f"{LIBRARIES}PerlSwitches -I{folder}\n"


# What decides, and sends nothing on.
OBSERVE = "BackhandTrace On\nBackhandMode Observe\n"


def package(folder, name, source):
    """Writes a package into the folder, which perl_httpd makes perl search."""
    file = folder.joinpath(*name.split("::")).with_suffix(".pm")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"package {name};\nuse strict;\nuse warnings;\n{source}\n1;\n")


def by_perl(sub):
    """The line of a chain for the sub."""
    quoted = sub.replace("\\", "\\\\").replace('"', '\\"')
    return f'BackhandFromSO {BY_PERL} byPerl "{quoted}"\n'


def perl_httpd(stage, config, *, modules=(), cluster=CLUSTER_OF_9, **how):
    """An httpd with mod_perl, which finds the stage's packages."""
    return stage.httpd(cluster + searching(stage.folder) + config, modules=("perl", *modules), **how)


def location(name, *lines):
    """A section with a chain of these lines, which decides without this server."""
    chain = "\n".join(lines)
    return f"<Location /{name}>\nBackhand removeSelf\n{chain}\n</Location>\n"


# Runs the Perl code of a request's query, and answers with its value, or with what it died of.
RUN = r"""
use Apache2::RequestRec ();
use Apache2::RequestIO ();
use Apache2::URI ();
use Apache2::Const -compile => 'OK';
use Apache::Backhand ();
sub handler {
    my $r = shift;
    my $code = Apache2::URI::unescape_url($r->args // '');
    my $value = eval "package main; $code";
    $r->content_type('text/plain');
    $r->print($@ ? "died: $@" : defined $value ? $value : 'undef');
    return Apache2::Const::OK;
}
"""
RUNS = "<Location /run>\nSetHandler modperl\nPerlResponseHandler Run\n</Location>\n"


def run(server, code):
    """What the code gives in a child of this server, which has RUNS and the package Run."""
    answer = server.get("/run?" + urllib.parse.quote(code, safe=""))
    assert answer.status == 200, answer
    return answer.text
