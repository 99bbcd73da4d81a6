# Licensed under the Apache License, Version 2.0; see LICENSE.
"""`make install` into a folder, then what an administrator of a Debian server does: a2enmod backhand; and `make
uninstall`."""

import os
import re
import shutil
import signal
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
    result = subprocess.run(
        ["make", "--no-print-directory", "install", f"DESTDIR={target}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return target


def ask(name):
    return subprocess.run([APXS, "-q", name], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not Path("/usr/sbin/a2enmod").exists(), reason="a2enmod is Debian's")
def test_a2enmod(root):
    """The files are where they belong, a2enmod enables proxy and proxy_http too, and httpd likes the result."""
    libexec = root / ask("LIBEXECDIR")[1:]
    for path in (
        libexec / "mod_backhand.so",
        libexec / "byHostname.so",
        root / ask("INCLUDEDIR")[1:] / "mod_backhand.h",
        root / "usr/local/bin/backhandctl",
        root / "usr/local/bin/backhand-simulate",
        root / "usr/local/bin/backhand-announce",
        root / "var/lib/backhand",
    ):
        assert path.exists(), path
    conf = root / "etc/apache2"
    environment = {
        **os.environ,
        "APACHE_CONFDIR": str(conf),
        "APACHE_RUN_USER": "www-data",
        "APACHE_RUN_GROUP": "www-data",
        "APACHE_RUN_DIR": str(root / "run"),
        "APACHE_PID_FILE": str(root / "run/pid"),
        "APACHE_LOCK_DIR": str(root / "run"),
        "APACHE_LOG_DIR": str(root / "run"),
    }
    (root / "run").mkdir()
    result = subprocess.run(
        ["/usr/sbin/a2enmod", "-q", "backhand"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    enabled = {path.name for path in (conf / "mods-enabled").iterdir()}
    assert {"backhand.load", "backhand.conf", "proxy.load", "proxy_http.load"} <= enabled
    # The installed module stands below the folder, not where the configuration names it.
    load = conf / "mods-available/backhand.load"
    load.write_text(load.read_text().replace(ask("LIBEXECDIR"), str(libexec)))
    backhand = conf / "mods-available/backhand.conf"
    backhand.write_text(backhand.read_text().replace("/var/lib/backhand", str(root / "var/lib/backhand")))
    result = subprocess.run(
        ["/usr/sbin/apache2", "-t", "-d", str(conf), "-f", str(conf / "apache2.conf")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0 and "Syntax OK" in result.stderr, result.stderr


def test_keeps_the_administrators_configuration(root):
    """A second install leaves an edited backhand.conf alone."""
    conf = root / "etc/apache2/mods-available/backhand.conf"
    conf.write_text("# mine\n")
    subprocess.run(
        ["make", "--no-print-directory", "install", f"DESTDIR={root}"], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert conf.read_text() == "# mine\n"


def install(destination, *arguments, apxs=APXS, **how):
    """The script alone: `make check` has built what it installs."""
    return subprocess.run(
        [REPOSITORY / "scripts/install", apxs, str(destination), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


def another_apxs(folder, *cases):
    """An apxs that answers these cases of a shell itself."""
    path = folder / "apxs"
    path.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *cases, "esac", f'exec {APXS} "$@"']) + "\n")
    path.chmod(0o755)
    return path


def test_everybody_may_read_what_root_installs(tmp_path):
    """Under a umask that keeps root's own files to root, too; only the socket's directory is not for everybody."""
    result = install(tmp_path, umask=0o077)
    assert result.returncode == 0, result.stderr
    paths = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    kept = {
        path.relative_to(tmp_path).as_posix()
        for path in paths
        if path.stat().st_mode & 0o044 != 0o044 or path.is_dir() and path.stat().st_mode & 0o011 != 0o011
    }
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


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["local"], "PREFIX must begin with /: local"),
        (["/usr/local", "doc/here"], "DOCDIR must begin with /: doc/here"),
    ],
)
def test_relative_paths_are_refused(tmp_path, arguments, problem):
    """The record could not name what is below them."""
    result = install(tmp_path / "root", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"install: {problem}\n") and not (
        tmp_path / "root"
    ).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_the_sockets_directory_belongs_to_the_user_of_the_children(tmp_path):
    """A user that is missing is an error before anything is copied; a directory that was left to root gets its owner
    later."""
    root = tmp_path / "root"
    apxs = another_apxs(tmp_path, f'"-q SYSCONFDIR") echo {tmp_path}; exit ;;')
    (tmp_path / "envvars").write_text("export APACHE_RUN_USER=no-such-user\n")
    result = install(root, apxs=apxs)
    assert (result.returncode, result.stdout) == (2, "") and not root.exists()
    assert (
        result.stderr.startswith("install: no user 'no-such-user' for /var/lib/backhand")
        and len(result.stderr.splitlines()) == 1
    )

    sockets = root / "var/lib/backhand"
    sockets.mkdir(parents=True)
    (tmp_path / "envvars").write_text("export APACHE_RUN_USER=nobody\n")
    assert install(root, apxs=apxs).returncode == 0
    assert (sockets.owner(), sockets.stat().st_mode & 0o777) == ("nobody", 0o750)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize("owner, names", [("daemon", []), ("root", ["state"])])
def test_a_sockets_directory_of_somebody_or_in_use_stays_as_it_is(tmp_path, owner, names):
    sockets = tmp_path / "var/lib/backhand"
    sockets.mkdir(parents=True)
    shutil.chown(sockets, owner)
    for name in names:
        (sockets / name).touch()
    mode = sockets.stat().st_mode
    assert install(tmp_path).returncode == 0
    assert (sockets.owner(), sockets.stat().st_mode) == (owner, mode)


def tree(folder):
    """Every path below the folder, with what makes it what it is."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def make(target, *variables):
    result = subprocess.run(
        ["make", "--no-print-directory", target, *variables],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def used(tmp_path):
    """A folder with files of others where ours go."""
    for name in (
        "etc/apache2/mods-available/alias.load",
        "usr/local/bin/other",
        "usr/local/share/doc/other/README",
        "var/lib/other/state",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/backhand"])
def test_uninstall_removes_exactly_what_install_put_there(used, prefix, times):
    before = tree(used)
    for _ in range(times):
        assert make("install", f"DESTDIR={used}", f"PREFIX={prefix}")[0] == 0
    assert len(tree(used)) > len(before) + 100
    assert make("uninstall", f"DESTDIR={used}", f"PREFIX={prefix}")[::2] == (0, "")
    assert tree(used) == before


def test_uninstall_removes_what_an_older_version_put_there(used):
    """The record has it, not the sources of today."""
    before = tree(used)
    assert install(used).returncode == 0
    page = used / "usr/local/share/doc/mod_backhand/docs/old.md"
    record = used / "usr/local/share/mod_backhand/installed"
    page.write_text("old")
    checksum = subprocess.run(["sha256sum", page], capture_output=True, text=True, check=True).stdout.split()[0]
    record.write_text(record.read_text() + f"file {checksum} /{page.relative_to(used)}\n")
    assert install(used).returncode == 0
    assert make("uninstall", f"DESTDIR={used}")[0] == 0
    assert tree(used) == before


def test_uninstall_removes_what_an_install_that_failed_put_there(used):
    """A file stands where the folder of the pages goes."""
    (used / "usr/local/share/doc/mod_backhand").write_text("in the way")
    before = tree(used)
    assert install(used).returncode not in (0, 2)
    assert (used / "usr/local/bin/backhandctl").exists()
    assert make("uninstall", f"DESTDIR={used}")[::2] == (0, "")
    assert tree(used) == before


@pytest.mark.parametrize("name, code", [("INT", 130), ("TERM", 143), ("HUP", 143)])
def test_uninstall_removes_what_an_interrupted_install_put_there(used, tmp_path_factory, name, code):
    """The signal comes while the module is copied."""
    folder = tmp_path_factory.mktemp("temporary")
    apxs = another_apxs(folder, f'*-i*) {APXS} "$@"; kill -{name} $PPID; exit ;;')
    before = tree(used)
    # A shell's background job is born with SIGINT ignored, and a script cannot catch what is.
    result = install(
        used,
        apxs=apxs,
        env={**os.environ, "TMPDIR": str(folder)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert result.returncode == code and list(folder.iterdir()) == [apxs]
    assert (used / ask("LIBEXECDIR")[1:] / "mod_backhand.so").exists()
    assert make("uninstall", f"DESTDIR={used}")[::2] == (0, "")
    assert tree(used) == before


def test_uninstall_keeps_what_was_changed_and_names_it(used):
    assert install(used).returncode == 0
    conf, state = used / "etc/apache2/mods-available/backhand.conf", used / "var/lib/backhand/arriba"
    conf.write_text("# mine\n")
    state.write_text("1")
    code, said, _ = make("uninstall", f"DESTDIR={used}")
    assert code == 0 and conf.read_text() == "# mine\n" and state.exists()
    assert said.splitlines()[1:] == [
        f"Kept, because it was changed: {conf}",
        f"Kept, because it is not empty: {state.parent}",
    ]


def test_uninstall_refuses_while_the_module_is_enabled(used):
    """Without the module's file httpd would not start again."""
    assert install(used).returncode == 0
    enabled = used / "etc/apache2/mods-enabled"
    enabled.mkdir()
    (enabled / "backhand.load").symlink_to("../mods-available/backhand.load")
    before = tree(used)
    code, _, said = make("uninstall", f"DESTDIR={used}")
    assert (
        code == 2 and said.splitlines()[0] == "The module is enabled. First run: a2dismod backhand, and restart httpd"
    )
    assert tree(used) == before
    (enabled / "backhand.load").unlink()
    assert make("uninstall", f"DESTDIR={used}")[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        "LoadModule backhand_module modules/mod_backhand.so",
        '  loadmodule\tbackhand_module "/opt/modules/mod_backhand.so"',
    ],
)
def test_uninstall_refuses_while_a_configuration_loads_the_module(used, tmp_path_factory, line):
    """An httpd that is built by hand has neither mods-available nor a2dismod."""
    apxs = another_apxs(tmp_path_factory.mktemp("apxs"), '"-q SYSCONFDIR") echo /opt/httpd/conf; exit ;;')
    assert install(used, apxs=apxs).returncode == 0
    conf = used / "opt/httpd/conf/extra/balance.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(f"Listen 80\n{line}\n")
    before = tree(used)
    code, _, said = make("uninstall", f"DESTDIR={used}")
    assert (
        code == 2
        and said.splitlines()[0]
        == f"The module is loaded by {conf}. First remove that LoadModule line, and restart httpd"
    )
    assert tree(used) == before
    conf.write_text(f"Listen 80\n# {line}\n")
    assert make("uninstall", f"DESTDIR={used}")[0] == 0


def test_uninstall_without_install_does_nothing(used):
    before = tree(used)
    code, said, _ = make("uninstall", f"DESTDIR={used}")
    assert code == 0 and "Nothing to remove" in said and tree(used) == before


def test_prefix_and_documentation(tmp_path):
    """PREFIX is for tools and pages; the configuration names the folder of the pages."""
    (tmp_path / "etc/apache2/mods-available").mkdir(parents=True)
    assert make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")[0] == 0
    for name in (
        "bin/backhandctl",
        "share/man/man1/backhandctl.1",
        "share/doc/mod_backhand/docs/README.md",
        "share/bash-completion/completions/backhandctl",
        "share/zsh/vendor-completions/_backhandctl",
        "share/fish/vendor_completions.d/backhandctl.fish",
        "bin/backhand-announce",
        "share/man/man8/backhand-announce.8",
        "share/bash-completion/completions/backhand-announce",
        "share/zsh/vendor-completions/_backhand-announce",
        "share/fish/vendor_completions.d/backhand-announce.fish",
        "share/doc/mod_backhand/httpd-conf-examples/announce/announce.conf",
        "lib/systemd/system/backhand-announce.service",
    ):
        assert (tmp_path / "usr" / name).stat().st_size > 0, name
    assert not (tmp_path / "usr/local").exists()
    conf = (tmp_path / "etc/apache2/mods-available/backhand.conf").read_text()
    assert "/usr/share/doc/mod_backhand/" in conf and "/usr/local" not in conf


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/backhand"])
def test_the_unit_starts_the_program_that_was_installed(tmp_path, prefix):
    """Nothing enables it, and its configuration is the administrator's to write."""
    assert install(tmp_path, prefix).returncode == 0
    units = list(tmp_path.rglob("*.service"))
    unit = tmp_path / f"{prefix[1:]}/lib/systemd/system/backhand-announce.service"
    assert [path for path in units if "doc" not in path.parts] == [unit]
    programs = re.findall(r"^Exec\w+=(\S*backhand-announce) ", unit.read_text(), flags=re.M)
    assert programs == [f"{prefix}/bin/backhand-announce"] * 2 and (tmp_path / programs[0][1:]).exists()
    assert not (tmp_path / "etc/backhand").exists()


@pytest.mark.parametrize(
    "shell, check", [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])]
)
def test_completions_are_scripts_of_their_shells(tmp_path, shell, check):
    if not shutil.which(check[0]):
        pytest.skip(f"{shell} is not installed")
    assert install(tmp_path).returncode == 0
    scripts = [path for path in (tmp_path / "usr/local/share").glob(f"{shell}*/*/*backhand*") if path.is_file()]
    assert len(scripts) == 3
    for script in scripts:
        assert subprocess.run([*check, script], capture_output=True, check=False).returncode == 0, script
