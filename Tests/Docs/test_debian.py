# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The Debian packages' folder agrees with the rest; Tests/Packages installs what is built of it."""

import re
import subprocess

import pytest
from Docs.repository import ROOT, read

VERSION = re.search(r'#define BACKHAND_VERSION "([^"]+)"', read("Sources/CBackhand/include/version.h"))[1]
PACKAGES = re.findall(r"^Package: (\S+)$", read("debian/control"), flags=re.M)


def test_the_packages():
    assert PACKAGES == [
        "libapache2-mod-backhand",
        "backhand-tools",
        "backhand-announce",
        "backhand-dev",
        "libapache-backhand-perl",
    ]


@pytest.mark.parametrize(
    "page, pattern",
    [("debian/changelog", r"\Amod-backhand \((\S+)-\d+\) "), ("CHANGELOG.md", r"^(?:## |This will be )(\d[\w.]*\d)")],
)
def test_one_version(page, pattern):
    """version.h has it; the newest entry of each list of changes is that version's."""
    assert re.search(pattern, read(page), flags=re.M)[1] == VERSION


def test_the_version_has_no_other_place():
    """A copy would be forgotten at a release. Pages say since when a directive is there, and show outputs."""
    listed = subprocess.run(
        [
            "git",
            "grep",
            "-lF",
            f'"{VERSION}"',
            "--",
            "Makefile",
            "Package.swift",
            "scripts",
            "module",
            "Sources",
            "debian",
            "demo",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert listed == ["Sources/CBackhand/include/version.h"]


@pytest.mark.parametrize(
    "page", sorted(path.name for path in (ROOT / "debian").glob("*.*") if path.suffix in (".docs", ".examples"))
)
def test_what_is_packed_exists(page):
    assert [name for name in read(f"debian/{page}").split() if not (ROOT / name).exists()] == []


def test_building_packages_leaves_nothing_to_commit():
    """What dpkg-buildpackage writes into the tree is ignored."""
    left = [
        "debian/.debhelper/generated",
        "debian/files",
        "debian/tmp/usr",
        "debian/debhelper-build-stamp",
        *(
            f"debian/{package}{end}"
            for package in PACKAGES
            for end in ("/usr", ".substvars", ".postinst.debhelper", ".debhelper.log")
        ),
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", *left], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert set(left) - set(ignored) == set()


def test_what_make_deb_installs_is_what_the_packages_ask_for():
    """But for debhelper's other names: apache2-dev has dh-apache2, and a build machine has build-essential."""
    asked = set(re.search(r"^Build-Depends: (.*)$", read("debian/control"), flags=re.M)[1].split(", "))
    installed = set(re.search(r"^DEB_DEPS +:= (.*)$", read("Makefile"), flags=re.M)[1].split())
    assert installed - asked == {"build-essential", "debhelper"} and asked - installed == {
        "debhelper-compat (= 13)",
        "dh-apache2",
    }


def test_the_build_installs_no_packages():
    assert re.search(r"^export DEPS = no$", read("debian/rules"), flags=re.M)


@pytest.mark.parametrize(
    ("lacks", "is_built"), [((), True), (("APXS_INCLUDE=/nowhere",), False), (("PERL=echo",), False)]
)
def test_install_builds_for_perl_only_where_its_headers_are(tmp_path, lacks, is_built):
    said = subprocess.run(
        ["make", "--no-print-directory", "-n", "install", f"BUILD={tmp_path}", *lacks],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert ("byPerl.so" in said.stdout) == is_built
