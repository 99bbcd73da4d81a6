# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Interpreters of mod_perl: each call of byPerl borrows one, also where there is only one, and gives it back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.announce import Announcement
from harness.front import announcement_of
from harness.load import Load
from harness.perl import OBSERVE, RUN, RUNS, by_perl, location, package, perl_httpd, run, searching
from harness.processes import resident
from harness.wait import wait_for

SERVERS = [Announcement(f"127.0.9.{number}", 80, f"host-{number}", load=number * 1000) for number in (1, 2, 3)]
EIGHT = 8

# Each sub that meets others writes a line into a file, and waits until there are as many lines as it expects.
MEETS = r"""
use Apache2::RequestRec ();
use Apache2::ServerRec ();
use APR::Table ();
use Apache2::Const -compile => 'OK';
use Apache::Backhand ();
use Fcntl ':flock';
our $serverstats;
our $inits = 0;
my $lexical;

sub child_init {
    my ($pool, $server) = @_;
    die "@_" unless ref $pool eq 'APR::Pool' && ref $server eq 'Apache2::ServerRec' && $server->server_hostname;
    $inits++;
    $serverstats = Apache::Backhand::load_serverstats();
    $lexical = Apache::Backhand::load_serverstats(); # each handler runs once in each interpreter, however often it asks
    return Apache2::Const::OK;
}
sub init_method { my $class = shift; die unless $class eq 'Meets' && !@ARGV; child_init(@_) }
sub init_shifting { my $pool = shift; my $server = shift; child_init($pool, $server) }

sub wait_for_all {
    my ($file, $count) = @_;
    open my $log, '>>', $file or die;
    syswrite $log, "$$\n";
    for (1 .. 1000) { return if -s $file >= $count * length "$$\n"; select undef, undef, undef, 0.01 }
    die "alone\n";
}
sub meet {
    my ($r, $ids, $arguments) = @_;
    my ($file, $count) = split ' ', $arguments;
    wait_for_all($file, $count);
    open my $lock, '<', $file or die;
    flock $lock, LOCK_EX;
    $_->{load} += 1 for $serverstats->[$ids->[0]];
    $lexical->[$ids->[0]]{cpu} -= 1;
    $r->err_headers_out->set('X-Interpreter' => join ' ', \%main:: + 0, $inits, scalar @$serverstats);
    return $ids;
}
"""


@pytest.fixture
def meets(stage):
    package(stage.folder, "Meets", MEETS)
    package(stage.folder, "Run", RUN)

    def start(config, *, servers=SERVERS, mpm="event"):
        server = perl_httpd(
            stage,
            config + OBSERVE + RUNS + location("meet", by_perl(f"Meets::meet {stage.folder}/met {EIGHT}")),
            mpm=mpm,
            children=1,
            workers=16,
            files={"meet": "served\n"},
        )
        (stage.folder / "met").touch()
        (stage.folder / "met").chmod(0o666)
        stage.plant(server, *servers)
        return server

    return start


def meeting(server):
    """Eight requests that are in the sub at the same time: for each the interpreter, and how often its package was
    prepared."""
    with ThreadPoolExecutor(EIGHT) as threads:
        answers = list(threads.map(lambda _: server.get("/meet"), range(EIGHT)))
    assert [answer.status for answer in answers] == [200] * EIGHT
    return [answer.header("X-Interpreter").split() for answer in answers]


@pytest.mark.parametrize("mpm", ["worker", "event"])
@pytest.mark.parametrize("handler", ["Meets::child_init", "Meets->init_method", "Meets::init_shifting"])
def test_the_recipe_works_in_every_interpreter(meets, mpm, handler):
    """Four of them were copied before PerlChildInit, and four are copied after it."""
    server = meets(
        f"PerlInterpStart 4\nPerlInterpMax 8\nPerlModule Meets Run\nPerlChildInitHandler {handler}\n", mpm=mpm
    )
    seen = meeting(server)
    assert len({interpreter for interpreter, *_ in seen}) == EIGHT
    assert {(inits, rows) for _, inits, rows in seen} == {("1", "2048")}
    stats = "my $s = Apache::Backhand::load_serverstats(); join ',', $s->[1]{load}, $s->[1]{cpu}"
    assert run(server, stats) == f"{1000 + EIGHT},{1000 - EIGHT}"


