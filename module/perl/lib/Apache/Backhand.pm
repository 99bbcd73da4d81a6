# Licensed under the Apache License, Version 2.0; see LICENSE.
package Apache::Backhand;

use strict;
use warnings;

our $VERSION = '0.03';

use Exporter 'import';
our @EXPORT_OK = qw(MAXSERVERS MAXSESSIONSPERSERVER SERVER_TIMEOUT load_serverstats load_personal_arriba server);

require XSLoader;
XSLoader::load('Apache::Backhand', $VERSION);

sub load_serverstats {
    my $serverstats = tied_rows();
    child_repeat(_handler());
    return $serverstats;
}

# The outermost sub that is running, and the words that it was called with: a PerlChildInitHandler that loads
# serverstats runs in each interpreter of the child (ab_child.c).
sub _handler {
    my @handler;
    for (my $level = 1; my @sub = _frame($level); $level++) {
        @handler = @sub unless $sub[0] eq '(eval)' || $sub[0] eq __PACKAGE__ . '::load_serverstats';
    }
    return @handler ? @handler : '';
}

# The name of a sub that is running, and the words that it was called with.
sub _frame {
    package DB;
    my @frame = caller($_[0] + 1) or return;
    return ($frame[3], $frame[4] ? @DB::args : ());
}

1;

__END__

=encoding UTF-8

=head1 NAME

Apache::Backhand - the table of servers of mod_backhand, for Perl in httpd

=head1 SYNOPSIS

In F<httpd.conf>:

    PerlModule My::Balance
    PerlChildInitHandler My::Balance::child_init
    <Location "/reports/">
        Backhand byAge 6
        BackhandFromSO modules/byPerl.so byPerl My::Balance::least_load
    </Location>

In F<My/Balance.pm>:

    package My::Balance;

    use strict;
    use warnings;
    use Apache::Backhand qw(load_serverstats);

    our $serverstats;

    # Once in each child of httpd, when the table is there.
    sub child_init {
        $serverstats = load_serverstats();
        return 0;
    }

    # The server with the least load first. Each request that comes here makes it a little busier,
    # until it announces its load again.
    sub least_load {
        my ($r, $ids) = @_;
        my @sorted = sort { $serverstats->[$a]{load} <=> $serverstats->[$b]{load} } @$ids;
        $serverstats->[$sorted[0]]{load} += 100 if @sorted;
        return \@sorted;
    }

    1;

=head1 DESCRIPTION

mod_backhand balances requests between the httpds of a cluster.
It keeps a table of servers, serverstats, in memory that all processes of an httpd share.
For each request, a chain of candidacy functions chooses the server.

This module reads and writes that table.
The function C<byPerl>, which comes with it in F<byPerl.so>, makes a sub a part of a chain.
Both need httpd 2.4, mod_perl 2 and mod_backhand.
Outside of httpd, and in an httpd that has not loaded mod_backhand, C<use Apache::Backhand> dies with a sentence that says so.

Nothing is exported unless you ask for it.

=head1 FUNCTIONS

=head2 load_serverstats

    my $serverstats = Apache::Backhand::load_serverstats();

Returns a reference to an array of C<MAXSERVERS> references to hashes, by the servers' ids.
Id 0 is this httpd itself.
The values are tied to the table: what you read is what is there at that moment, and what you write is in the table at once, for all processes of this httpd.

The keys are:

=over 4

=item mtime

When the server was last heard, in seconds since 1970.
0: no server has this id.

=item arriba

The speed of one of its cores, in an arbitrary unit.
0: not known.

=item aservers, nservers

Its idle workers, and all of its workers.

=item load

Its load average of one minute, times 1000.

=item load_hwm

The load high-water mark of its cluster: a power of two, times 1000.

=item cpu

The idle share of its processors, times 1000.

=item ncpu

The number of its processors.

=item tmem, amem

Its memory and its available memory, in megabytes.

=item numbacked

The requests that this httpd sent to it.

=item tatime

The milliseconds that those took, on average.

=item hostname

Its name.
You can read it only.

=item contact

Where it takes requests: C<address:port>, or C<[address]:port> for IPv6.
You can read it only.

=back

The array and its hashes are large (2048 servers with 14 values each, about 6 MB of memory), so call the function once in each child, not for each request.
Before the table exists, which is while httpd reads its configuration, the function dies.
So call it in a C<PerlChildInitHandler>.

