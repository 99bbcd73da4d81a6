# Licensed under the Apache License, Version 2.0; see LICENSE.
#
#   make          build/mod_backhand.so, build/mod_lbmethod_backhand.so, build/byHostname.so, build/backhandctl, build/backhand-simulate, build/backhand-announce
#   make perl     build/byPerl.so and build/perl: candidacy functions in Perl, for mod_perl
#   make demo     a cluster of four real httpds on loopback, watched sharing requests
#   make check    the tests, but for what is long by nature
#   make format   gives Swift, C and Python their form; `make check` begins with a check of it
#   make unit     the Swift tests and the C calls of the border: what an edit breaks first
#   make test T=310   the test files whose names begin with test_310
#   make torture  random faults in a cluster under load: make torture SECONDS=60 SEED=n; SHARED=1: balancers of prefork with one pool; ANNOUNCED=1: half of the servers by backhand-announce; FARM=1: through a farm of mod_athena
#   make torture-compare  the same faults in front of httpd's balancer:// and of HAProxy
#   make endurance  minutes of killed and stopped moderators, and of graceful restarts, under load
#   make bench    what it costs, in instructions and side by side, and connections in many set-ups: FULL=1 all of them
#   make bench-balance   how well it balances, beside HAProxy, nginx and balancer://: FULL=1 SCENARIO=… CONTENDER=…
#   make bench-checks    what clients see when an application dies, beside HAProxy
#   make fuzz     libFuzzer on everything that strangers may send; SECONDS=600 for each target; scripts/fuzz still does it to the end
#   make install  the module, its configuration, the header, the tools and backhand-announce with its unit, and what make perl builds if mod_perl's headers are there; PREFIX=/usr/local for the tools and pages, DESTDIR= a folder that stands for /
#   make uninstall  removes exactly what install put there
#   make deb      the Debian packages libapache2-mod-backhand, backhand-tools, backhand-announce and backhand-dev, in build/deb
#   make check-packages  installs, upgrades, removes and purges these packages in a bare Debian
#   make check-long  what is long by nature: packages, matrices, torture, endurance
#   make deps     the Debian packages that all this needs, and apache2's libraries up to date; silent if they are
#                 `make` and `make install` need none of them if a C compiler, httpd's headers, libcrypto's and git are there. What is missing of
#                 these is installed; DEPS=no: nothing is installed or upgraded, and what is missing is an error.
#   make clean

APXS  ?= apxs
SWIFT ?= swift
PREFIX ?= /usr/local
DOCDIR ?= $(PREFIX)/share/doc/mod_backhand
BUILD := build
# Debian's own interpreter: the packages below belong to it.
PYTHON := /usr/bin/python3

PERL   ?= perl
# What byPerl.so and Apache::Backhand are built with.
PERL_DEPS := libapache2-mod-perl2-dev libperl-dev
# Debian packages: what the demonstration needs beside the build, and what the tests need beside both. scripts/needs has the build's own.
DEMO_DEPS  := apache2 python3
CHECK_DEPS := libapache2-mod-perl2 $(PERL_DEPS) curl faketime iproute2 jq keepalived mandoc nftables nghttp2-client nginx-light openssl php-cli python3-pytest python3-pytest-xdist python3-venv python3-yaml valgrind wrk
DEB_DEPS   := build-essential debhelper apache2-dev libssl-dev git ca-certificates libapache2-mod-perl2-dev libperl-dev
LONG_DEPS  := debootstrap lintian
# Only for bench-balance; bench and torture-compare need the first.
RIVALS := haproxy nginx

