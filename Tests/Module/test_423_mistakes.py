# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What administrators write by mistake: the message says what is wrong, and what is right."""

import subprocess

import pytest
from harness.announce import Announcement
from harness.httpd import BUILD
from harness.stage import CLUSTER, CLUSTER_OF_9

CTL = BUILD / "backhandctl"
SECRETS = {
    "hexadecimal": "4f3c2a1b" * 8,
    "base64": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
    "base64 with slashes": "q83v/jRWeJCrze8/NFZ4kKvN7xI0VniQ+83vEjRWeJA=",
    "base64 that begins with a slash": "/83vEjRWeJCrze8SNFZ4kKvN7xI0Vn/Qq83vEjRWeJA=",
    "base64 with no other slash": "/83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
    "punctuation": "correct,horse:battery_staple!0123456789",
    "words with a dot": "correct.horse.battery.staple.0123456789",
}


def said(stage, config, code=1, advice=False):
    """What httpd -t says to it; advice: with warnings of what is allowed but hardly meant."""
    result, text = stage.httpd(config, start=False).test_config(advice)
    assert result == code, text
    return text


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_place_of_its_file_is_not_printed(stage, secret):
    text = said(stage, f"BackhandKey {secret}\n")
    assert "BackhandKey: what is given may be a key, so that it is not repeated" in text and secret not in text


def test_a_secret_after_the_file_is_not_printed(stage):
    secret = SECRETS["hexadecimal"]
    text = said(stage, f"BackhandKey /etc/backhand.key {secret}\n")
    assert "after the file may stand only the word Optional" in text and secret not in text


@pytest.mark.parametrize("name", ["backhand.key", "conf/backhand.key", "{folder}/backhand-of-the-cluster-in-the-north"])
def test_a_file_that_is_not_there_is_named(stage, name):
    name = name.format(folder=stage.folder)
    text = said(stage, f"BackhandKey {name}\n")
    assert f"{name}': it cannot be read: No such file or directory" in text


LINES = {
    "byHostname": (
        "Backhand byHostname www",
        "unknown candidacy function 'byHostname': it is not a built-in one, but is loaded: "
        "BackhandFromSO modules/byHostname.so byHostname",
    ),
    "another's": ("Backhand bySomethingOfOurOwn", "; others are loaded by BackhandFromSO"),
    "an expression": (
        "Backhand byResource amem > 512",
        'byResource takes one argument, but got 3 words: put quotes around them: Backhand byResource "amem > 512"',
    ),
    "two functions": (
        "Backhand byAge byLoad",
        "'byLoad' after 'byAge': each function needs a Backhand line of its own",
    ),
    "two with arguments": (
        "Backhand byAge 6 byLoad",
        "'byLoad' after 'byAge': each function needs a Backhand line of its own",
    ),
    "no word": ("Backhand", "Backhand: it needs a candidacy function and perhaps its argument, or off"),
    "off and more": ("Backhand off byAge", "'byAge' after 'off': each function needs a Backhand line of its own"),
}


@pytest.mark.parametrize("line, why", LINES.values(), ids=LINES.keys())
def test_a_wrong_line_of_a_chain(stage, line, why):
    assert why in said(stage, line + "\n")


def test_networks_on_one_line(stage):
    config = CLUSTER.replace("127.0.0.0/8", "127.0.9.1 127.0.9.64/26")
    server = stage.httpd(config, address="127.0.9.1")
    stage.plant(server, Announcement("127.0.9.70"))


@pytest.mark.parametrize(
    "section, warns",
    [
        ('<Directory "{folder}/nowhere">', True),
        ('<Directory "{folder}">', False),
        ('<Directory "{folder}/nowhere*">', False),
        ('<Directory ~ "{folder}/nowhere">', False),
        ('<DirectoryMatch "{folder}/nowhere">', False),
        ('<Location "/nowhere">', False),
        ('<Directory "{folder}/nowhere">\n<Files "x">', True),
    ],
)
def test_a_chain_of_a_directory_that_does_not_exist(stage, section, warns):
    section = section.format(folder=stage.folder)
    ends = "\n".join(f"</{line[1:].split()[0]}>" for line in reversed(section.splitlines()))
    text = said(stage, f"{section}\nBackhand byAge 6\nBackhand byLoad\n{ends}\n", 0, advice=True)
    assert text.count("BH0122") == warns, text
    if warns:
        assert f"is for the directory {stage.folder}/nowhere, which does not exist" in text


