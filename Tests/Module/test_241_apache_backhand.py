# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Apache::Backhand: the table of servers in Perl, for reading and writing."""

import json
import os
import re
import subprocess

import pytest
from harness.announce import FREE, Announcement
from harness.httpd import BUILD, REPOSITORY, StartFailed
from harness.perl import (
    BLIB,
    LIBRARIES,
    OBSERVE,
    RUN,
    RUNS,
    by_perl,
    location,
    package,
    perl_httpd,
    run,
    searching,
)
from harness.processes import resident
from harness.stage import CLUSTER_OF_9

SERVERS = [
    Announcement(
        f"127.0.9.{number}",
        8000 + number,
        f"host-{number}",
        load=load,
        load_hwm=16000,
        cpu=number,
        ncpu=number,
        workers=100 + number,
        idle=number,
        total_memory=(number << 33) + (1 << 20),
        free_memory=number << 32,
        arriba=2_000_000_000 + number,
        arrivals=77,
        means=(5, 1500, 2500, 3500, 4500, 750, 8000, 250000),
        idle_cost=(FREE, 5000, 100, 3),
    )
    for number, load in ((41, 1000), (42, 5000), (43, 9000))
]
FIRST, SECOND, THIRD = SERVERS
KEYS = "aservers amem arriba contact cpu hostname load load_hwm mtime ncpu nservers numbacked tatime tmem".split()
ORDER = "LoadModule line must come before the line that loads Apache::Backhand"
NOT_YET = "serverstats of mod_backhand is not there yet: use it from PerlChildInitHandler on"
STATS = "our $s //= Apache::Backhand::load_serverstats(); "
DUMP = "require JSON::PP; JSON::PP->new->canonical->encode({ map { $_ => $s->[%d]{$_} } keys %%{$s->[%d]} })"


@pytest.fixture(scope="module")
def server(mpm_stage, module_mpm):
    package(mpm_stage.folder, "Run", RUN)
    package(mpm_stage.folder, "Subs", "sub same { $_[1] } sub turned { [reverse @{$_[1]}] }")
    httpd = perl_httpd(
        mpm_stage,
        "PerlModule Run Subs\n"
        + OBSERVE
        + RUNS
        + location("load", "Backhand byLoad")
        + location("chain", "Backhand byAge 6", by_perl("Subs::turned"), "Backhand byLoad")
        + location("all", "Backhand byLoad", "Backhand byCPU", "Backhand byBusyChildren", "Backhand byCost"),
        mpm=module_mpm,
        files=dict.fromkeys(["load", "chain", "all"], "served\n"),
    )
    mpm_stage.plant(httpd, *SERVERS)
    return httpd


@pytest.fixture
def fresh(mpm_stage, server):
    """The same, after a new announcement of each server: what was written is gone."""
    mpm_stage.plant(server, *SERVERS)
    return server


def perl(*arguments, **how):
    return subprocess.run(["perl", *arguments], capture_output=True, text=True, check=False, **how)


@pytest.mark.parametrize("lazy", ["0", "1"])
def test_outside_of_httpd(lazy):
    """Also where perl binds all symbols at once, as `make test` has it."""
    result = perl(f"-Mblib={BLIB}", "-e", "use Apache::Backhand", env={**os.environ, "PERL_DL_NONLAZY": lazy})
    assert result.returncode > 0
    assert result.stderr.splitlines()[:1] == [
        f"Apache::Backhand works only in an httpd with mod_backhand, whose {ORDER}."
    ]


def test_the_object_links_no_symbol_of_mod_backhand_or_mod_perl():
    listed = subprocess.run(
        ["nm", "-D", BLIB / "arch/auto/Apache/Backhand/Backhand.so"], capture_output=True, text=True, check=True
    ).stdout
    assert not re.search(r"serverstats|mod_?backhand|modperl|perl_module|\bap_|\bapr_", listed), listed