What you write counts until the server's next announcement, which comes once a second.
A number for which there is no room becomes the nearest one, and what is not a number becomes 0.
mod_backhand checks every number that it reads there, so wrong ones can make it choose badly, but cannot crash it.
What you write to C<mtime> does not change the age of a server for byAge.

=head2 load_personal_arriba

    my $arriba = Apache::Backhand::load_personal_arriba();
    print $$arriba;

Returns a reference to a scalar that is tied to the speed of this machine.
It is 0 before the first decision of a child.

=head2 server

    my $server = Apache::Backhand::server($id);
    print "$server->{hostname} has $server->{in_flight} requests of ours\n" if $server;

Returns a reference to a hash with what is known about a server, read at once, or C<undef> if no server has the id.
The values are copies.
What the server announced is from one announcement.
Names and units are those of the JSON of mod_backhand's status page, which is documented in F<status.md>.

=over 4

=item identity

C<id>, C<own> (1: this httpd itself), C<hostname>, C<address>, C<port>, C<contact>

=item state

C<state> (C<up>, C<draining>, C<maintenance>, C<shutdown>), C<age_ms> (since it was last heard), C<up_ms>, C<last_announced>

=item resources

C<load> (not times 1000), C<cpu_idle> (0 to 1), C<ncpu>, C<arriba>, C<capacity>, C<memory_total> and C<memory_available> (bytes), C<workers>, C<workers_idle>, C<workers_kept>, C<idle_cost>, C<keepalive_ms>, C<arrivals>

=item means over the last second before its announcement

C<mean_in_flight>, C<arrival_rate>, C<first_byte_ms>, C<latency_ms>, C<error_share>, C<cpu_used> (undefined if it is not known)

=item what this httpd itself has seen

C<in_flight> (requests that are there now), C<kept> (connections), C<idle_connections> (of these, the ones that wait for a request), C<served>, C<failed>, C<mean_ms>, C<backoff_ms> (how long it is still left out after a refused connection)

=back

=head2 MAXSERVERS, MAXSESSIONSPERSERVER, SERVER_TIMEOUT

Constants of mod_backhand: the number of ids, a bound that is kept for old source, and the seconds after which byAge drops a silent server.

=head1 BYPERL

    BackhandFromSO modules/byPerl.so byPerl Package::function
    BackhandFromSO modules/byPerl.so byPerl "Package::function argument"
    BackhandFromSO modules/byPerl.so byPerl Package->method
    BackhandFromSO modules/byPerl.so byPerl "sub { my ($r, $ids) = @_; return [reverse @$ids] }"

C<byPerl> calls the sub in scalar context with these arguments:

=over 4

=item 1

for a method, its class or object

=item 2

the request, an C<Apache2::RequestRec>

=item 3

a reference to an array of the ids of the servers that are left, best first

=item 4

what follows the sub's name after a blank, if anything does

=back

The sub returns a reference to an array of ids, which replaces the list.
An empty array empties the list.
If the sub dies, calls C<exit()>, or returns anything else, the list stays as it was, and httpd's error log has a line about it.

The package is loaded if it is not yet there.

=head1 INTERPRETERS

With the worker and event MPMs, a child of httpd has several Perl interpreters, and a request runs in any of them.
mod_perl runs a C<PerlChildInitHandler> in one of them only.
But if such a handler is a named sub, and calls C<load_serverstats>, then the handler runs once in each interpreter of the child, so that your global variable is set in all of them.
Interpreters that mod_perl copies later have the variable too.
Tied values work in a copy as in the original.

A handler that is an anonymous sub runs in one interpreter.
Then load the table where you need it, too:

    $serverstats ||= Apache::Backhand::load_serverstats();

=head1 CHANGES SINCE VERSION 0.02

Version 0.02 is from the year 2000, for Apache 1.3 and mod_perl 1.
Its functions, keys, constants and exports are here.
These things differ:

=over 4

=item *

The request is an C<Apache2::RequestRec>, not an C<Apache>.

=item *

Addresses have 64 bits, and C<mtime> is right.

=item *

A call of C<load_serverstats> loses no memory.

=item *

C<hostname> and C<contact> are new, and so is C<server>.

=item *

C<tmem> and C<amem> are in megabytes.

=item *

A line of C<byPerl> may have an argument, and may name a method or contain an anonymous sub.

=item *

What a sub returns is checked.

=item *

Without mod_backhand, and before the table exists, a call dies instead of crashing perl.

=back

=head1 SEE ALSO

F<perl.md> in mod_backhand's documentation, which begins with an empty file.

=head1 LICENSE

Apache License, Version 2.0.

=cut