ONLY_HERE = r"""
use Apache::Backhand ();
our $here = 0;
$SIG{__WARN__} = sub { die @_ };
sub init { die "not here\n" if !$here; Apache::Backhand::load_serverstats(); 0 }
sub CLONE { $here = 0 }
$here = 1;
"""


def test_a_handler_that_dies_elsewhere_is_told(stage, meets):
    package(stage.folder, "Only", ONLY_HERE)
    server = meets(
        "PerlInterpStart 2\nPerlInterpMax 8\nPerlModule Meets Run Only\n"
        "PerlChildInitHandler Only::init Meets::child_init\n"
    )
    told = "Only::init, in another interpreter: not here"
    server.log.allow(told)
    # Both copies do it before any request.
    wait_for(lambda: server.log.count(told) == 2, 10, "the lines", show=server.log.text)
    assert len(meeting(server)) == EIGHT


def test_an_anonymous_handler_runs_once(meets):
    server = meets(
        "PerlInterpStart 2\nPerlInterpMax 8\nPerlModule Run\nPerlModule Meets\n"
        "PerlChildInitHandler 'sub { $main::inits++; Apache::Backhand::load_serverstats(); 0 }'\n"
    )
    assert {run(server, "$main::inits // 0") for _ in range(5)} == {"0"}


USES = r"""
use Apache2::RequestRec ();
use Apache2::RequestUtil ();
use Apache2::SubRequest ();
use Apache2::Log ();
use APR::Pool ();
use Apache2::Const -compile => 'OK', 'DECLINED';
use APR::Table ();

sub dies    { die "on purpose\n" }
sub exits   { exit }
sub prints  { print ''; $_[1] }
sub strange { 'text' }
sub lasts   { no warnings; last }
sub turned  { [reverse @{$_[1]}] }
sub first   { my ($r, $ids) = @_; $r->log_error("called with @$ids"); [$ids->[0]] }

# Keeps the request's interpreter until the end of the request.
sub holds   { my $r = shift; $r->pool->cleanup_register(sub { 1 }); Apache2::Const::OK }
# Its own chain runs while this handler does.
sub looks   { my $r = shift; $r->is_initial_req && $r->lookup_uri('/turned')->status; Apache2::Const::OK }
"""
OFTEN = ("dies", "exits", "prints", "strange", "lasts", "turned")


def using(stage, mpm, config, *paths, most=1, servers=SERVERS):
    """One child with the package Uses, and at most so many interpreters."""
    package(stage.folder, "Uses", USES)
    server = perl_httpd(
        stage,
        f"PerlInterpStart 1\nPerlInterpMax {most}\nPerlModule Uses\n{config}",
        mpm=mpm,
        children=1,
        workers=6,
        files=dict.fromkeys(paths, "served\n"),
    )
    stage.plant(server, *servers)
    return server


@pytest.mark.parametrize("most", [1, 2])
def test_interpreters_are_given_back(stage, mpm, most):
    """Else a request would wait for ever after so many."""
    sections = "".join(location(name, by_perl(f"Uses::{name}")) for name in OFTEN)
    server = using(stage, mpm, OBSERVE + sections, *OFTEN, most=most)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda number: server.get("/" + OFTEN[number % len(OFTEN)]), range(96)))
    assert {answer.status for answer in answers} == {200}
    for reason in ("dies, which died: on purpose", r"exits, which called exit\(\)", "strange, which returned no"):
        server.log.expect(f"BH0170: byPerl ignores Uses::{reason}")
    server.log.allow('BH0170: byPerl ignores Uses::lasts, which died: Can\'t "last" outside a loop block')


def test_a_request_that_holds_the_only_interpreter(stage, mpm):
    handlers = "PerlAccessHandler Uses::holds\nPerlFixupHandler Uses::holds\n"
    section = location("turned", by_perl("Uses::turned"), "PerlAccessHandler Uses::holds")
    server = using(stage, mpm, OBSERVE + handlers + section, "turned")
    with ThreadPoolExecutor(4) as threads:
        traces = list(threads.map(lambda _: server.get("/turned").trace, range(40)))
    assert {trace.server for trace in traces} == {SERVERS[2].id}


def test_a_request_inside_of_a_perl_handler(stage, mpm):
    """A subrequest has no chain; its interpreter is that of the request, and so is its own of the next one."""
    section = location("turned", by_perl("Uses::turned"), "PerlFixupHandler Uses::looks")
    server = using(stage, mpm, OBSERVE + section, "turned")
    with server.client() as client:
        for _ in range(10):
            assert client.request("/turned").trace.server == SERVERS[2].id


