# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Candidacy functions in Perl over many requests: instructions, memory, leaks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from Bench.bench import many
from Bench.Perl.cost import ALL, FEW, MORE, MOST_RATIO, Costs
from harness.announce import Announcement
from harness.perl import OBSERVE, RUN, RUNS, by_perl, package, perl_httpd, searching
from harness.processes import resident
from harness.stage import CLUSTER_OF_9
from harness.valgrind import UnderValgrind

SERVERS = [Announcement(f"127.0.9.{number}", 80, load=number) for number in range(1, 16)]
SUBS = r"""
use Apache2::RequestRec ();
use Apache::Backhand ();
our $s;
sub child_init { $s = Apache::Backhand::load_serverstats(); 0 }
sub chooses {
    my ($r, $ids, $word) = @_;
    my $best = Apache::Backhand::server($ids->[0]);
    $s->[$best->{id}]{load} += 1;
    my $arriba = Apache::Backhand::load_personal_arriba();
    return [sort { $s->[$a]{load} <=> $s->[$b]{load} } grep { $s->[$_]{hostname} ne $r->uri } @$ids];
}
sub dies    { die "on purpose\n" }
sub strange { 'text' }
"""
# Without exit(), of which mod_perl loses 500 bytes each time, in its own handlers too.
CHAIN = "".join(
    [
        "Backhand byAge 3600\n",
        by_perl("Subs::chooses word"),
        by_perl("Subs->can"),
        by_perl("sub { [reverse @{$_[1]}] }"),
        by_perl("Subs::dies"),
        by_perl("Subs::strange"),
        by_perl("Subs::missing"),
        "Backhand byLoad\n",
    ]
)


def chosen(stage, **how):
    package(stage.folder, "Subs", SUBS)
    server = perl_httpd(
        stage,
        # One, which stays. Several of them that allocate at once split the heap, until it has grown by a few per cent:
        # in mod_perl's own handlers, too.
        "PerlInterpStart 1\nPerlInterpMax 1\nPerlInterpMaxRequests 1000000\n"
        + "PerlModule Subs\nPerlChildInitHandler Subs::child_init\nLogLevel crit\n"
        + "BackhandMode Observe\n"
        + f"<Location />\n{CHAIN}</Location>\n",
        **how,
    )
    server.log.allow("BH0170")
    stage.plant(server, *SERVERS)
    return server


def test_cost(stage):
    """An identity sub costs little more than an empty handler, and each server the same."""
    costs = Costs(stage)
    assert costs.perl() / costs.handler() < MOST_RATIO
    first = (costs.perl(servers=MORE) - costs.perl()) / (MORE - FEW)
    then = (costs.perl(servers=ALL) - costs.perl(servers=MORE)) / (ALL - MORE)
    assert 0.8 < then / first < 1.2, (first, then)


@pytest.mark.parametrize("mpm", ["prefork", "event"])
def test_memory_stays(stage, mpm):
    """That of a child after 200,000 requests, within 2 % of that after 20,000."""
    threads = 1 if mpm == "prefork" else 4
    # The event MPM ends kept connections when its threads become few. glibc gives each thread separate memory, and an
    # interpreter runs in all of them, so that it comes to need some in each: that is so without byPerl, too.
    server = chosen(
        stage, mpm=mpm, children=1, workers=1 if mpm == "prefork" else 16, environment={"MALLOC_ARENA_MAX": "1"}
    )

    def ask(count):
        for _ in range(count // 20_000):
            subprocess.run(
                [sys.executable, "-c", ASK, server.address, str(server.port), str(threads), str(20_000 // threads)],
                check=True,
                cwd=Path(__file__).resolve().parents[2],
            )

    (pid,) = server.children()[:1] if mpm == "prefork" else server.children()
    ask(20_000)
    before = resident(pid)
    ask(180_000)
    print(f"{mpm}: {before} kB after 20,000 requests, {resident(pid)} kB after 200,000")
    assert resident(pid) <= before * 1.02


ASK = """
import sys, threading
from Bench.bench import many
address, port, threads, count = sys.argv[1], *map(int, sys.argv[2:])
all = [threading.Thread(target=many, args=(address, port, "/index.html", count)) for _ in range(threads)]
[each.start() for each in all]
[each.join() for each in all]
"""


class Checked(UnderValgrind):
    """An httpd under memcheck."""

    TOOL = (
        *("--leak-check=full", "--show-leak-kinds=definite,indirect", "--keep-debuginfo=yes"),
        *("--num-callers=40", "--error-limit=no"),
    )


def test_no_leak_and_no_error_of_ours(stage):
    """In 1,000 requests, and in loading the table again and again."""
    package(stage.folder, "Subs", SUBS)
    package(stage.folder, "Run", RUN)
    server = Checked(
        stage.folder,
        "checked",
        group=stage.group,
        mpm="prefork",
        modules=["perl"],
        environment={"PERL_DESTRUCT_LEVEL": "2"},
        config=CLUSTER_OF_9
        + searching(stage.folder)
        + "PerlModule Subs Run\nPerlChildInitHandler Subs::child_init\nLogLevel crit\n"
        + OBSERVE
        + RUNS
        + f"<Location /index.html>\n{CHAIN}</Location>\n",
    )
    stage.httpds.append(server)
    server.start()
    stage.plant(server, *SERVERS, deadline=60)
    many(server.address, server.port, "/index.html", 1000)
    for _ in range(5):
        server.get("/run?Apache::Backhand::load_serverstats();0")
    server.stop()
    stage.httpds.remove(server)
    said = (server.root / "logs/stderr").read_text()
    records = re.split(r"^==\d+== \n", said, flags=re.M)
    ours = [record for record in records if re.search(r"\b(?:by 0x|at 0x)[^\n]*\b(?:bp_|ab_|byPerl)\w*", record)]
    assert "ERROR SUMMARY" in said and ours == [], "\n".join(ours)
