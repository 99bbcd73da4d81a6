# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhand-announce: its example, its page, its manual and its completions say what the program does."""

import re
import subprocess

import pytest
from Docs.repository import ROOT, read
from harness.httpd import BUILD

PROGRAM = BUILD / "backhand-announce"
PAGE = read("docs/servers-without-httpd.md")
MANUAL = read("docs/man/backhand-announce.8")
HELP = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
OPTIONS = re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", re.search(r"\n\n(  -c.*?)\n\n", HELP, flags=re.S)[1])
TABLE = read("Sources/BackhandAnnounce/Configuration/DirectiveTable.swift")
READER = read("Sources/BackhandAnnounce/Configuration/ConfigurationReader.swift")
DIRECTIVES = re.findall(r'isNamed\("(<?[A-Z]\w+)"\)', TABLE + READER)


def check(path, config):
    """With a key of the test's in the place of the reader's."""
    key = path.parent / "key"
    key.write_text("k" * 32 + "\n")
    key.chmod(0o600)
    path.write_text(re.sub(r"^BackhandKey \S+", f"BackhandKey {key}", config, flags=re.M))
    ran = subprocess.run([PROGRAM, "--config", path, "--check-config"], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_sources_are_understood():
    assert {"-c", "--config", "-s", "-w", "-t", "--check-config", "--version", "-h", "--help"} <= set(OPTIONS)
    assert {"<Server", "Workers", "BackhandKey", "MulticastStats", "Define", "IncludeOptional"} <= set(DIRECTIVES)


def test_the_example_is_accepted_as_it_is(tmp_path):
    example = read("httpd-conf-examples/announce/announce.conf")
    assert check(tmp_path / "announce.conf", example) == (0, "Syntax OK\n")
    with_key = example.replace("#BackhandKey", "BackhandKey")
    assert with_key != example and check(tmp_path / "announce.conf", with_key) == (0, "Syntax OK\n")


def test_the_configurations_of_the_page_are_accepted(tmp_path):
    """Those that lack what every configuration has are parts of one."""
    whole = "MulticastStats 239.255.221.20:4445\nAcceptStats 10.0.0.0/24\n<Server 10.0.0.5:80>\n</Server>\n"
    found = re.findall(r"^```apache\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert len(found) >= 3
    for config in found:
        added = "" if "MulticastStats" in config else whole
        assert check(tmp_path / "announce.conf", added + config) == (0, "Syntax OK\n"), config


@pytest.mark.parametrize("name", DIRECTIVES)
def test_each_directive_is_on_the_page_and_in_the_manual(name):
    assert f"| `{name}" in PAGE and re.search(rf"^\.It Ic {name} |, Ic {name} ", MANUAL, flags=re.M)


def test_each_option_is_in_the_manual():
    options = {"-" + word for word in re.findall(r"\bFl (-?[a-z-]+)", MANUAL)}
    assert options == set(OPTIONS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_option_is_completed(shell):
    script = read(f"scripts/completions/backhand-announce.{shell}").replace("_arguments -s", "_arguments")
    if shell == "fish":
        script = re.sub(r" -s (\w) -l | -l ", lambda option: f" -{option[1]} --" if option[1] else " --", script)
    # The list of bash, not what it does after one of them.
    script = re.search(r'-W "(.*)"', script)[1] if shell == "bash" else script
    assert [option for option in OPTIONS if not re.search(rf"(?<![\w-]){option}(?![\w-])", script)] == []


def test_the_unit_and_the_example_name_the_same_directory():
    unit = read("httpd-conf-examples/systemd/backhand-announce.service")
    directory = re.search(r"^StateDirectory=(\S+)$", unit, flags=re.M)[1]
    example = read("httpd-conf-examples/announce/announce.conf")
    assert f"\nUnixSocketDir /var/lib/{directory}\n" in example and f"/var/lib/private/{directory}" in read(
        "debian/backhand-announce.postrm"
    )


def test_what_the_package_installs_is_there():
    lines = [line.split() for line in read("debian/backhand-announce.install").splitlines()]
    own = [words[0] for words in lines if not words[0].startswith("usr/")]
    assert own == ["httpd-conf-examples/announce/announce.conf"] and (ROOT / own[0]).exists()