# The layers of module/ (docs/architecture.md): another folder there is not a part of the module.
LAYERS         := doors balance proxy message request moderator status connections table config base
# A name with a dot in front is an editor's.
MODULE_SOURCES := $(sort module/mod_backhand.c $(shell find $(LAYERS:%=module/%) -name '*.c' ! -name '.*'))
MODULE_HEADERS := $(sort $(shell find $(LAYERS:%=module/%) -name '*.h' ! -name '.*'))
MODULE_OBJECTS := $(MODULE_SOURCES:module/%.c=$(BUILD)/module/%.o)
CONTRACT       := $(wildcard Sources/CBackhand/include/*.h Sources/CSignature/include/*.h)
CORE_SOURCES   := $(shell find Sources ! -name '.*' \( -name '*.swift' -o -name '*.c' -o -name '*.h' \))
CORE           := .build-embedded/release/libBackhandBridge.a
ANNOUNCER      := .build-embedded/release/libBackhandAnnounce.a

# Expanded when a recipe runs: apxs may come with what scripts/needs installs.
HTTPD_FLAGS = $(CPPFLAGS) -I$(shell $(APXS) -q INCLUDEDIR) $(shell $(APXS) -q EXTRA_CPPFLAGS) \
              $(shell apr-1-config --includes --cppflags) $(shell apu-1-config --includes)
CFLAGS     ?= -O2 -g
STRICT     := -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -fPIC -ffunction-sections -fdata-sections

# What keeps mod_backhand.so small (docs/decisions/0001-embedded-swift.md has the bytes). Each flag is left out if the compiler does not know it.
# The compiler is asked when a recipe needs the first answer, and once: $(call kept,NAME,flags) is the value of NAME from then on.
kept = $(eval $(1) := $(2))$($(1))
# Without unwind tables in the file: the core has nearly none either, and with -g gdb finds them in .debug_frame. Without the PLT, because httpd binds all of it at the start.
accepted = $(if $(shell $(CC) -Werror $(1) -fsyntax-only -x c /dev/null 2>&1 || echo no),,$(1))
SMALL = $(call kept,SMALL,$(foreach flag,-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-plt -falign-functions=1 -falign-jumps=1 \
        -falign-loops=1,$(call accepted,$(flag))))
SMALLEST = $(call kept,SMALLEST,$(or $(call accepted,-Oz),-Os))
# In the core: a function's checks may share one trap, and there are no calls of Embedded Swift's exclusivity checks, which are empty. All checks stay.
SMALL_CORE := -mergeable-traps -function-sections -enforce-exclusivity=unchecked
# Each is left out if the linker's help does not have it. Packed relocations need a libc too that says that it can read them, as glibc does from 2.36 on.
linked = $(shell $(CC) $(LDFLAGS) -Wl,--help 2> /dev/null | grep -q -e '-z $(1)' && echo -Wl,-z,$(1))
SMALL_LINK = $(call linked,noseparate-code) $(call linked,now) \
              $(if $(shell grep -ls GLIBC_ABI_DT_RELR "$$($(CC) -print-file-name=libc.so.6 2> /dev/null)"),$(call linked,pack-relative-relocs))

OUTPUTS := $(BUILD)/mod_backhand.so $(BUILD)/mod_lbmethod_backhand.so $(BUILD)/mod_athena.so $(BUILD)/byHostname.so $(BUILD)/backhandctl $(BUILD)/backhand-simulate \
           $(BUILD)/backhand-announce
NEEDS    = CC="$(CC)" APXS="$(APXS)" SWIFT="$(SWIFT)" MAKE_COMMAND="$(MAKE_COMMAND)" scripts/needs
export DEPS

all:
	@$(NEEDS) $(OUTPUTS)
	@$(MAKE) --no-print-directory build

build: $(OUTPUTS)
	@:

# All packages, and apache2's libraries up to date. Swift first: without it they are of no use.
deps:
	@$(NEEDS) --swift
	@$(NEEDS) $(OUTPUTS)
	@scripts/deps $(DEMO_DEPS) $(CHECK_DEPS)
	@scripts/up-to-date

demo-deps:
	@scripts/deps $(DEMO_DEPS)

# The core as Embedded Swift: no runtime in the module (docs/decisions/0001-embedded-swift.md). Without debugging information:
# Debian's valgrind refuses to load what this compiler writes.
$(CORE): Package.swift $(CORE_SOURCES) Makefile
	@$(NEEDS) --swift
	@echo "  swift   $@"
	@rm -f $@ # an archive keeps the objects of sources that are gone
	@BACKHAND_EMBEDDED=1 $(SWIFT) build --quiet -c release --scratch-path .build-embedded \
	    -Xswiftc -gnone -Xcc -g0 $(SMALL_CORE:%=-Xswiftc -Xfrontend -Xswiftc %) --product BackhandBridge
	@objcopy --remove-section .swift_modhash $@ # what the compiler compares when it builds again; no program reads it
	@touch $@

# After the core, whose modules it shares.
$(ANNOUNCER): $(CORE)
	@echo "  swift   $@"
	@rm -f $@
	@BACKHAND_EMBEDDED=1 $(SWIFT) build --quiet -c release --scratch-path .build-embedded \
	    -Xswiftc -gnone -Xcc -g0 $(SMALL_CORE:%=-Xswiftc -Xfrontend -Xswiftc %) --product $(@F:lib%.a=%)
	@objcopy --remove-section .swift_modhash $@
	@touch $@

# What each request of a section runs through is fast, and all other files are small.
HOT := clock decide early exchange passage request
HOT_OBJECTS := $(foreach name,$(HOT),$(or $(filter %/mb_$(name).o,$(MODULE_OBJECTS)),$(error HOT names mb_$(name).c, and module/ has no such file)))
$(filter-out $(HOT_OBJECTS),$(MODULE_OBJECTS)): CFLAGS += $(SMALLEST)

$(BUILD)/module/%.o: module/%.c $(MODULE_HEADERS) $(CONTRACT) Makefile
	@mkdir -p $(@D)
	@echo "  cc      $<"
	@$(CC) $(CFLAGS) $(STRICT) $(SMALL) -Imodule -ISources/CBackhand/include -ISources/CSignature/include $(HTTPD_FLAGS) -c $< -o $@

$(BUILD)/mod_backhand.so: $(MODULE_OBJECTS) $(CORE) module/mod_backhand.map Makefile
	@echo "  link    $@"
	@$(CC) -shared -o $@ $(MODULE_OBJECTS) $(CORE) -Wl,--gc-sections -Wl,--as-needed $(SMALL_LINK) \
	    -Wl,--version-script=module/mod_backhand.map $(LDFLAGS) -lcrypto -lm

# Modules beside the core: C alone, which calls it by an optional function.
$(BUILD)/mod_lbmethod_backhand.so: $(wildcard module/lbmethod/*)
$(BUILD)/mod_athena.so: $(wildcard module/athena/*)
$(BUILD)/mod_lbmethod_backhand.so $(BUILD)/mod_athena.so: module/doors/mb_doors.h $(CONTRACT) Makefile
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(CFLAGS) $(STRICT) $(SMALL) -shared -Imodule -ISources/CBackhand/include $(HTTPD_FLAGS) -o $@ $(filter %.c,$^) \
	    -Wl,--gc-sections -Wl,--version-script=$(filter %.map,$^) $(SMALL_LINK) $(LDFLAGS)

# One file that needs libc and libcrypto alone.
$(BUILD)/backhand-announce: Sources/backhand-announce/main.c $(ANNOUNCER) $(CONTRACT) Makefile
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror $(SMALL) -s -o $@ -ISources/CBackhand/include $< $(ANNOUNCER) \
	    -Wl,--gc-sections -Wl,--as-needed $(SMALL_LINK) $(LDFLAGS) -lcrypto -lm

# The shims under AddressSanitizer and UBSan, for the tests of failing servers.
SANITIZED = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined $(STRICT) -shared \
            -Imodule -ISources/CBackhand/include -ISources/CSignature/include $(HTTPD_FLAGS)
$(BUILD)/asan/mod_backhand.so: $(MODULE_SOURCES) $(MODULE_HEADERS) $(CONTRACT) $(CORE)
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(SANITIZED) -o $@ $(MODULE_SOURCES) $(CORE) -Wl,--version-script=module/mod_backhand.map -lcrypto -lm

$(BUILD)/asan/mod_athena.so: $(wildcard module/athena/*) module/doors/mb_doors.h $(CONTRACT)
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(SANITIZED) -o $@ $(filter %.c,$^) -Wl,--version-script=module/athena/mod_athena.map

# ---- Candidacy functions in Perl: module/perl ----

APXS_INCLUDE = $(shell $(APXS) -q INCLUDEDIR 2> /dev/null)
PERL_INCLUDE = $(shell $(PERL) -MConfig -e 'print $$Config{archlibexp}')/CORE
BYPERL_SOURCES := $(addprefix module/perl/,byPerl.c bp_sub.c bp_call.c bp_ids.c)
XS_SOURCES     := $(filter-out $(BYPERL_SOURCES),$(wildcard module/perl/*.c module/perl/*.xs)) \
                  $(addprefix module/perl/,ab.h Makefile.PL lib/Apache/Backhand.pm lib/Apache/Backhand/byPerl.pm)
BACKHAND_XS    := $(BUILD)/perl/blib/arch/auto/Apache/Backhand/Backhand.so
# mod_perl's and perl's headers are not ours to warn about.
PERL_FLAGS = $(patsubst -I%,-isystem %,$(HTTPD_FLAGS)) -isystem "$(PERL_INCLUDE)" \
             $$($(PERL) -MConfig -e 'print $$Config{ccflags}')

HAS_MOD_PERL = { [ -e "$(APXS_INCLUDE)/mod_perl.h" ] && [ -e "$(PERL_INCLUDE)/perl.h" ]; }

# On a machine without mod_perl's headers or perl's: the packages that have them.
perl:
	@$(HAS_MOD_PERL) || scripts/deps $(PERL_DEPS)
	@$(MAKE) --no-print-directory build-perl

build-perl: $(BUILD)/byPerl.so $(BACKHAND_XS)
	@:

$(BUILD)/byPerl.so: $(BYPERL_SOURCES) module/perl/byPerl.h Sources/CBackhand/include/mod_backhand.h Makefile
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(CFLAGS) $(STRICT) -fvisibility=hidden -shared -o $@ -ISources/CBackhand/include $(PERL_FLAGS) $(BYPERL_SOURCES) $(LDFLAGS)

# In a copy, because MakeMaker writes into the folder of its Makefile.PL. A line with MAKE in brackets would run with `make -n` too.
$(BACKHAND_XS): $(XS_SOURCES) $(CONTRACT) Makefile
	@echo "  perl    $(BUILD)/perl"
	@rm -rf $(BUILD)/perl
	@mkdir -p $(BUILD)
	@cp -R module/perl $(BUILD)/perl
	@cd $(BUILD)/perl && APXS="$(APXS)" $(PERL) Makefile.PL BACKHAND_INCLUDE=$(CURDIR)/Sources/CBackhand/include > make.log \
	    && $(MAKE_COMMAND) --no-print-directory CC="$(CC)" OPTIMIZE="$(CFLAGS) -std=gnu11 -Wall -Wno-unused-function -Werror" \
	    OTHERLDFLAGS="$(LDFLAGS)" >> make.log 2>&1 || { cat make.log >&2; exit 1; }

# As its documentation tells authors to do it, but for the place of the result.
$(BUILD)/byHostname.so: httpd-conf-examples/c-function/byHostname.c $(CONTRACT)
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -fPIC -shared -ISources/CBackhand/include $(HTTPD_FLAGS) $(LDFLAGS) $< -o $@

# One file each, with Swift's runtime inside.
$(BUILD)/backhandctl $(BUILD)/backhand-simulate &: Package.swift $(CORE_SOURCES)
	@$(NEEDS) --swift
	@mkdir -p $(BUILD)
	@echo "  swift   tools"
	@$(SWIFT) build --quiet -c release --scratch-path .build-tools -Xswiftc -static-stdlib --product backhandctl
	@$(SWIFT) build --quiet -c release --scratch-path .build-tools -Xswiftc -static-stdlib --product backhand-simulate
	install -s .build-tools/release/backhandctl .build-tools/release/backhand-simulate $(BUILD)

demo: all demo-deps
	$(PYTHON) -E -S demo/demo.py

# Swift compiles many files on one core, so the builds run beside each other.
check: deps
	@$(MAKE) --no-print-directory -j "$$(nproc)" build perl $(BUILD)/asan/mod_backhand.so $(BUILD)/asan/mod_athena.so
	scripts/check

format:
	@scripts/deps python3-venv
	scripts/format

unit: $(CORE)
	scripts/check unit contract

test: all
	@ls Tests/*/test_$(T)*.py > /dev/null 2>&1 && [ -n "$(T)" ] || { echo "make test T=310: no file is called Tests/*/test_$(T)*.py" >&2; exit 2; }
	cd Tests && $(PYTHON) -m pytest -q */test_$(T)*.py

check-packages: deps all deb
	@scripts/deps $(LONG_DEPS)
	cd Tests && $(PYTHON) -m pytest -q -rsP Packages

check-long: deps all deb
	@scripts/deps $(LONG_DEPS)
	scripts/check long
	@$(MAKE) --no-print-directory endurance

SECONDS ?= 60
SEED ?= 1
torture: deps all
	$(PYTHON) Tests/Torture/torture.py --seconds $(SECONDS) --seed $(SEED) $(if $(SHARED),--shared) $(if $(ANNOUNCED),--announced) $(if $(FARM),--farm)

torture-compare: deps all
	@scripts/deps haproxy
	$(PYTHON) Tests/Torture/compare.py --seconds $(SECONDS) --seed $(SEED)

# What they print of themselves is for docs/reliability.md.
endurance: deps all
	cd Tests && BACKHAND_ENDURANCE=1 $(PYTHON) -m pytest -q -rP Module/test_550_moderator_faults.py Module/test_560_restarts_under_load.py \
	    -k "killed_at_random or test_stopped or every_second"
	cd Tests && BACKHAND_ENDURANCE=1 $(PYTHON) -m pytest -q -rP Module/test_311_gone_servers.py Module/test_314_silence.py \
	    Module/test_317_classes.py -k "waves or report or stream or for_long"

# FULL=1: every cell of the matrix of connections, and every size of symmetric clusters.
bench: deps all
	@scripts/deps haproxy
	@# The second one runs if the first one fails, too.
	failed=; $(PYTHON) Tests/Bench/bench.py || failed=cost; \
	$(PYTHON) Tests/Bench/Connections/connections.py $(if $(FULL),--full) || failed="$$failed connections"; \
	[ -z "$$failed" ] || { echo "bench: failed:" $$failed; exit 1; }

# FULL=1: every contender, 30 s a cell, median of three. SCENARIO, CONTENDER: only these, with commas between them.
bench-balance: deps all $(BUILD)/bench/generator $(BUILD)/bench/mod_demand.so
	@scripts/deps $(RIVALS)
	$(PYTHON) Tests/Bench/Balance/balance.py $(if $(FULL),--full) $(if $(SCENARIO),--scenario $(SCENARIO)) \
	    $(if $(CONTENDER),--contender $(CONTENDER)) --csv $(BUILD)/bench/balance.csv --svg $(BUILD)/bench/balance.svg $(OPTIONS)

bench-checks: deps all
	@scripts/deps haproxy
	$(PYTHON) Tests/Bench/Checks/dying.py

GENERATOR := $(addprefix Tests/Bench/Balance/,generator.c schedule.c connections.c answer.c)
$(BUILD)/bench/generator: $(GENERATOR) Tests/Bench/Balance/generator.h
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -o $@ $(GENERATOR)

$(BUILD)/bench/mod_demand.so: Tests/Bench/Balance/mod_demand.c
	@mkdir -p $(@D)
	@echo "  cc      $@"
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -fPIC -shared $(HTTPD_FLAGS) -o $@ $<

# SECONDS for each target; scripts/fuzz says what else it can do.
fuzz: deps
	scripts/fuzz run $(or $(SECONDS),600)

install: all
	@! $(HAS_MOD_PERL) || $(MAKE) --no-print-directory build-perl
	PERL="$(PERL)" scripts/install "$(APXS)" "$(DESTDIR)" "$(PREFIX)" "$(DOCDIR)"

uninstall:
	scripts/uninstall "$(DESTDIR)" "$(PREFIX)"

deb:
	@$(NEEDS) --swift
	@scripts/deps $(DEB_DEPS)
	@echo "  deb     $(BUILD)/deb"
	@SWIFT="$(SWIFT)" scripts/deb

clean:
	rm -rf $(BUILD) .build .build-embedded .build-tools .build-fuzz

.PHONY: all build perl build-perl deps demo-deps demo check format unit test torture torture-compare endurance bench bench-balance bench-checks fuzz install uninstall deb check-packages check-long clean
.DELETE_ON_ERROR:
