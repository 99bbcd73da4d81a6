# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Httpds with mod_perl, Apache::Backhand and byPerl.so as `make perl` has built them."""

from .httpd import BUILD
from .stage import CLUSTER_OF_9

BLIB = BUILD / "perl/blib"
BY_PERL = BUILD / "byPerl.so"
LIBRARIES = f"PerlSwitches -I{BLIB}/lib -I{BLIB}/arch\n"
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
    return stage.httpd(
        cluster + LIBRARIES + f"PerlSwitches -I{stage.folder}\n" + config, modules=("perl", *modules), **how
    )


def location(name, *lines):
    """A section with a chain of these lines, which decides without this server."""
    chain = "\n".join(lines)
    return f"<Location /{name}>\nBackhand removeSelf\n{chain}\n</Location>\n"
