# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Times by server and chain: who is slow with the one kind of requests may be the best for the other."""

from collections import Counter

from harness.announce import Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Location /search>
    Backhand removeSelf
    Backhand byLeastTime
</Location>
<Location /images>
    Backhand removeSelf
    Backhand byLeastTime
</Location>
"""
)

# Of forty. A request in eight may ask a server for its time, whatever was forecast: by chance more than thirteen do in
# two of ten thousand tries. With times that the chains share it would be half of them.
ENOUGH = 27

OTHERS = "".join(
    f"<Location /other{number}>\nBackhand removeSelf\nBackhand byLeastTime\n</Location>\n" for number in range(8)
)


def slow(prefix):
    """A server that takes long for paths that begin so."""
    return lambda request: Reply(200, b"", delay=0.08 if request.target.startswith(prefix) else 0.004)


def farm(stage, mpm, config, *prefixes):
    backends = [stage.backend(f"127.0.9.{2 + number}", reply=slow(prefix)) for number, prefix in enumerate(prefixes)]
    front = stage.httpd(config, mpm=mpm, group=stage.new_group())
    for backend in backends:
        stage.plant(front, Announcement(backend.address, backend.port))
    return front, backends


def shares(front, path, count=40):
    return Counter(front.get(path).trace.server for _ in range(count))


def test_each_chain_goes_by_its_own_times(mpm_stage, module_mpm):
    front, (images, search) = farm(mpm_stage, module_mpm, CONFIG, "/search", "/images")
    for _ in range(3):
        # In turn, so that shared times would be the mean of both.
        assert shares(front, "/search")[search.id] >= ENOUGH
        assert shares(front, "/images")[images.id] >= ENOUGH


def test_more_chains_than_slots(stage):
    """The eighth and later ones share a slot; they work all the same."""
    front, (first, second) = farm(stage, "event", CONFIG + OTHERS, "/search", "/images")
    assert set(shares(front, "/other7", 10)) <= {first.id, second.id}
    assert shares(front, "/search")[second.id] >= ENOUGH


def test_a_restart_gives_each_chain_its_number_again(stage):
    front, (images, search) = farm(stage, "event", CONFIG, "/search", "/images")
    assert shares(front, "/search")[search.id] >= ENOUGH and shares(front, "/images")[images.id] >= ENOUGH
    front.restart()
    assert shares(front, "/search", 10)[search.id] >= 9
    assert shares(front, "/images", 10)[images.id] >= 9
