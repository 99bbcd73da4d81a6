# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Packages that the Makefile's targets need: what is missing is installed, and apache2's OpenSSL is no older than the
one it was built against."""

import os
import signal
import subprocess
import threading

import pytest
from Docs.repository import ROOT

# What a machine has; apt-get notes what it was asked for, and does it.
TOOLS = {
    "dpkg-query": """#!/bin/sh
for package; do :; done
case $package in
    "libssl3*") echo "libssl3 ii " ;;
    libssl3) case $* in *Version*) cat version ;; *) echo "ii " ;; esac ;;
    libssl-dev) echo "ii " ;;
    *) exit 1 ;;
esac
""",
    "apt-get": """#!/bin/sh
echo "$*" >> asked
case $* in *only-upgrade*) cp archive version ;; esac
""",
    "id": "#!/bin/sh\necho 0\n",
    "tee": "#!/bin/sh\ncat > /dev/null\n",
    "chmod": "#!/bin/sh\n",
    "rm": "#!/bin/sh\necho rm $* >> removed\n",
}


@pytest.fixture
def machine(tmp_path):
    """Runs a script in a folder whose tools pretend; gives its result and what apt-get was asked for."""
    for name, text in TOOLS.items():
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(text)
        tool.chmod(0o755)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")

    def run(script, *arguments, built="3.0.22", installed="3.0.19-1", archive="3.0.22-1", **environment):
        (tmp_path / "mod_ssl.so").write_bytes(b"\0OpenSSL %s 25 Aug 2026\0" % built.encode())
        (tmp_path / "version").write_text(installed)
        (tmp_path / "archive").write_text(archive)
        result = subprocess.run(
            [f"scripts/{script}", *arguments],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            check=False,
            env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "POLICY_RC_D": "policy", **environment},
            # A shell's background job is born with it ignored, and a script cannot catch what is.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        asked = (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []
        return result, asked

    return run


def test_an_older_openssl_is_upgraded_with_its_sisters_and_said(machine):
    result, asked = machine("up-to-date", "mod_ssl.so")
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        result.stdout
        == "Upgrading: libssl3 libssl-dev: apache2 was built against OpenSSL 3.0.22, and libssl3 is 3.0.19-1\n"
    )
    assert asked == [
        "update -qq -o DPkg::Lock::Timeout=300",
        "install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends --only-upgrade libssl3 libssl-dev",
    ]


@pytest.mark.parametrize("installed", ["3.0.22-1~deb12u2", "3.0.23-1", "3.5.1-1"])
def test_one_that_is_new_enough_is_left_alone_in_silence(machine, installed):
    result, asked = machine("up-to-date", "mod_ssl.so", installed=installed)
    assert (result.returncode, result.stdout, result.stderr, asked) == (0, "", "", [])


def test_an_archive_without_a_newer_one_is_an_error(machine):
    result, _ = machine("up-to-date", "mod_ssl.so", archive="3.0.20-1")
    assert result.returncode == 2 and "libssl3 is still 3.0.20-1" in result.stderr and "AH01882" in result.stderr


def test_nothing_is_upgraded_where_that_is_forbidden(machine):
    """Nothing is missing: `make check DEPS=no` goes on."""
    result, asked = machine("up-to-date", "mod_ssl.so", DEPS="no")
    assert (result.returncode, result.stdout, asked) == (0, "", [])
    assert result.stderr == (
        "DEPS=no forbids to upgrade libssl3: apache2 was built against OpenSSL 3.0.22, and libssl3 is 3.0.19-1, "
        "so mod_ssl will warn (AH01882)\n"
    )


def test_without_mod_ssl_nothing_is_to_do(machine):
    result, asked = machine("up-to-date", "none.so")
    assert (result.returncode, result.stdout, result.stderr, asked) == (0, "", "", [])


def test_only_what_is_missing_is_installed(machine):
    result, asked = machine("deps", "libssl-dev", "wrk")
    assert (result.returncode, result.stdout) == (0, "Installing: wrk\n")
    assert asked[-1] == "install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends wrk"


def test_the_demonstration_upgrades_nothing():
    result = subprocess.run(["make", "-n", "demo"], cwd=ROOT, text=True, capture_output=True, check=True)
    assert "scripts/deps" in result.stdout and "up-to-date" not in result.stdout and "upgrade" not in result.stdout
    result = subprocess.run(["make", "-n", "check"], cwd=ROOT, text=True, capture_output=True, check=True)
    assert "scripts/up-to-date" in result.stdout


@pytest.mark.parametrize("name, code", [("INT", 130), ("TERM", 143), ("HUP", 143)])
def test_an_interruption_leaves_no_policy_behind(machine, tmp_path, name, code):
    """It would keep every package of the machine from starting its services."""
    (tmp_path / "bin/apt-get").write_text(f"#!/bin/sh\ncase $* in install*) kill -{name} $PPID ;; esac\n")
    result, _ = machine("deps", "wrk")
    assert result.returncode == code
    assert (tmp_path / "removed").read_text() == "rm -f policy\n"


def test_two_at_once_install_one_after_the_other(machine, tmp_path):
    (tmp_path / "bin/apt-get").write_text(
        "#!/bin/sh\nmkdir busy || echo overlap >> asked\nsleep 0.2\nrmdir busy\necho $* >> asked\n"
    )
    threads = [threading.Thread(target=machine, args=("deps", name)) for name in ("wrk", "socat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 4 and "overlap" not in asked
