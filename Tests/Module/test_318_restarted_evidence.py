# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What answers said of servers before a new moderator took over is the past: neither does it speak against a server
today, nor does it hide what does."""

import os
import random
import signal
import time

import pytest
from harness import modules
from harness.announce import Announcement
from harness.backend import Reply
from harness.crowd import Crowd, shares
from harness.front import announcing
from harness.stage import CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Location />
    Backhand removeSelf
    Backhand byRandom
</Location>
<Location /history>
    Backhand off
    SetHandler history
</Location>
"""
)

MEANS = (0, 2000, 100_000, 40_000, 40_000, 500, 1600, 0)

# Runs in a child of httpd, which counts answers: adds as many as weeks bring. "?404": of the server whose row is the
# first one, wrong answers.
HISTORY = (
    modules.FIND_SEGMENT
    + r"""
#include "evidence.h"

static int add(request_rec *r) {
    if (!r->handler || strcmp(r->handler, "history")) return DECLINED;
    bh_segment_t *segment = find();
    int added = 0;
    for (uint32_t id = 1; segment && id < bh_segment_rows(segment); id++)
        for (uint32_t slot = 0; slot < BH_CHAINS; slot++) {
            bh_evidence_t *evidence = bh_row_evidence(&segment->rows_extended[id], slot);
            if (!bh_evidence_answers(evidence, BH_CLASS_GOOD)) continue;
            int is_wrong = id == 1 && r->args && !strcmp(r->args, "404");
            uint32_t *answers = &evidence->answers[is_wrong ? BH_CLASS_WRONG : BH_CLASS_GOOD];
            __atomic_add_fetch(answers, 20000000, __ATOMIC_RELAXED);
            added++;
        }
    ap_rprintf(r, "%d\n", added);
    return OK;
}

static void hooks(apr_pool_t *p) { ap_hook_handler(add, NULL, NULL, APR_HOOK_REALLY_FIRST - 1); }

AP_DECLARE_MODULE(history) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
"""
)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The module's line for the configuration."""
    return modules.build(tmp_path_factory.mktemp("history"), "history", HISTORY)


class Farm:
    """A front and three servers, of which the first gives so many wrong answers."""

    def __init__(self, stage, config):
        self.wrong = 0
        self.backends = [stage.backend(f"127.0.9.{2 + number}", reply=self._reply(number)) for number in range(3)]
        self.front = stage.httpd(config, workers=32, children=2, group=stage.new_group())
        self.front.log.allow("BH0410|BH0206|AH0")
        self.ids = [backend.id for backend in self.backends]
        announcements = [
            Announcement(backend.address, backend.port, means=MEANS, arriba=400_000, boot_id=number + 1)
            for number, backend in enumerate(self.backends)
        ]
        self.announcing = announcing(stage, self.front, *announcements)

    def _reply(self, number):
        return lambda request: (
            Reply(404, b"")
            if number == 0 and random.random() < self.wrong
            else Reply(200, b"", delay=random.uniform(0.03, 0.05))
        )

    def __enter__(self):
        self.announcing.__enter__()
        return self

    def __exit__(self, *error):
        return self.announcing.__exit__(*error)

    def succeed(self, how, crowd, count):
        """Gives its moderator a successor, while the moderator does not see what is added to the counts."""
        old = self.front.moderator()
        os.kill(old, signal.SIGSTOP)
        assert self.front.get(f"/history?{count}").text == "3\n"
        if how == "killed":
            os.kill(old, signal.SIGKILL)
        else:
            self.front.restart()
        crowd.for_seconds(1.5)
        self.front.moderator(other_than=old)


@pytest.mark.parametrize("how", ["killed", "graceful"])
def test_an_old_history_does_not_hide_what_is_wrong_today(stage, history, how):
    """After years of good answers a server lacks the application: what it takes to see that is some seconds, as
    ever."""
    with Farm(stage, history + CONFIG) as farm, Crowd(farm.front, 10) as crowd:
        crowd.for_seconds(2)
        farm.succeed(how, crowd, "200")
        crowd.for_seconds(2)
        farm.wrong = 1
        crowd.for_seconds(6)
        begin = time.monotonic()
        asked = crowd.for_seconds(4)
        # One request a second looks; on a busy machine that may be more than one in fifty.
        most = max(0.02 * len(asked), time.monotonic() - begin + 2)
        assert sum(one.status == 404 for one in asked) <= most, (len(asked), most)


@pytest.mark.parametrize("how", ["killed", "graceful"])
def test_an_old_history_is_no_doubt(stage, history, how):
    """A server that once gave wrong answers only, and now gives one in ten, gets its share without a break: a doubt
    would leave it out for a second."""
    with Farm(stage, history + CONFIG) as farm, Crowd(farm.front, 10) as crowd:
        farm.wrong = 0.1
        crowd.for_seconds(2)
        begin = len(crowd.asked)
        farm.succeed(how, crowd, "404")
        crowd.for_seconds(2)
        asked = [one for one in crowd.asked[begin:] if one.server]
        assert set(shares(asked)) == set(farm.ids) and min(shares(asked).values()) > 0.2, shares(asked)
        others = "".join("0" if one.server == farm.ids[0] else "-" for one in asked).split("0")
        # By chance once in ten thousand million times.
        assert len(max(others)) < 60, len(max(others))
