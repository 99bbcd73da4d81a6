# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Fixtures of the black-box tests."""

import contextlib
import itertools
import signal

import pytest
from _pytest.runner import runtestprotocol
from harness.announcer import Announcer
from harness.backend import Backend
from harness.httpd import BUILD, MPMS
from harness.lateness import Lateness
from harness.stage import Stage

_stages = []

# What measures times.
MEASURING = ("test_257_chains.py", "test_421_floods.py")

# What begins last is waited for by everything else, so these files begin first: those whose tests share servers and
# take more than 25 seconds together, and those with a test that takes 15 seconds or more.
LONGEST = (
    "test_435_balance.py",
    "test_shared_address.py",
    "test_322_redirects.py",
    "test_318_restarted_evidence.py",
    "test_121_newer_httpd.py",
    "test_370_lifetimes.py",
    "test_582_many_moderators.py",
    "test_371_lifetimes_http2.py",
    "test_decision.py",
    "test_581_strangers_words.py",
    "test_401_news.py",
    "test_hosts.py",
    "test_311_gone_servers.py",
    "test_402_why.py",
    "test_400_status.py",
    "test_needs.py",
    "test_314_silence.py",
    "test_312_own_shortage.py",
    "test_317_classes.py",
)


def pytest_configure(config):
    if not (BUILD / "mod_backhand.so").exists():
        pytest.exit(f"{BUILD}/mod_backhand.so is missing: run make first, or set BACKHAND_BUILD", 2)
    # Without this a SIGTERM (a job that is cancelled) would end pytest before the fixtures end their httpds.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", 15))


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name in ("Torture", "Balance", "Checks", "Perl", "Packages"):
            item.add_marker(pytest.mark.long)
        if item.path.name in MEASURING:
            item.add_marker(pytest.mark.alone)
        if _shares(item) or item.path.name in MEASURING:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def _shares(item):
    """Whether the test shares servers with others of its file: then one process runs all of them."""
    return any(each[-1].scope == "module" for each in item._fixtureinfo.name2fixturedefs.values())


def _stage(request):
    label = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[-20:]
    stage = Stage(label)
    _stages.append(stage)
    try:
        yield stage
    finally:
        try:
            stage.close()
        finally:
            _stages.remove(stage)


@pytest.fixture(autouse=True)
def error_logs():
    """After each test, an unexpected line in any error log is a failure."""
    yield
    for stage in _stages:
        stage.check_logs()


@pytest.fixture
def stage(error_logs, request):
    """Httpds for one test."""
    yield from _stage(request)


@pytest.fixture(scope="module")
def module_stage(request):
    """Httpds for all tests of a file."""
    yield from _stage(request)


@pytest.fixture
def web():
    """A server of another kind, without httpd."""
    server = Backend("127.0.9.70")
    yield server
    server.close()


@pytest.fixture
def backends(stage):
    """Three servers of another kind."""
    return [stage.backend(f"127.0.9.{number}") for number in (80, 81, 82)]


@pytest.fixture
def announcing(stage):
    """Makes announcers, each in a folder of its own, which end with the test."""
    with contextlib.ExitStack() as made:
        names = (f"announcer{number}" for number in itertools.count())
        yield lambda *arguments, **how: made.enter_context(Announcer(stage.folder, *arguments, name=next(names), **how))


@pytest.fixture(params=MPMS)
def mpm(request):
    """Runs the test under each MPM."""
    return request.param


@pytest.fixture(scope="module", params=MPMS)
def module_mpm(request):
    """Runs the file's tests under each MPM."""
    return request.param


@pytest.fixture(scope="module")
def mpm_stage(module_mpm, request):
    """Httpds for all tests of a file, new ones for each MPM."""
    yield from _stage(request)


def _what_tells(log):
    """The end of an error log, after the last lines that are no debug ones: under load these would be far above the
    end."""
    warnings = "\n".join(line for line in log.splitlines() if ":debug]" not in line and ":trace" not in line)
    return f"{warnings[-4000:]}\n[…] its end:\n{log[-4000:]}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for stage in _stages:
            for server in stage.httpds:
                report.sections.append((f"{server.name}: error log", _what_tells(server.log.text())))
                report.sections.append((f"{server.name}: access log", "\n".join(server.access_log()[-40:])))


# ---- Tests that fail while the machine is late ----

RUN_AGAIN = "run again"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """A test that fails while this process does not get the processors in time says nothing yet: it runs once more, and
    the summary names it."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    with Lateness() as late:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = [report for report in reports if report.failed]
    if failed and late.is_much:
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        crash = getattr(failed[0].longrepr, "reprcrash", None)
        # The second line often has what the first one only announces.
        why = " / ".join((crash.message if crash else str(failed[0].longrepr)).splitlines()[:3])
        reports[-1].user_properties.append((RUN_AGAIN, f"{item.nodeid}: {late}: {why}"))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    again = [
        text
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, text in getattr(report, "user_properties", [])
        if name == RUN_AGAIN
    ]
    if again:
        terminalreporter.section("run again, because the machine was late")
        for text in again:
            terminalreporter.write_line(text)
