# Licensed under the Apache License, Version 2.0; see LICENSE.
"""byPerl: what a sub in Perl gets, what becomes of what it returns, and of a sub that is wrong."""

import re

import pytest
from harness.announce import Announcement
from harness.perl import OBSERVE, by_perl, location, package, perl_httpd

SERVERS = [
    Announcement(f"127.0.9.{number}", 80, f"host-{number}", load=load)
    for number, load in ((41, 1000), (42, 5000), (43, 9000))
]
FIRST, SECOND, THIRD = SERVERS
IDS = "1,2,3"  # of these servers

SUBS = r"""
use Apache2::RequestRec ();

sub same     { $_[1] }
sub turned   { [reverse @{$_[1]}] }
sub last_one { my ($r, $ids) = @_; [$ids->[-1]] }
sub none     { [] }
sub in_place { my ($r, $ids) = @_; shift @$ids; $ids }
sub as_texts { [map { "$_" } reverse @{$_[1]}] }
sub as_float { [map { $_ * 1.0 } reverse @{$_[1]}] }
sub of_class { bless [3, 1], 'Some::Class' }
sub by_uri   { my ($r, $ids) = @_; $r->uri eq '/by_uri' && $r->isa('Apache2::RequestRec') ? [2] : $ids }
sub words    { my ($r, $ids, @more) = @_; [grep { $_ == $more[0] } @$ids] }
sub counted  { my ($r, $ids, $text) = @_; $text eq 'all  of "it"' ? [3] : $ids }
sub scalar_  { defined wantarray && !wantarray ? [3] : $_[1] }
sub prints   { print "to nobody\n"; printf STDOUT "%s\n", "to nobody"; [2] }
sub alone    { @_ == 2 ? [3] : $_[1] }
sub tainted  { my ($r) = @_; my $taint = substr($ENV{PATH} // '', 0, 0); [map { $_ . $taint } 3, 2] }
sub AUTOLOAD { our $AUTOLOAD; $AUTOLOAD =~ /::by_autoload$/ ? [2] : die "no $AUTOLOAD" }
sub DESTROY  {}

sub class_method  { my ($class, $r, $ids, $word) = @_; $class eq 'Subs' ? [$word // 3] : $ids }
our $object = bless {id => 2};
sub object_method { my ($self, $r, $ids) = @_; [$self->{id}] }
"""

GOOD = {
    "same": ("Subs::same", IDS),
    "turned": ("Subs::turned", "3,2,1"),
    "last_one": ("Subs::last_one", "3"),
    "none": ("Subs::none", ""),
    "in_place": ("Subs::in_place", "2,3"),
    "as_texts": ("Subs::as_texts", "3,2,1"),
    "as_float": ("Subs::as_float", "3,2,1"),
    "of_class": ("Subs::of_class", "3,1"),
    "by_uri": ("Subs::by_uri", "2"),
    "argument": ("Subs::words 2", "2"),
    "blanks": ('Subs::counted  all  of "it"', "3"),
    "scalar": ("Subs::scalar_", "3"),
    # It goes to httpd's standard output.
    "prints": ("Subs::prints", "2"),
    "alone": ("Subs::alone", "3"),
    "tainted": ("Subs::tainted", "3,2"),
    "autoload": ("Subs::by_autoload", "2"),
    "method": ("Subs->class_method", "3"),
    "inherited": ("Heir->object_method", "2"),
    "method_argument": ("Subs->class_method 2", "2"),
    "of_object": ("$Subs::object->object_method", "2"),
    "anonymous": ("sub { my ($r, $ids) = @_; return [@$ids[1 .. $#$ids]] }", "2,3"),
    "braces": ("sub{[2]}", "2"),
    # The package is loaded when the first request asks for it.
    "unloaded": ("Unloaded::choose", "2"),
    "unloaded_method": ("Unloaded::Deep->choose", "3"),
}

FAULTS = r"""
use Apache2::RequestIO ();
our @tied;
{
    package Faults::Tied;
    require Tie::Array;
    our @ISA = 'Tie::StdArray';
    sub FETCH     { die "fetched" }
    sub FETCHSIZE { die "sized" }
}
tie @tied, 'Faults::Tied';
{
    package Faults::Number;
    use overload '0+' => sub { die "asked for a number" }, '""' => sub { die "asked for a text" }, fallback => 1;
}
{
    package Faults::Text;
    use overload '""' => sub { "text of an object" }, bool => sub { die "asked for truth" };
}

sub dies        { die "of it\n" }
sub dies_object { die bless {}, 'Faults::Text' }
sub dies_mute   { die bless {}, 'Faults::Number' }
sub dies_deep   { eval { die "inside\n" }; $_[1]->[0]{key}{x} }
sub exits       { exit(3) }
sub writes      { $_[0]->print("by the request\n"); $_[1] }
sub nothing     { return }
sub text        { "1,2" }
sub number      { 2 }
sub hash        { {1 => 2} }
sub code        { sub { 1 } }
sub reference   { \\[1] }
sub tied        { \@tied }
sub word        { ['host-41'] }
sub hole        { my @ids; $ids[1] = 1; \@ids }
sub undefined   { [1, undef] }
sub deep        { [[1]] }
sub object      { [bless {}, 'Faults::Number'] }
sub fraction    { [1.5] }
sub not_number  { ['nan'] }
sub infinite    { [1, 9**9**9] }
sub negative    { [-1] }
sub empty_row   { [77] }
sub beyond      { [1, 2048] }
sub huge        { [18446744073709551615] }
sub twice       { [2, 1, 2] }
sub many        { [(1) x 2049] }
sub changes     { my ($r, $ids) = @_; @$ids = (9, 9); undef }
"""

