# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Why does a server get nothing? One word beside its state, the same in page, terminal, JSON and trace; and a page
without a working moderator says so."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from harness import announce
from harness.announce import DRAINING, Announcement, Peer
from harness.backend import Reply
from harness.front import CHAIN, announcement_of, announcing
from harness.httpd import BUILD
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

PAGE = "<Location /backhand-status>\n    Backhand off\n    SetHandler backhand-handler\n</Location>\n"
KEY, OTHER_KEY = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
CTL = str(BUILD / "backhandctl")


def run(*arguments):
    return subprocess.run([CTL, *arguments], capture_output=True, text=True, timeout=20, check=False)


def kind(word):
    """The seconds and per cents differ from look to look."""
    return re.sub("[0-9]+", "N", word)


def words(front, server):
    """Each place's word for the server."""
    control = front.status().servers[server.id]["reason"]
    page = json.loads(front.get("/backhand-status?format=json").body)
    in_page = next(row["reason"] for row in page["servers"] if f"{row['address']}:{row['port']}" == server.id)
    row = next(row for row in front.get("/backhand-status").text.split("<tr") if f">{server.id}<" in row)
    html = re.findall(r"<td[^>]*>(.*?)</td>", row)[14]
    line = next(
        line for line in run("status", "-s", str(front.control_socket)).stdout.splitlines() if f"{server.id} " in line
    )
    terminal = re.split(r"  +", line.strip())[-1]
    why = re.search(r' why="(.*)"', front.get("/trace").header("Backhand-Trace") or "")
    traced = [
        text.partition(" ")[2] for text in (why[1] if why else "").split(", ") if text.startswith(server.id + " ")
    ]
    return [kind(word) for word in (control, in_page, html, terminal, *traced)]


def told(front, server, word):
    """All five places say it."""
    return wait_for(
        lambda: words(front, server) == [word] * 5, 15, f"{word} everywhere", show=lambda: words(front, server)
    )


TRACE = """
<Location /trace>
    Backhand removeSelf
    Backhand addSelf
    Backhand byAge 0.001
</Location>
"""


def test_each_word_is_the_same_everywhere(stage):
    """The traced request stays here, whatever there is to say of the others."""
    gone, quiet, drained, there, new = (Announcement(f"127.0.9.{last}", 8080) for last in range(2, 7))
    gone.port = stage.backend(gone.address).port
    stage.backends[-1].close()
    there.state = DRAINING
    front = stage.httpd(CHAIN + TRACE + PAGE)
    front.log.allow("AH00957|AH01114|BH04")
    stage.plant(front, quiet, drained)
    assert run("maintenance", drained.id, "-s", str(front.control_socket)).returncode == 0
    with announcing(stage, front, gone, drained, there):
        wait_for(lambda: {gone.id, there.id} <= set(front.status().servers), 10, "both", show=front.show_status)
        told(front, drained, "drained (here)")
        told(front, there, "drained (there)")
        told(front, quiet, "silent N s")
        stage.plant(front, new)
        told(front, new, "slow start")

        def refused():
            front.get("/page")
            return words(front, gone)[0] == "back-off N s"

        wait_for(refused, 15, "a refusal", show=front.show_status)
        told(front, gone, "no connection")


def test_a_server_that_fails_and_one_that_gives_wrong_answers(stage):
    bad, good = stage.backend("127.0.9.2", reply=lambda request: Reply(500)), stage.backend("127.0.9.3")
    front = stage.httpd(CHAIN + TRACE + PAGE)
    with announcing(stage, front, announcement_of(bad), announcement_of(good, load=1000)):
        front.knows(bad, good)

        def failed():
            for number in range(60):
                front.get(f"/page{number % 12}", source=f"127.0.0.{2 + number % 10}")
            return front.status().servers[bad.id]["reason"].startswith("failing ")

        wait_for(failed, 30, "failures", show=front.show_status)
        share = int(front.status().servers[bad.id]["reason"].split()[1])
        assert 30 <= share <= 100
        # Nothing speaks against this httpd.
        assert front.status().self["reason"] == ""


