# Licensed under the Apache License, Version 2.0; see LICENSE.
"""byHealth over real servers: who fails is left out, unless too many do."""

from harness.announce import Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Location />
    Backhand removeSelf
    Backhand byHealth
</Location>
"""
)


def farm(stage, mpm, statuses, errors):
    """A front, and servers that answer so and announce so many millionths of errors."""
    backends = [
        stage.backend(f"127.0.9.{2 + number}", reply=lambda _, status=status: Reply(status, b""))
        for number, status in enumerate(statuses)
    ]
    front = stage.httpd(CONFIG, mpm=mpm, group=stage.new_group())
    for backend, share in zip(backends, errors):
        stage.plant(
            front,
            Announcement(backend.address, backend.port, means=(0, 1000, 1000, 0, 1000, 0, 1600, share), arriba=400_000),
        )
    return front, backends


def test_errors_repel(mpm_stage, module_mpm):
    front, (bad, good, _) = farm(mpm_stage, module_mpm, [500, 200, 200], [0, 0, 0])
    for _ in range(3):
        answer = front.get("/")
        assert answer.status == 500 and answer.trace.server == bad.id
    # Once a second a repeatable request may look whether it works again.
    for _ in range(5):
        answer = front.get("/", method="POST", body=b"x")
        assert answer.status == 200 and answer.trace.server == good.id and answer.trace.left[-1] == ("byHealth", 2), (
            answer
        )


def test_who_announces_errors_gets_nothing_at_first(mpm_stage, module_mpm):
    front, (bad, good) = farm(mpm_stage, module_mpm, [500, 200], [500_000, 499_999])
    # One repeatable request in 64 probes nevertheless.
    for _ in range(5):
        answer = front.get("/", method="POST", body=b"x")
        assert answer.status == 200 and answer.trace.server == good.id and answer.trace.left[-1] == ("byHealth", 1), (
            answer
        )
    assert not bad.requests


def test_never_more_than_half(mpm_stage, module_mpm):
    front, (bad, worse, good) = farm(mpm_stage, module_mpm, [500, 200, 200], [0, 1_000_000, 0])
    for _ in range(3):
        assert front.get("/", method="POST", body=b"x").trace.server == bad.id
    answer = front.get("/", method="POST", body=b"x")
    assert answer.trace.server == good.id and answer.trace.left[-1] == ("byHealth", 3), answer
    assert not worse.requests