# Each leaves the list as it was, and logs why.
BAD = {
    "dies": ("Faults::dies", "died: of it$"),
    "dies_object": ("Faults::dies_object", "died: text of an object$"),
    "dies_mute": ("Faults::dies_mute", "died: with an object that has no text$"),
    "dies_deep": ("Faults::dies_deep", 'died: Can\'t use string \\("1"\\) as a HASH ref'),
    "exits": ("Faults::exits", r"called exit\(\)"),
    "writes": ("Faults::writes", r"died: .*\$r->print can't be called before the response phase"),
    "nothing": ("Faults::nothing", "returned no reference to an array"),
    "text": ("Faults::text", "returned no reference to an array"),
    "number": ("Faults::number", "returned no reference to an array"),
    "hash": ("Faults::hash", "returned no reference to an array"),
    "code": ("Faults::code", "returned no reference to an array"),
    "reference": ("Faults::reference", "returned no reference to an array"),
    "tied": ("Faults::tied", "returned a tied array"),
    "word": ("Faults::word", "returned an id that is not a number"),
    "hole": ("Faults::hole", "returned an id that is not a number"),
    "undefined": ("Faults::undefined", "returned an id that is not a number"),
    "deep": ("Faults::deep", "returned an id that is not a number"),
    "object": ("Faults::object", "returned an id that is not a number"),
    "fraction": ("Faults::fraction", "returned an id that is not a whole number"),
    "not_number": ("Faults::not_number", "returned an id that is not a whole number"),
    "infinite": ("Faults::infinite", "returned the id inf, which no server has"),
    "negative": ("Faults::negative", "returned the id -1, which no server has"),
    "empty_row": ("Faults::empty_row", "returned the id 77, which no server has"),
    "beyond": ("Faults::beyond", "returned the id 2048, which no server has"),
    "huge": ("Faults::huge", "returned the id 18446744073709552000, which no server has"),
    "twice": ("Faults::twice", "returned the id 2 twice"),
    "many": ("Faults::many", "returned 2049 ids, and there is room for 2048"),
    "changes": ("Faults::changes", "returned no reference to an array"),
    "missing": ("Faults::missing_sub", "does not exist$"),
    "no_package": ("Not::There::sub_of_it", r"does not exist: Can't locate Not/There\.pm in @INC$"),
    "broken_package": ("Broken::choose", "does not exist: Missing right curly .*; Compilation failed in require$"),
    "no_method": ("Faults->no_such_method", "does not exist$"),
    "no_object": ("$Faults::unknown->method", r"has no object: \$Faults::unknown is not defined"),
    "no_sub": ("sub { [", "does not compile: "),
    "no_name": ("a-b", "is not a name, and not sub"),
}


def packages(folder):
    package(folder, "Subs", SUBS)
    package(folder, "Heir", "our @ISA = 'Subs'; sub object_method { [2] }")
    package(folder, "Unloaded", "sub choose { [2] }")
    package(folder, "Unloaded::Deep", "sub choose { [3] }")
    package(folder, "Faults", FAULTS)
    package(folder, "Broken", "sub choose {")


def chain(sub):
    # The anonymous one tells which servers are left, in their order.
    return by_perl(sub) + by_perl("Tells::ids")


TELLS = r"""
use Apache2::RequestRec ();
use APR::Table ();
sub ids { my ($r, $ids) = @_; $r->err_headers_out->set('X-Ids' => join ',', @$ids); $ids }
"""


@pytest.fixture(scope="module")
def server(mpm_stage, module_mpm):
    """One httpd with a section for each sub."""
    packages(mpm_stage.folder)
    package(mpm_stage.folder, "Tells", TELLS)
    sections = "".join(location(name, chain(sub)) for name, (sub, _) in {**GOOD, **BAD}.items())
    sections += location("nameless", f"BackhandFromSO {by_perl('x').split()[1]} byPerl", by_perl("Tells::ids"))
    httpd = perl_httpd(
        mpm_stage,
        "PerlModule Subs Heir Faults Tells\nPerlTaintCheck On\n" + OBSERVE + sections,
        mpm=module_mpm,
        files=dict.fromkeys([*GOOD, *BAD, "nameless"], "served\n"),
    )
    httpd.log.always("^to nobody$")
    mpm_stage.plant(httpd, *SERVERS)
    return httpd


@pytest.mark.parametrize("name", GOOD)
def test_results(server, name):
    for _ in range(2):
        answer = server.get(f"/{name}")
        assert (answer.status, answer.text) == (200, "served\n")
        assert (answer.header("X-Ids") or "") == GOOD[name][1]


@pytest.mark.parametrize("name", BAD)
def test_faults(server, name):
    """The list stays, the answer is the usual one, and the log names the sub and the reason, once a minute."""
    before = server.log.count("BH0170")
    for _ in range(5):
        answer = server.get(f"/{name}")
        assert (answer.status, answer.text, answer.header("X-Ids")) == (200, "served\n", IDS)
    sub, reason = BAD[name]
    server.log.expect(r"backhand:error\].* BH0170: byPerl ignores ")
    lines = server.log.lines("BH0170")[before:]
    assert 1 <= len(lines) <= len(server.children())
    assert all(re.search(f"byPerl ignores {re.escape(sub)}, which {reason}", line.text) for line in lines), lines


def test_a_line_without_a_sub(server):
    answer = server.get("/nameless")
    assert (answer.status, answer.header("X-Ids")) == (200, IDS)
    server.log.expect("BH0171: a byPerl line names no sub")