def test_a_killed_server_is_not_just_up(stage, mpm):
    front = stage.httpd(CHAIN + PAGE, mpm=mpm)
    server = stage.httpd(CLUSTER_OF_9, address="127.0.9.2", group=front.group)
    front.knows(server)
    server.log.allow("BH0310")  # the front is at 127.0.0.1, as an ordinary client is
    server.kill_parent()
    server.end_everything()
    row = wait_for(
        lambda: (row := front.status().servers[server.id])["reason"].startswith("silent ") and row,
        20,
        "the word",
        show=front.show_status,
    )
    assert int(row["reason"].split()[1]) == row["age_ms"] // 1000


# ---- Heard, but not in the table ----


def senders(front):
    """As page and control socket say alike; one may be forgotten between the two."""

    def same():
        page = {
            sender["address"]: sender
            for sender in json.loads(front.get("/backhand-status?format=json").body)["not_in_table"]
        }
        return [page] if set(page) == {sender["address"] for sender in front.status().json["not_in_table"]} else None

    return wait_for(same, 5, "the same senders in page and control socket")[0]


def test_who_is_refused_is_shown(stage):
    path = stage.folder / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    front = stage.httpd(CLUSTER_OF_9 + f"BackhandKey {path}\n" + PAGE, address="127.0.9.1")
    front.knows()
    front.log.allow("BH03[12]")
    unsigned, wrong, late = Announcement("127.0.9.2"), Announcement("127.0.9.3"), Announcement("127.0.9.4")
    announce.send(unsigned.encode(), front.group, unsigned.address)
    announce.send(unsigned.encode(), front.group, unsigned.address)
    announce.send(wrong.encode(key=OTHER_KEY), front.group, wrong.address)
    announce.send(late.encode(key=KEY), front.group, late.address)
    announce.send(Announcement("127.0.8.5").encode(key=KEY), front.group, "127.0.8.5")
    expected = {"127.0.9.2": "no key", "127.0.9.3": "wrong key", "127.0.9.4": "not proven", "127.0.8.5": "not accepted"}
    found = wait_for(
        lambda: senders(front) if len(senders(front)) == 4 else None, 10, "four senders", show=front.show_status
    )
    assert {address: sender["reason"] for address, sender in found.items()} == expected
    assert found["127.0.9.2"]["times"] == 2 and found["127.0.9.2"]["age_ms"] < 20_000
    text, terminal = front.get("/backhand-status").text, run("status", "-s", str(front.control_socket))
    for address, reason in expected.items():
        assert (
            re.search(f">{address}</td><td[^>]*>{reason}</td>", text)
            and f"not in the table: {address}: {reason} (" in terminal.stdout
        )
    assert terminal.returncode == 0
    # Who proves that it has the key is in the table.
    with Peer(late, front.group, KEY) as peer:
        peer.announce()
        peer.answer(*peer.challenged())
        front.knows(late)
        wait_for(lambda: late.address not in senders(front), 5, "one less", show=front.show_status)
    # And the others are forgotten.
    wait_for(lambda: not senders(front), 30, "none", every=1)
    assert "not in the table" not in run("status", "-s", str(front.control_socket)).stdout


# ---- Without a moderator that works ----


def unavailable(server, why):
    """Page and JSON are a 503 with the reason."""
    page, text = server.get("/backhand-status"), server.get("/backhand-status?format=json")
    assert (page.status, text.status) == (503, 503)
    assert (
        re.search(why, page.text)
        and page.text.startswith("<!DOCTYPE html>")
        and page.header("Content-Type").startswith("text/html")
    )
    assert re.search(why, json.loads(text.body)["trouble"]) and text.header("Content-Type") == "application/json"
    return True


def test_no_moderator_is_configured(stage, mpm):
    assert unavailable(stage.httpd(PAGE, mpm=mpm), "there is no moderator: UnixSocketDir is missing")


def test_a_moderator_that_cannot_start(stage, mpm):
    """Its folder belongs to root alone."""
    server = stage.httpd(CLUSTER.replace("${sockets}", "${root}/closed") + PAGE, start=False, mpm=mpm)
    (server.root / "closed").mkdir(mode=0o700)
    server.start()
    server.log.expect("BH020")
    wait_for(lambda: "BH020" in server.log.text(), 10, "the moderator's last line")
    wait_for(lambda: server.get("/backhand-status").status == 503, 10, "503")
    assert unavailable(server, "there is no moderator: it cannot start, and the error log says why")
    result = run("status", "-s", str(server.control_socket))
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no socket" in result.stderr and "BH0201 to BH0208" in result.stderr


