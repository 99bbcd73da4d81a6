# Licensed under the Apache License, Version 2.0; see LICENSE.
"""That the bench still works: two contenders, seconds. What it finds is no figure; make bench-balance FULL=1 has
these."""

import subprocess
import time

import pytest
from Bench.Balance import balance, contenders, control_group, figures, oracle, workload
from Bench.Balance.run import Cell, Plan, World, build, run
from Bench.Balance.scenarios import BY_NAME, Event, Scenario, Server
from harness.wait import wait_for

PLAN = Plan(3, warm_up=1.5, settle=1.2, drain=5)
SCENARIO = BY_NAME["speeds-300"]


def running():
    """Command lines of all processes."""
    return subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout


def test_two_contenders_in_front_of_servers_of_different_speed():
    build()
    found = {}
    with World(SCENARIO) as world:
        for name in ("byrequests", "default"):
            cell = run(world, contenders.BY_NAME[name], PLAN, seed=1)
            found[name] = figures.of(cell, len(SCENARIO.servers))
            assert len(cell.outcomes) == len(cell.requests)
            assert all(outcome.is_good for outcome in cell.outcomes)
            assert sum(found[name].shares) > 0.999
        folder = str(world.folder)
    assert folder not in running()
    # In turn: whoever is slow gets as much as the others.
    assert max(abs(share - 0.25) for share in found["byrequests"].shares) < 0.05
    assert found["default"].shares[0] > 2 * found["default"].shares[3]
    assert found["default"].p99 < found["byrequests"].p99
    # Nobody is better than one who knows all.
    bound = oracle.replay(SCENARIO, cell.requests, PLAN.whole)
    least = figures.of_latencies(latency for latency, _ in workload.measured(cell.requests, bound, PLAN.warm_up))
    assert found["default"].p50 > 0.95 * least[0] and found["default"].p99 > 0.9 * least[2]


def arrival(due, demand):
    return workload.Arrival(round(due * 1e6), 0, "GET", "/", round(demand * 1e6))


def test_the_oracle_knows_who_ends_first():
    # One worker each, the second three times slower.
    scenario = Scenario(
        "by hand", "", (Server(1), Server(1, slowness=3)), 1, events=lambda _: [Event(10, 0, "fails", True)]
    )
    requests = [arrival(0, 1), arrival(0, 1), arrival(0, 1), arrival(0, 1), arrival(11, 1)]
    # Mean demands: 1 and 3; 2 and 3; 3 and 3 (the slower one is emptier); 3 and 6; the first one fails.
    assert oracle.replay(scenario, requests, 20) == [(1, 0), (2, 0), (3, 1), (3, 0), (3, 1)]


@pytest.mark.parametrize(
    "outcome, text",
    [
        ((workload.ANSWERED, 503, 0, "s4"), "503 of s4"),
        ((workload.ANSWERED, 503, 0, "-"), "503 of nobody"),
        ((3, 200, 1, "s1"), "no whole answer"),
    ],
)
def test_failures_in_words(outcome, text):
    good = workload.Outcome(1_000_000, 1_002_000, workload.ANSWERED, 200, 0, "s1")
    bad = workload.Outcome(2_500_000, 2_503_500, *outcome)
    cell = Cell("", "", 1, 0, [arrival(1, 1), arrival(2.5, 1), arrival(2.6, 1)], [good, bad, bad], 1, 1)
    assert cell.failure == f"2 failed, the first at 2.50 s: GET /: {text}, 3.5 ms after it was sent"
    assert cell._replace(outcomes=[good] * 3).failure == ""


def test_arrivals_depend_on_the_seed_alone():
    first, again, other = (workload.arrivals(SCENARIO, 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert abs(len(first) / 20 / SCENARIO.rate - 1) < 0.05
    assert abs(sum(request.demand for request in first) / len(first) / 10_000 - 1) < 0.05


def test_the_oracle_shares_the_cpu_of_a_container():
    # Half a core and two workers; from the second 4.25 on a quarter of one.
    scenario = Scenario("by hand", "", (Server(2, limit=0.5),), 1, events=lambda _: [Event(4.25, 0, "limit", 0.25)])
    requests = [arrival(0, 1), arrival(1, 1), arrival(2, 0.25), arrival(20, 1)]
    # The first is alone until 1, then shares and ends at 3; the third takes its worker until 4; the second has still to
    # do 0.25 then.
    found = oracle.replay(scenario, requests, 30)
    assert [place for _, place in found] == [0] * 4
    assert [round(latency, 6) for latency, _ in found] == [3, 3.75, 2, 4]


def once(server, demand_us):
    """Seconds that a request takes."""
    begin = time.monotonic()
    assert server.httpd.get("/", headers={"X-Demand": str(demand_us)}).status == 200
    return time.monotonic() - begin


def shortest(server, demand_us, enough):
    """Seconds of the fastest of some requests, up to one that is fast enough: others wait for whatever else this
    machine does."""
    found = []
    while len(found) < 10 or (min(found) > enough and len(found) < 100):
        found.append(once(server, demand_us))
    return min(found)


def capacity(server):
    """What it announces."""
    return server.httpd.status().servers[server.httpd.id]["capacity"]


def test_a_burning_server_is_as_slow_as_its_control_group_and_announces_it():
    if problem := control_group.problem():
        pytest.skip(problem)
    build()
    with World(Scenario("burns", "", (Server(limit=1.0), Server(limit=0.2)), 1)) as world:
        world.farm.start()
        fast, slow = world.farm.servers
        groups = [server.httpd.control_group.path for server in (fast, slow)]
        assert all(group.is_dir() for group in groups)
        wait_for(lambda: capacity(fast) and capacity(slow), 10, "both to have measured their speed")
        # 20 ms of CPU: 100 ms at a fifth of a core. A little was saved up before, and each request costs httpd a little
        # too.
        assert 0.020 <= shortest(fast, 20_000, enough=0.028) < 0.035
        assert 0.075 < shortest(slow, 20_000, enough=0.110) < 0.140
        assert 0.15 < capacity(slow) / capacity(fast) < 0.25
        slow.set("limit", 1.0)
        assert shortest(slow, 20_000, enough=0.028) < 0.035
        wait_for(
            lambda: 0.75 < capacity(slow) / capacity(fast) < 1.25,
            5,
            "the new limit to be announced",
            show=lambda: capacity(slow),
        )
    assert not any(group.exists() for group in groups)


def test_a_group_of_version_2(monkeypatch, tmp_path):
    # A folder that looks like one; the kernel of the machine at hand may have version 1.
    monkeypatch.setattr(control_group, "MOUNT", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    with control_group.ControlGroup("s1") as group:
        assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
        group.set(0.25)
        assert group.path.parent == tmp_path and [file.name for file in group.path.iterdir()] == ["cpu.max"]
        assert (group.path / "cpu.max").read_text() == "2500 10000\n"
        (group.path / "cpu.max").unlink()  # the kernel does that
    assert group.path is None and not list(tmp_path.glob("backhand-*"))


def test_what_needs_control_groups_is_left_out_without_them(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(control_group, "MOUNT", tmp_path)
    burning, sleeping = BY_NAME["burn-speeds"], SCENARIO
    assert balance.possible([burning, sleeping]) == [sleeping]
    assert "burn-speeds is left out: control groups cannot be made" in capsys.readouterr().out