def test_a_path_of_old_is_found_in_the_folder_of_modules(stage):
    server = stage.httpd(
        CLUSTER_OF_9 + "Backhand removeSelf\nBackhandFromSO libexec/byHostname.so byHostname ^good$\nBackhandTrace On\n"
    )
    backend = stage.backend("127.0.9.2")
    stage.plant(server, Announcement(backend.address, backend.port, "good"), Announcement("127.0.9.3", 80, "bad"))
    assert server.get("/").trace.server == backend.id


def test_what_is_below_serverroot_comes_first(stage):
    server = stage.httpd(start=False)
    (server.root / "libexec").mkdir()
    (server.root / "libexec/byHostname.so").write_text("not an object")
    server.configure("BackhandFromSO libexec/byHostname.so byHostname x\n")
    code, text = server.test_config()
    assert code == 1 and f"cannot load '{server.root}/libexec/byHostname.so'" in text


@pytest.mark.parametrize("path", ["libexec/byNothing.so", "byNothing.so", "/usr/libexec/byNothing.so"])
def test_where_an_object_was_looked_for(stage, path):
    server = stage.httpd(f"BackhandFromSO {path} f\n", start=False)
    code, text = server.test_config()
    places = (
        [path] if path.startswith("/") else [f"{server.root}/{path}", f"{BUILD}/byNothing.so", "/modules/byNothing.so"]
    )
    assert code == 1 and all(place in text for place in places), text


# ---- backhandctl ----


@pytest.fixture(scope="module")
def server(module_stage):
    server = module_stage.httpd(CLUSTER)
    module_stage.plant(
        server,
        Announcement("127.0.9.7", 8087, "app2.example.net"),
        Announcement("127.0.9.8", 80, "app3"),
        Announcement("127.0.9.8", 81, "app3"),
    )
    return server


def order(server, target):
    return subprocess.run(
        [CTL, "drain", target, "-s", server.control_socket], capture_output=True, text=True, timeout=10, check=False
    )


@pytest.mark.parametrize("target", ["app2.example.net", "app2", "APP2", "127.0.9.7", "app2:8087", "127.0.9.7:8087"])
def test_an_order_for_a_name(server, target):
    result = order(server, target)
    assert (result.returncode, result.stderr) == (0, "") and result.stdout.startswith("127.0.9.7:8087: draining")


@pytest.mark.parametrize(
    "target, why",
    [
        ("app9", "no server of the table has the name or address app9"),
        ("app3", "several servers are app3: choose one of 127.0.9.8:80, 127.0.9.8:81"),
        ("127.0.9.8", "several servers are 127.0.9.8: choose one of 127.0.9.8:80, 127.0.9.8:81"),
        ("app2:80", "no server of the table"),
        ("127.0.9.9", "no server of the table"),
        ("127.0.9.9:80", "no such server"),
        ("", "no server of the table"),
    ],
)
def test_an_order_for_nobody(server, target, why):
    result = order(server, target)
    assert (result.returncode, result.stdout) == (1, "") and why in result.stderr


def test_a_socket_that_systemd_hides(server):
    """With PrivateTmp httpd has a /tmp of its own."""
    result = subprocess.run(
        [CTL, "status", "-s", "/tmp/backhand-nowhere/backhand-80.sock"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert result.returncode == 1 and "PrivateTmp" in result.stderr
    result = subprocess.run(
        [CTL, "status", "-s", "/nowhere/backhand-80.sock"], capture_output=True, text=True, timeout=10, check=False
    )
    assert result.returncode == 1 and "PrivateTmp" not in result.stderr