def test_pod():
    result = subprocess.run(
        ["podchecker", "-warnings", "-warnings", REPOSITORY / "module/perl/lib/Apache/Backhand.pm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr.count("WARNING")) == (0, 0), result.stderr


USE_BACKHAND = f"LoadModule backhand_module {BUILD}/mod_backhand.so\n"
LOADS = [
    "PerlModule Apache::Backhand\n",
    "PerlLoadModule Apache::Backhand\n",
    "<Perl>\nuse Apache::Backhand;\n</Perl>\n",
]


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("first", [True, False])
def test_perl_may_be_loaded_before_and_after(stage, first, load):
    """httpd loads modules before it reads other lines."""
    package(stage.folder, "Run", RUN)
    lines = [load, USE_BACKHAND] if first else [USE_BACKHAND, load]
    server = stage.httpd(
        searching(stage.folder) + "".join(lines) + CLUSTER_OF_9 + RUNS,
        modules=["perl"],
        without=["backhand"],
    )
    assert run(server, STATS + "scalar @$s") == "2048"


@pytest.mark.parametrize("load", LOADS)
def test_without_mod_backhand(stage, load):
    """The error says which order is right."""
    with pytest.raises(StartFailed, match=ORDER):
        stage.httpd(LIBRARIES + load, modules=["perl"], without=["backhand"])
    stage.httpds[-1].log.expect(ORDER)
    stage.httpds[-1].log.allow("AH00016|AH00526|failed|Perl|Compilation|BEGIN|Can't load")


def test_before_the_table_is_there(stage):
    package(stage.folder, "Early", "use Apache::Backhand; Apache::Backhand::load_serverstats();")
    with pytest.raises(StartFailed, match=NOT_YET):
        perl_httpd(stage, "PerlModule Early\n")
    stage.httpds[-1].log.expect(NOT_YET)
    stage.httpds[-1].log.allow("AH00016|AH00526|failed|Perl|Compilation|BEGIN|Can't load")


def test_without_a_moderator(stage):
    package(stage.folder, "Run", RUN)
    server = perl_httpd(stage, RUNS, cluster="")
    for call in ("load_serverstats()", "server(0)"):
        assert run(server, f"Apache::Backhand::{call}").startswith(f"died: {NOT_YET}")
    assert run(server, "${Apache::Backhand::load_personal_arriba()}") == "0"


def test_constants(server):
    header = (REPOSITORY / "Sources/CBackhand/include/mod_backhand.h").read_text()
    for name in ("MAXSERVERS", "MAXSESSIONSPERSERVER", "SERVER_TIMEOUT"):
        (value,) = re.findall(rf"#define {name} (\d+)", header)
        assert run(server, f"Apache::Backhand::{name}") == value
        assert run(server, f"package Other; Apache::Backhand->import('{name}'); Other->can('{name}')->()") == value


def test_nothing_is_exported_unless_it_is_asked_for(server):
    assert run(server, "package Plain; Apache::Backhand->import; Plain->can('server') ? 1 : 0") == "0"
    names = "MAXSERVERS MAXSESSIONSPERSERVER SERVER_TIMEOUT load_serverstats load_personal_arriba server"
    asked = f"package Asked; Apache::Backhand->import(qw({names})); scalar grep {{ Asked->can($_) }} qw({names})"
    assert run(server, asked) == "6"


def dumped(server, id):
    return json.loads(run(server, STATS + DUMP % (id, id)))


def test_rows(fresh):
    rows = fresh.status().servers
    assert run(fresh, STATS + "scalar @$s") == "2048"
    for id, one in enumerate(SERVERS, 1):
        row = dumped(fresh, id)
        assert sorted(row) == sorted(KEYS)
        assert {key: row[key] for key in KEYS if key != "mtime"} == {
            "hostname": one.hostname,
            "contact": one.id,
            "arriba": one.arriba,
            "aservers": one.idle,
            "nservers": one.workers,
            "load": one.load,
            "load_hwm": one.load_hwm,
            "cpu": one.cpu,
            "ncpu": one.ncpu,
            "tmem": one.total_memory >> 20,
            "amem": one.free_memory >> 20,
            "numbacked": 0,
            "tatime": 0,
        }
        assert abs(row["mtime"] - rows[one.id]["last_announced"]) <= 1
    assert run(fresh, STATS + "join ',', $s->[1234]{mtime}, $s->[1234]{hostname}, $s->[1234]{contact}") == "0,,"


def test_numbers_are_numbers_and_texts_are_texts(fresh):
    assert run(fresh, STATS + "$s->[1]{load} + $s->[2]{load}") == "6000"
    assert run(fresh, STATS + "my ($h) = $s->[1]{hostname} =~ /(\\d+)/; $h") == "41"
    assert run(fresh, STATS + 'join ",", map { $_->{load} } @$s[1, 2, 3]') == "1000,5000,9000"


def test_what_is_written_decides_until_the_next_announcement(mpm_stage, fresh):
    assert fresh.get("/load").trace.server == FIRST.id
    assert run(fresh, STATS + "$_->{load} += 4000 for @$s[1, 2]; $s->[3]{load} = 100") == "100"
    assert fresh.get("/load").trace.server == THIRD.id
    # In every child, and as the core has it.
    for _ in range(10):
        assert run(fresh, STATS + 'join ",", map { $_->{load} } @$s[1, 2, 3]') == "5000,9000,100"
    mpm_stage.plant(fresh, *SERVERS)
    assert fresh.get("/load").trace.server == FIRST.id


def test_a_chain_with_the_old_functions(fresh):
    trace = fresh.get("/chain").trace
    assert (trace.left[-3:], trace.server) == ([("byAge", 3), ("byPerl", 3), ("byLoad", 3)], FIRST.id)


NASTY = ["-1", "1e30", "-1e30", "9**9**9", "-(9**9**9)", "'nan'", "'text'", "undef", "[]", "2**31", "2**63", "''", "~0"]


def test_wrong_numbers_crash_nothing(fresh):
    """Nor does byPerl refuse an id that it handed out."""
    for value in NASTY:
        run(
            fresh,
            "no warnings; "
            + STATS
            + f"for my $row (@$s) {{ $row->{{$_}} = {value} for grep {{ !/hostname|contact/ }} keys %$row }}",
        )
        for path in ("/all", "/chain", "/load"):
            assert fresh.get(path).status == 200
    assert run(fresh, STATS + "$s->[1]{load} = 2**40; $s->[1]{load}") == str(2**31 - 1)
    assert run(fresh, STATS + "$s->[1]{load} = -2**40; $s->[1]{load}") == str(-(2**31 - 1))
    assert run(fresh, STATS + "$s->[1]{mtime} = 2**40; $s->[1]{mtime}") == str(2**40)
    assert run(fresh, "no warnings; " + STATS + "$s->[1]{load} = 'x'; $s->[1]{load}") == "0"


@pytest.mark.parametrize("key", ["hostname", "contact"])
def test_texts_can_only_be_read(fresh, key):
    said = run(fresh, STATS + f"$s->[1]{{{key}}} = 'other'")
    assert said.startswith(f"died: {key} of serverstats can only be read")
    assert dumped(fresh, 1)[key] in (FIRST.hostname, FIRST.id)


def test_personal_arriba(fresh):
    fresh.get("/load")
    speed = fresh.status().servers[fresh.id]["arriba"]
    read = "our $a //= Apache::Backhand::load_personal_arriba(); "
    seen = {run(fresh, read + "$$a") for _ in range(20)}
    assert str(speed) in seen and seen <= {"0", str(speed)}
    assert run(fresh, read + "$$a = 5; $$a") == "5"


def test_server(fresh):
    """Each value is that of the status page."""
    dump = "require JSON::PP; JSON::PP->new->encode(Apache::Backhand::server(%d))"
    for id, one in enumerate(SERVERS, 1):
        found, shown = json.loads(run(fresh, dump % id)), fresh.status().servers[one.id]
        assert (found.pop("contact"), found.pop("idle_connections"), found.pop("own")) == (one.id, 0, 0)
        for moving in ("age_ms", "up_ms"):
            assert abs(found.pop(moving) - shown[moving]) < 5000
        assert found == {name: shown[name] for name in found}
        assert {"latency_ms", "capacity", "state", "backoff_ms", "in_flight"} <= set(found)
    own = json.loads(run(fresh, dump % 0))
    assert (own["own"], own["contact"]) == (1, fresh.id)


def test_server_is_undefined_for_others(fresh):
    for id in ("4", "77", "2047", "2048", "-1", "2**31", "2**40", "-2**40"):
        assert run(fresh, f"Apache::Backhand::server({id})") == "undef", id


def test_calls_lose_no_memory(stage):
    """A table of its own has about 7 MB: a single one that is lost would be seen."""
    package(stage.folder, "Run", RUN)
    server = perl_httpd(stage, RUNS, mpm="prefork", workers=1)
    code = "for (1..%d) { my $t = Apache::Backhand::load_serverstats(); Apache::Backhand::server(0) } $$"
    pid = run(server, code % 3)
    before = resident(pid)
    # The one child may have been joined by others: which one answers does not matter, if it is this one.
    answers = {run(server, code % 10) for _ in range(3)}
    assert pid in answers and resident(pid) < before + 8000
