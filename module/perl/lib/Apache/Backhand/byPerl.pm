# Licensed under the Apache License, Version 2.0; see LICENSE.
package Apache::Backhand::byPerl;

# Part of byPerl.so, which calls sub_of once in each interpreter for each line of the configuration that is not the name
# of a function that exists.

use strict;
use warnings;

# Packages that could not be loaded, and why: the next request does not try it again.
my %missing;

# The code of Package::function, Package->method, $object->method or sub {…}. Dies with the end of the sentence "the sub,
# which …" if there is none.
sub sub_of {
    my ($text) = @_;
    return _anonymous($text) if $text =~ /^sub\b/;
    return _method($1, $2, $3) if $text =~ /^(\$?)([\w:]+)->(\w+)$/;
    return _function($1, $2) if $text =~ /^(?:([\w:]+)::)?(\w+)$/;
    die "is not a name, and not sub {…}\n";
}

sub _anonymous {
    my ($text) = @_;
    my $code = _compile($text);
    die "does not compile: $@" if $@;
    return $code if ref $code eq 'CODE';
    die "is not an anonymous sub\n";
}

# Away from this file's variables and pragmas.
sub _compile { no strict; no warnings; package main; return eval $_[0] }

# AUTOLOAD stands in for a function, as perl has it.
sub _function {
    my ($package, $name) = @_;
    $package //= 'main';
    no strict 'refs';
    my $why = defined &{"${package}::$name"} || defined &{"${package}::AUTOLOAD"} ? '' : _load($package);
    return \&{"${package}::$name"} if defined &{"${package}::$name"} || defined &{"${package}::AUTOLOAD"};
    die "does not exist$why\n";
}

sub _method {
    my ($is_variable, $name, $method) = @_;
    no strict 'refs';
    my $invocant = $is_variable ? ${$name} : $name;
    die "has no object: \$$name is not defined\n" unless defined $invocant;
    my $why = $invocant->can($method) || $is_variable ? '' : _load($name);
    die "does not exist$why\n" unless $invocant->can($method) || $invocant->can('AUTOLOAD');
    # The variable may have another object later.
    return $is_variable ? sub { ${$name}->$method(@_) } : sub { $name->$method(@_) };
}

# Loads a package, as mod_perl does for its handlers. Returns how a message goes on that something of it is missing.
sub _load {
    my ($package) = @_;
    return $missing{$package} if exists $missing{$package};
    my $file = "$package.pm" =~ s{::}{/}gr;
    return '' if $package eq 'main' || eval { require $file };
    my $why = $@ =~ s/ \(you may need to install.*//sr =~ s/ at \S+byPerl\.pm line \d+\.\n\z//r;
    return $missing{$package} = ': ' . $why =~ s/\n/; /gr;
}

1;