@pytest.mark.parametrize("early", ["", "BackhandDirectoryWalk Off\n"])
def test_each_round_of_a_chain(stage, mpm, early):
    """In the handler and before the directory walk, and once more for each server that refuses."""
    backend = stage.backend("127.0.9.71", reply=None)
    dead = [Announcement(f"127.0.9.{number}", 9, load=0) for number in (72, 73)]
    config = "BackhandTrace On\n" + early + location("app", by_perl("Uses::first"))
    server = using(stage, mpm, config, servers=[*dead, announcement_of(backend)])
    answer = server.get("/app")
    assert (answer.status, answer.trace.server) == (200, backend.id)
    server.log.expect("called with 1 2 3$")
    server.log.expect("called with 2 3$")
    server.log.expect("called with 3$")
    server.log.allow("refused|BH04|AH0")


CHOOSES = """
use Apache::Backhand ();
our $s;
sub choose { $s ||= Apache::Backhand::load_serverstats(); [$s->[CHOSEN]{mtime} ? CHOSEN : ()] }
sub dies { die "here\\n" }
"""


def test_virtual_hosts_with_interpreters_of_their_own(stage, mpm):
    """PerlOptions +Parent: another package of the same name, and another variable."""
    hosts = ""
    for host, chosen in (("one", 1), ("two", 3)):
        package(stage.folder / host, "Chooses", CHOOSES.replace("CHOSEN", str(chosen)))
        hosts += (
            f"<VirtualHost *>\nServerName {host}.test\nDocumentRoot ${{root}}/htdocs\nPerlOptions +Parent\n"
            f"PerlInterpStart 1\nPerlInterpMax 1\n{searching(stage.folder / host)}PerlModule Chooses\n"
            + location("choose", by_perl("Chooses::choose"))
            + location("dies", by_perl("Chooses::dies"))
            + "</VirtualHost>\n"
        )
    server = perl_httpd(
        stage,
        OBSERVE + hosts,
        mpm=mpm,
        children=1,
        workers=6,
        files={"choose": "served\n", "dies": "served\n"},
    )
    stage.plant(server, *SERVERS)
    for _ in range(4):
        for host, chosen in (("one", 0), ("two", 2)):
            answer = server.get("/choose", headers={"Host": f"{host}.test"})
            assert (answer.status, answer.trace.server) == (200, SERVERS[chosen].id), host
            assert server.get("/dies", headers={"Host": f"{host}.test"}).status == 200
    server.log.expect("BH0170: byPerl ignores Chooses::dies, which died: here")


def test_where_perl_is_turned_off(stage, mpm):
    """For the whole server: mod_perl 2.0.12 crashes if a virtual host alone has that line."""
    server = perl_httpd(
        stage, "PerlOptions -Enable\n" + OBSERVE + by_perl("Uses::turned"), mpm=mpm, children=1, workers=6
    )
    stage.plant(server, *SERVERS)
    assert server.get("/").status == 200
    server.log.expect("BH0170: byPerl ignores Uses::turned, which is not called: PerlOptions -Enable")


@pytest.mark.parametrize("restarts", [5, pytest.param(50, marks=pytest.mark.long)])
def test_graceful_restarts_under_load(stage, restarts):
    """No request fails, and nothing of an old generation is left."""
    package(stage.folder, "Uses", USES)
    package(stage.folder, "Meets", MEETS)
    server = perl_httpd(
        stage,
        "PerlInterpStart 1\nPerlInterpMax 4\nPerlModule Uses Meets\nPerlChildInitHandler Meets::child_init\n"
        + OBSERVE
        + location("turned", by_perl("Uses::turned"), by_perl("sub { [reverse @{$_[1]}] }"), by_perl("Uses::dies")),
        files={"turned": "served\n"},
    )
    stage.plant(server, *SERVERS)
    server.log.expect("BH0170: byPerl ignores Uses::dies")
    with Load(server, "/turned") as load:
        for number in range(restarts):
            server.restart()
            count = load.count
            wait_for(lambda count=count: load.count > count + 10, 10, "requests after the restart")
            if number == 1:
                before = resident(server.pid)
    assert load.wrong == []
    wait_for(lambda: len(server.children()) <= 2, 10, "old children to end", show=server.processes)
    # mod_perl itself leaves about a megabyte at each restart, without byPerl, too.
    assert resident(server.pid) - before < 1500 * restarts + 4000
