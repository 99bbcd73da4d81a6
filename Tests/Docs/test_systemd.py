# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The units of httpd-conf-examples/systemd, as systemd itself reads them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from Docs.repository import ROOT
from harness.httpd import BUILD

UNITS = ROOT / "httpd-conf-examples/systemd"
SERVICE = Path("/lib/systemd/system/apache2.service")

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze") or not SERVICE.exists(), reason="needs Debian's systemd and apache2.service"
)


def verify(folder, unit):
    """What systemd has to say against a unit of the folder."""
    result = subprocess.run(
        ["systemd-analyze", "verify", folder / unit],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    said = [line for line in (result.stdout + result.stderr).splitlines() if "backhand" in line or unit in line]
    return result.returncode, said


def put(folder, name, source, **replaced):
    """Copies a unit, with backhandctl where it was built."""
    text = source.read_text().replace("backhandctl ", f"{BUILD}/backhandctl ")
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    "replaced, good", [({}, True), ({"ExecStop": "ExecHalt"}, False), ({"/backhandctl": "/backhandcontrol"}, False)]
)
def test_maintenance(tmp_path, replaced, good):
    put(tmp_path, "backhand-maintenance.service", UNITS / "backhand-maintenance.service", **replaced)
    code, said = verify(tmp_path, "backhand-maintenance.service")
    assert (not said) == good and (code == 0 or not good), said


@pytest.mark.parametrize(
    "replaced, good",
    [
        ({}, True),
        ({"RestartKillSignal": "RestartKilSignal"}, False),
        ({"SIGUSR1": "SIGUSER1"}, False),
        ({"@system-service": "@system-servant"}, False),
    ],
)
def test_the_announcer(tmp_path, replaced, good):
    """With the program where it was built; there is no manual page of it that could be shown."""
    name = "backhand-announce.service"
    places = {"/usr/bin/backhand-announce": f"{BUILD}/backhand-announce", "Documentation": "#Documentation"}
    put(tmp_path, name, UNITS / name, **places, **replaced)
    code, said = verify(tmp_path, name)
    assert (not said) == good and (code == 0 or not good), said


@pytest.mark.parametrize("replaced, good", [({}, True), ({"TimeoutStopSec": "TimeoutHaltSec"}, False)])
def test_the_drop_in(tmp_path, replaced, good):
    put(tmp_path, "apache2.service", SERVICE)
    put(tmp_path, "apache2.service.d/backhand-drain.conf", UNITS / "backhand-drain.conf", **replaced)
    code, said = verify(tmp_path, "apache2.service")
    assert (not said) == good and (code == 0 or not good), said
