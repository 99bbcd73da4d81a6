# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a candidacy function in Perl costs: `Tests/Bench/Perl/cost.py`, beside the same in C and as an empty handler of
mod_perl's. docs/perl.md has the figures.

Instructions are counted by callgrind (prefork -X): nearly the same on every run.
"""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from Bench import bench  # noqa: E402
from harness.apxs import HEADERS, compiled  # noqa: E402
from harness.httpd import REPOSITORY  # noqa: E402
from harness.perl import by_perl, package, searching  # noqa: E402
from harness.stage import Stage  # noqa: E402

# byPerl may cost so many times what an empty handler costs.
MOST_RATIO = 2.5
FEW, MORE, ALL = 16, 512, 2000

SUBS = """
use Apache::Backhand ();
our $s;
sub child_init { $s = Apache::Backhand::load_serverstats(); 0 }
sub same { $_[1] }
sub memory { my ($r, $ids, $wanted) = @_; [grep { $s->[$_]{amem} >= $wanted } @$ids] }
"""
IDENTITY = """
#include "httpd.h"
#include "mod_backhand.h"
int identity(request_rec *r, ServerSlot *servers, int *n, char *arg) { return *n; }
"""


class Costs:
    """Instructions of a request by what stands in its section, more than without that."""

    def __init__(self, stage):
        self.stage = stage
        package(stage.folder, "Subs", SUBS)
        page = (REPOSITORY / "docs/writing-a-candidacy-function.md").read_text()
        self.memory = compiled(stage.folder, "byMemory", page.partition("```c\n")[2].partition("```")[0])
        self.identity = compiled(stage.folder, "identity", IDENTITY)

    @functools.cache  # noqa: B019  # it lives as long as the measurement
    def whole(self, lines, servers):
        return bench.per_request(
            self.stage,
            bench.BACKHAND
            + searching(self.stage.folder)
            + "PerlModule Subs\nPerlChildInitHandler Subs::child_init\n"
            + f"BackhandMode Observe\n<Location />\nBackhand byAge 3600\n{lines}</Location>\n",
            "/index.html",
            planted=servers - 1,
            more=("perl",),
        )

    def of(self, lines, servers=FEW):
        return self.whole(lines, servers) - self.whole("", servers)

    def handler(self):
        return self.of("PerlFixupHandler Subs::same\n")

    def perl(self, sub="Subs::same", servers=FEW):
        return self.of(by_perl(sub), servers)

    def c(self, file, name, servers=FEW):
        return self.of(f"BackhandFromSO {file} {name}\n", servers)

    def swift(self):
        """The template's function; None: there is no Swift."""
        if not shutil.which("swift"):
            return None
        folder = self.stage.folder / "template"
        shutil.copytree(
            REPOSITORY / "httpd-conf-examples/swift-function", folder, ignore=shutil.ignore_patterns(".build")
        )
        build = ["swift", "build", "-c", "release", "-Xcc", HEADERS]
        subprocess.run(build, cwd=folder, check=True, capture_output=True)
        return self.c(folder / ".build/release/libbyMemory.so", "byMemory 512")


def main():
    with Stage("cost") as stage:
        costs = Costs(stage)
        handler, identity = costs.handler(), costs.perl()
        print(f"an empty PerlFixupHandler: {handler:,.0f} instructions")
        good = bench.judge(f"byPerl with the same sub, {FEW} servers, as a ratio", identity / handler, MOST_RATIO)
        print(f"byPerl with an identity sub, {FEW} servers: {identity:,.0f}")
        for servers in (MORE, ALL):
            print(f"the same, {servers} servers: {costs.perl(servers=servers):,.0f}")
        print(f"an identity function in C, {FEW} servers: {costs.c(costs.identity, 'identity'):,.0f}")
        print(f"byMemory in C, {FEW} servers: {costs.c(costs.memory, 'byMemory 512'):,.0f}")
        print(f"the same in Swift: {costs.swift():,.0f}")
        print(f"the same in Perl: {costs.perl('Subs::memory 512'):,.0f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
