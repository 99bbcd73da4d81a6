# Licensed under the Apache License, Version 2.0; see LICENSE.
"""ChrootDir: the moderator and the children see another root directory than the parent, which makes the control socket
and reads the configuration."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.httpd import ARRIBA_FILE
from harness.stage import CLUSTER
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="ChrootDir needs root")

CONFIG = """
ChrootDir {jail}
BackhandKey {key}
BackhandModeratorPIDFile ${{root}}/run/moderator.pid
<Directory />
    AllowOverride None
</Directory>
"""


def libgcc():
    """glibc wants it when a thread ends, and cannot find it in the new root: without mod_backhand, too."""
    lines = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout.splitlines()
    return f"LoadFile {next(line.split()[-1] for line in lines if 'libgcc_s.so.1' in line)}\n"


class Jail:
    def __init__(self, stage, mpm):
        self.root = stage.folder / "jail"
        key = stage.folder / "key"
        key.write_text("0123456789abcdef" * 4 + "\n")
        key.chmod(0o600)
        self.key = f"BackhandKey {key}\n"
        self.config = CLUSTER + libgcc() + CONFIG.format(jail=self.root, key=key)
        self.server = stage.httpd(self.config, name="jailed", mpm=mpm, address="127.0.0.4", start=False)
        page = self.inside(self.server.root / "htdocs") / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("jailed")

    def inside(self, path):
        return Path(f"{self.root}{path}")

    def make_folder(self):
        folder = self.inside(self.server.sockets)
        folder.mkdir(parents=True)
        shutil.chown(folder, "www-data", "www-data")
        return folder


@pytest.fixture
def jail(stage, mpm):
    return Jail(stage, mpm)


def test_it_works(stage, jail):
    """Both ways, with a key, over restarts, and with another moderator: it announces figures of the machine, and keeps
    its speed inside."""
    folder = jail.make_folder()
    free = stage.httpd(CLUSTER + jail.key, name="free", address="127.0.0.5")
    free.put("index.html", "free")
    server = jail.server.start()
    assert server.get("/").text == "jailed"
    for _ in range(2):
        free.knows(server)
        server.knows(free)
        server.restart()
    # It has its name before it changes its root.
    wait_for(lambda: os.readlink(f"/proc/{server.moderator()}/root") == str(jail.root), 5, "its root")
    assert (server.root / "run/moderator.pid").read_text().strip() == str(server.moderator())
    row = wait_for(lambda: server.status().self, 5, "its own row")
    assert row["memory_total"] > 0 and row["ncpu"] > 0 and row["arriba"] > 0 and row["capacity"] > 0
    assert wait_for(lambda: server.status().self["memory_worker"], 5, "memory of a worker") > 0
    assert int((folder / ARRIBA_FILE).read_text()) == row["arriba"]
    server.configure(jail.config + "Backhand removeSelf\nBackhand byRandom\n")
    server.restart()
    wait_for(lambda: server.get("/").text == "free", 5, "the other one's answer")
    server.log.allow("BH0206")
    os.kill(server.moderator(), 9)
    server.knows(free)
    assert server.get("/").text == "free"


def test_the_drain_file_is_inside(jail):
    """As the moderator sees it."""
    jail.make_folder()
    jail.server.configure(jail.config + "BackhandDrainFile ${root}/run/drain\n")
    inside = jail.inside(jail.server.root / "run/drain")
    inside.parent.mkdir()
    inside.touch()
    server = jail.server.start()
    wait_for(lambda: server.status().self["state"] == "draining", 5, "it to drain", show=server.show_status)
    inside.unlink()
    # The file outside is another one.
    (server.root / "run/drain").touch()
    wait_for(lambda: server.status().self["state"] == "up", 5, "it to be up", show=server.show_status)


def test_without_the_folder(jail):
    """It works, but for what is kept there; the line says what is missing."""
    server = jail.server.start()
    server.knows()
    server.log.expect(f"BH0372: ChrootDir {jail.root} has no folder {server.sockets} in it")
    server.log.allow("BH0303")
    assert server.get("/").text == "jailed"
    assert server.status().self["arriba"] > 0
