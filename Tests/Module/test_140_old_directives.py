# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Directives of mod_backhand that ask for httpd's own means today: names, logs, the moderator's pid, the version
string."""

import os
import signal

import pytest
from harness import ports, status
from harness.announce import Announcement
from harness.stage import CLUSTER
from harness.wait import wait_for

# ---- Names in MulticastStats ----


def test_names_are_resolved(stage):
    """localhost is 127.0.0.1 for both: announced there, and as that."""
    port = ports.free_port()
    server = stage.httpd(
        f"UnixSocketDir ${{sockets}}\nMulticastStats localhost:8097 localhost:{port}\nAcceptStats 127.0.0.0/8\n"
    )
    row = wait_for(lambda: status.over_socket(server.sockets / "backhand-8097.sock").self, 5, "its own row")
    assert (row["address"], row["port"]) == ("127.0.0.1", 8097)
    assert server.log.count(rf"announcing 127\.0\.0\.1:8097 to 127\.0\.0\.1:{port}") == 1


@pytest.mark.parametrize(
    "line, name",
    [
        ("MulticastStats nowhere.invalid:4445,1", "nowhere.invalid"),
        ("MulticastStats nowhere.invalid 239.255.1.1:4445", "nowhere.invalid"),
        ("MulticastStats nowhere.invalid:80 239.255.1.1:4445", "nowhere.invalid"),
        ("MulticastStats 10.0.0.4 nowhere.invalid:4445", "nowhere.invalid"),
    ],
)
def test_a_name_that_does_not_resolve_is_refused(stage, line, name):
    code, text = stage.httpd(line + "\n", start=False).test_config()
    assert code == 1
    assert f"MulticastStats: no IPv4 address is found for the name '{name}': " in text


def test_reserved_addresses_are_warned_of(stage):
    server = stage.httpd("MulticastStats 127.0.0.1 240.220.221.20:4445,3\n", start=False)
    code, text = server.test_config()
    assert code == 0
    assert f"BH0104: MulticastStats at {server.conf}:" in text and text.count("BH0104") == 1
    for line in (
        "MulticastStats 255.255.255.255:4445",
        "MulticastStats 239.255.255.255:4445",
        "MulticastStats 225.1.1.1:4445",
    ):
        assert stage.httpd(line + "\n", start=False).test_config() == (0, "Syntax OK\n")


# ---- BackhandLogLevel ----

# Each decision writes a line at debug.
LEVELS = """
LogLevel backhand:warn
Backhand byLoad
BackhandTrace On
"""


def decided(server, path):
    """Whether the decision on the path was logged."""
    assert server.get(path).trace
    return server.log.count("action=local") > 0


@pytest.mark.parametrize(
    "lines, seen",
    [
        ("", False),
        ("BackhandLogLevel +dcsn1", False),
        ("BackhandLogLevel +dcsn2", True),
        ("BackhandLogLevel +DCSN3", True),
        ("BackhandLogLevel +mbcsall", True),
        ("BackhandLogLevel +net4", True),
        ("BackhandLogLevel +dcsnall\nBackhandLogLevel -dcsnall", False),
        ("BackhandLogLevel +dcsnall\nBackhandLogLevel -netall", True),
        ("BackhandLogLevel +dcsn2\nBackhandLogLevel +net1\nBackhandLogLevel -dcsn2", False),
        ("BackhandLogLevel -dcsnall", False),
        ("LogLevel backhand:debug\nBackhandLogLevel +dcsn1", True),
        ("LogLevel backhand:debug\nBackhandLogLevel +dcsn1\nBackhandLogLevel -dcsn1", True),
        ("LogLevel backhand:debug\nBackhandLogLevel -dcsnall", True),
    ],
)
def test_log_level_of_the_server(stage, lines, seen):
    server = stage.httpd(CLUSTER + LEVELS + lines + "\n")
    server.knows()
    assert decided(server, "/") == seen


def test_log_level_of_a_section(stage):
    """Only there; a section within inherits it, and may have less by LogLevel."""
    server = stage.httpd(
        CLUSTER
        + LEVELS
        + """
        <Location /loud>
            BackhandLogLevel +dcsn2
        </Location>
        <Location /loud/quiet>
            LogLevel backhand:warn
        </Location>
        <Directory ${root}/htdocs/folder>
            BackhandLogLevel +dcsnall
        </Directory>
    """,
        files={"loud/a.txt": "a", "loud/quiet/b.txt": "b", "folder/c.txt": "c"},
    )
    server.knows()
    for path, lines in (("/", 0), ("/loud/quiet/b.txt", 0), ("/loud/a.txt", 1), ("/folder/c.txt", 2), ("/", 2)):
        assert server.get(path).trace
        assert server.log.count("action=local") == lines, path


def test_log_level_of_a_virtual_host(stage):
    server = stage.httpd(
        CLUSTER
        + LEVELS
        + """
        <VirtualHost *>
            ServerName quiet.test
            DocumentRoot ${root}/htdocs
        </VirtualHost>
        <VirtualHost *>
            ServerName loud.test
            DocumentRoot ${root}/htdocs
            BackhandLogLevel +dcsn2
        </VirtualHost>
    """
    )
    server.knows()
    for host, lines in (("quiet.test", 0), ("loud.test", 1)):
        assert server.get("/", headers={"Host": host}).trace
        assert server.log.count("action=local") == lines, host


@pytest.mark.parametrize("word", ["dcsn2", "+dcsn5", "+dcsn", "+all", "+dcsn12", "++dcsn1", "+netALLES", "debug", "+"])
def test_bad_log_levels_are_refused(stage, word):
    code, text = stage.httpd(f"BackhandLogLevel {word}\n", start=False).test_config()
    assert code == 1
    assert f"BackhandLogLevel: '{word}' is not a log level: give + or -, then mbcs, dcsn or net" in text


# ---- BackhandModeratorPIDFile ----


def pid_in(path):
    return int(path.read_text()) if path.exists() else None


def test_pid_file(stage, mpm):
    """Relative as PidFile is. There as long as the moderator, whatever becomes of httpd."""
    server = stage.httpd(CLUSTER + "BackhandModeratorPIDFile moderator.pid\n", mpm=mpm)
    path = server.root / "run/moderator.pid"
    first = server.moderator()
    assert pid_in(path) == first
    assert path.stat().st_mode & 0o777 == 0o644
    server.restart()
    second = server.moderator(other_than=first)
    wait_for(lambda: pid_in(path) == second, 5, "the new id", show=lambda: pid_in(path))
    os.kill(second, signal.SIGKILL)
    third = server.moderator(other_than=second)
    wait_for(lambda: pid_in(path) == third, 5, "the new id", show=lambda: pid_in(path))
    server.log.expect("BH0206")
    server.configure(CLUSTER)
    server.restart()
    fourth = server.moderator(other_than=third)
    assert fourth and not path.exists()
    server.configure(CLUSTER + "BackhandModeratorPIDFile ${root}/run/other.pid\n")
    server.restart(signal.SIGHUP)
    fifth = server.moderator(other_than=fourth)
    wait_for(lambda: pid_in(server.root / "run/other.pid") == fifth, 5, "the new id")
    server.stop()
    assert sorted(file.name for file in (server.root / "run").iterdir() if "pid" in file.name) == []


def test_pid_file_replaces_a_link(stage):
    """Whoever may write to the folder cannot make root write elsewhere."""
    server = stage.httpd(CLUSTER + "BackhandModeratorPIDFile moderator.pid\n", start=False)
    path, victim = server.root / "run/moderator.pid", server.root / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    server.start()
    assert pid_in(path) == server.moderator() and not path.is_symlink()
    assert victim.read_text() == "precious"
    assert [file.name for file in (server.root / "run").iterdir() if file.name.startswith("moderator.pid.")] == []


def test_pid_file_that_cannot_be_written(stage):
    server = stage.httpd(
        CLUSTER + "BackhandModeratorPIDFile /proc/nowhere/moderator.pid\nBackhand byLoad\nBackhandTrace On\n"
    )
    server.knows()
    assert server.get("/").trace
    server.log.expect(r":warn\] .*BH0209: .*/proc/nowhere/moderator\.pid")
    assert len(server.log.grave("BH")) == 1


# ---- The version string ----


@pytest.mark.parametrize("tokens, told", [("Full", 1), ("OS", 0), ("Prod", 0)])
def test_version_string(stage, tokens, told):
    """As often after restarts as before."""
    server = stage.httpd(f"ServerTokens {tokens}\n")
    for _ in range(3):
        text = server.get("/").header("Server")
        assert text.count("balanced_by_mod_backhand/") == told, text
        server.restart()


# ---- The status page under a chain for everything ----


@pytest.mark.parametrize("walk", ["", "BackhandDirectoryWalk Off\n"])
def test_status_page_under_a_chain_of_the_server(stage, walk):
    """It is this server's own, without any Backhand off; also where it is found late."""
    backend = stage.backend("127.0.9.7")
    server = stage.httpd(
        CLUSTER + walk + 'Backhand removeSelf\nBackhandTrace On\n<Location "/backhand/">\n'
        "SetHandler backhand-handler\n</Location>\n"
    )
    stage.plant(server, Announcement("127.0.9.7", backend.port))
    assert server.get("/").header("Backhand-Trace").startswith("action=proxy")
    for path in ("/backhand/", "/backhand/x"):
        page = server.get(path)
        assert page.status == 200 and "<h1>Backhand status</h1>" in page.text
        assert not page.header("Backhand-Trace")