def test_a_moderator_that_stands_still(stage, mpm):
    server = stage.httpd(CLUSTER + PAGE, mpm=mpm)
    server.knows()
    server.log.allow("BH0410")
    assert (
        server.get("/backhand-status").status == 200
        and json.loads(server.get("/backhand-status?format=json").body)["trouble"] == ""
    )
    moderator = server.moderator()
    os.kill(moderator, signal.SIGSTOP)
    try:
        wait_for(lambda: server.get("/backhand-status").status == 503, 15, "503")
        assert unavailable(server, "its last round is more than 3 s ago")
        # The table as it was is there all the same.
        assert server.id in server.get("/backhand-status").text
    finally:
        os.kill(moderator, signal.SIGCONT)
    wait_for(lambda: server.get("/backhand-status").status == 200, 15, "200")
    # One that is killed is replaced.
    os.kill(server.moderator(), signal.SIGKILL)
    server.log.allow("BH0206")
    wait_for(
        lambda: server.status().json["trouble"] == "" and server.get("/backhand-status").status == 200,
        15,
        "the next one",
    )


def test_nothing_is_announced(stage):
    """There is a moderator, and no line that gives it an address."""
    server = stage.httpd("UnixSocketDir ${sockets}\nAcceptStats 127.0.0.0/8\n" + PAGE)
    server.log.allow("BH")
    wait_for(lambda: "nothing is announced" in server.get("/backhand-status").text, 10, "the reason")
    assert unavailable(server, "nothing is announced and no server is heard: there is no MulticastStats line")
    result = run("status", "-s", str(server.control_socket))
    assert result.returncode == 1 and "nothing is announced" in result.stderr


@pytest.mark.parametrize("value", ["xml", "", "JSON", "%3Cb%3E", "x" * 300, "a%0d%0ab"])
def test_formats_that_there_are_not(stage, value):
    server = stage.httpd(CLUSTER + PAGE)
    server.knows()
    answer = server.get(f"/backhand-status?format={value}")
    assert answer.status == 400 and answer.header("Content-Type").startswith("text/plain")
    shown = {"%3Cb%3E": "<b>", "a%0d%0ab": "a??b"}.get(value, value[:64] + "..." * (len(value) > 64))
    assert answer.text == f"There is no such format: '{shown}' is neither html nor json.\n"
    for good, begins in (("html", "<!DOCTYPE"), ("json", "{")):
        assert (good := server.get(f"/backhand-status?format={good}")).status == 200 and good.text.startswith(begins)


# ---- The chain has left nobody ----


@pytest.mark.parametrize("choice, done", [("Local", "served here"), ("Unavailable", "answered with 503")])
def test_the_chain_left_nobody(stage, mpm, choice, done):
    gone = Announcement("127.0.9.2", 8080)
    front = stage.httpd(
        CLUSTER_OF_9 + f"BackhandNoCandidate {choice}\n<Location /app>\n    Backhand byAge 3\n    Backhand "
        "removeSelf\n</Location>\n",
        mpm=mpm,
        children=1,
        files={"app": "here"},
    )
    stage.plant(front, gone)
    wait_for(lambda: front.status().servers[gone.id]["age_ms"] > 6500, 15, "silence", every=0.3)
    for _ in range(5):
        assert front.get("/app").status == (200 if choice == "Local" else 503)
    lines = front.log.lines("BH0490")
    assert [line.level for line in lines] == ["notice"] * len(lines) and 1 <= len(lines) <= 5
    assert re.search(
        rf"BH0490: the Backhand chain at \S+:[0-9]+ left no server \(1 times since the last line\): {done}; "
        r"chain=byAge:2>1,removeSelf:1>0; "
        rf"of the others: {gone.id} silent [0-9]+ s",
        lines[0].text,
    ), lines[0].text
    place = re.search(r"at (\S+):([0-9]+) left", lines[0].text)
    assert open(place[1], encoding="ascii").read().splitlines()[int(place[2]) - 1].strip() == "Backhand byAge 3"
    # Once a minute in each process.
    assert len(lines) == len({line.pid for line in lines})


def test_observing_is_not_worth_a_line(stage):
    front = stage.httpd(CLUSTER_OF_9 + "BackhandMode Observe\nBackhandNoCandidate Unavailable\nBackhand removeSelf\n")
    front.knows()
    assert front.get("/").status in (200, 403, 404)
    time.sleep(0.3)
    assert front.log.lines("BH0490") == []
