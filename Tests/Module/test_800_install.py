# Licensed under the Apache License, Version 2.0; see LICENSE.
"""`make install` into a folder, then what an administrator of a Debian server does: a2enmod backhand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.httpd import REPOSITORY

APXS = shutil.which("apxs")


@pytest.fixture
def root(tmp_path):
    """Everything installed below a folder, beside a copy of httpd's own configuration."""
    target = tmp_path / "root"
    shutil.copytree("/etc/apache2", target / "etc/apache2", symlinks=True)
    result = subprocess.run(["make", "--no-print-directory", "install", f"DESTDIR={target}"], cwd=REPOSITORY,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return target


def ask(name):
    return subprocess.run([APXS, "-q", name], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not Path("/usr/sbin/a2enmod").exists(), reason="a2enmod is Debian's")
def test_a2enmod(root):
    """The files are where they belong, a2enmod enables proxy and proxy_http too, and httpd likes the result."""
    libexec = root / ask("LIBEXECDIR")[1:]
    for path in (libexec / "mod_backhand.so", libexec / "byHostname.so", root / ask("INCLUDEDIR")[1:] / "mod_backhand.h",
                 root / "usr/local/bin/backhandctl", root / "usr/local/bin/backhand-simulate", root / "var/lib/backhand"):
        assert path.exists(), path
    conf = root / "etc/apache2"
    environment = {**os.environ, "APACHE_CONFDIR": str(conf), "APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data",
                   "APACHE_RUN_DIR": str(root / "run"), "APACHE_PID_FILE": str(root / "run/pid"),
                   "APACHE_LOCK_DIR": str(root / "run"), "APACHE_LOG_DIR": str(root / "run")}
    (root / "run").mkdir()
    result = subprocess.run(["/usr/sbin/a2enmod", "-q", "backhand"], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    enabled = {path.name for path in (conf / "mods-enabled").iterdir()}
    assert {"backhand.load", "backhand.conf", "proxy.load", "proxy_http.load"} <= enabled
    # The installed module stands below the folder, not where the configuration names it.
    load = conf / "mods-available/backhand.load"
    load.write_text(load.read_text().replace(ask("LIBEXECDIR"), str(libexec)))
    backhand = conf / "mods-available/backhand.conf"
    backhand.write_text(backhand.read_text().replace("/var/lib/backhand", str(root / "var/lib/backhand")))
    result = subprocess.run(["/usr/sbin/apache2", "-t", "-d", str(conf), "-f", str(conf / "apache2.conf")], env=environment,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0 and "Syntax OK" in result.stderr, result.stderr


def test_keeps_the_administrators_configuration(root):
    """A second install leaves an edited backhand.conf alone."""
    conf = root / "etc/apache2/mods-available/backhand.conf"
    conf.write_text("# mine\n")
    subprocess.run(["make", "--no-print-directory", "install", f"DESTDIR={root}"], cwd=REPOSITORY, capture_output=True, check=True)
    assert conf.read_text() == "# mine\n"


def install(destination, **how):
    """The script alone: `make check` has built what it installs."""
    return subprocess.run([REPOSITORY / "scripts/install", APXS, str(destination)], cwd=REPOSITORY, capture_output=True, text=True,
                          check=False, **how)


def test_everybody_may_read_what_root_installs(tmp_path):
    """Under a umask that keeps root's own files to root, too; only the socket's directory is not for everybody."""
    result = install(tmp_path, umask=0o077)
    assert result.returncode == 0, result.stderr
    paths = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    kept = {path.relative_to(tmp_path).as_posix() for path in paths
            if path.stat().st_mode & 0o044 != 0o044 or path.is_dir() and path.stat().st_mode & 0o011 != 0o011}
    assert len(paths) > 50 and kept == {"var/lib/backhand"}


def test_relative_destination(tmp_path):
    """It belongs to the folder in which the script runs, for apxs too."""
    result = install(os.path.relpath(tmp_path / "some/where", REPOSITORY))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "some/where" / ask("LIBEXECDIR")[1:] / "mod_backhand.so").exists()
    assert (tmp_path / "some/where/usr/local/bin/backhandctl").exists()


@pytest.mark.parametrize("name", ["two words", "tab\there", "$HOME", "a;b", "a'b", "a[b]"])
def test_destination_that_apxs_cannot_take(tmp_path, name):
    result = install(tmp_path / name)
    assert (result.returncode, result.stdout) == (2, "") and list(tmp_path.iterdir()) == []
    assert result.stderr.startswith("install: DESTDIR must be") and len(result.stderr.splitlines()) == 1
