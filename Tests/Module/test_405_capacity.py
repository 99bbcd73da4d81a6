# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a server announces as its capacity: what is measured, or what BackhandCapacity says."""

import os

import pytest
from harness.stage import CLUSTER
from harness.wait import wait_for


def announced(server):
    """Its own row, once the speed is measured."""
    return wait_for(
        lambda: (row := server.status().self) and row["arriba"] and row["capacity"] and row, 10, "the first sample"
    )


def test_measured_it_is_the_speed_of_all_cores(stage):
    row = announced(stage.httpd(CLUSTER))
    # A control group's quota may make it less, but never more.
    assert 0 < row["capacity"] <= row["arriba"] * len(os.sched_getaffinity(0)) / 1000 + 1


def test_the_directive_overrides_it_for_all(stage):
    server = stage.httpd(CLUSTER + "BackhandCapacity 123456\n")
    other = stage.httpd(CLUSTER)
    assert announced(server)["capacity"] == 123456
    row = wait_for(lambda: other.status().others.get(server.id), 5, "the announcement")
    assert row["capacity"] == 123456
    assert announced(other)["capacity"] != 123456


@pytest.mark.parametrize("value", ["0", "-1", "1000000001", "1.5", "1k", "99999999999999999999"])
def test_out_of_range(stage, value):
    code, said = stage.httpd(f'BackhandCapacity "{value}"\n', start=False).test_config()
    assert code != 0
    assert f"BackhandCapacity: '{value}' is not a whole number from 1 to 1000000000" in said


def test_the_ends_of_the_range(stage):
    assert stage.httpd("BackhandCapacity 1\n", start=False).test_config()[0] == 0
    assert stage.httpd("BackhandCapacity 1000000000\n", start=False).test_config()[0] == 0
    assert stage.httpd("<Location />\nBackhandCapacity 5\n</Location>\n", start=False).test_config()[0] != 0
