# Licensed under the Apache License, Version 2.0; see LICENSE.
"""byResource in a real configuration: quoting, errors, and who is left."""

import pytest
from harness.announce import Announcement
from harness.stage import CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
BackhandMode Observe
<Location />
    Backhand removeSelf
    Backhand byResource "amem > 512 && cpu > 200"
</Location>
<Location /single>
    Backhand removeSelf
    Backhand byResource 'amem > 512 && cpu > 200'
</Location>
<Location /bare>
    Backhand removeSelf
    Backhand byResource amem>512&&cpu>200
</Location>
<Location /wrapped>
    Backhand removeSelf
    Backhand byResource "amem > 512 && \\
        cpu > 200"
</Location>
<Location /means>
    Backhand removeSelf
    Backhand byResource "latency_ms < 50 && capacity / ncpu >= 400"
</Location>
<Location /nobody>
    Backhand removeSelf
    Backhand byResource "1 / load < 0"
    Backhand addSelf
</Location>
"""
)

MEANS = (0, 2000, 100_000, 20_000, 20_000, 500, 1600, 0)
BIG = Announcement("127.0.9.2", hostname="big", free_memory=1 << 30, cpu=900, means=MEANS, ncpu=4)
SMALL = Announcement("127.0.9.3", hostname="small", free_memory=512 << 20, cpu=900, means=MEANS, ncpu=5)
BUSY = Announcement(
    "127.0.9.4", hostname="busy", free_memory=1 << 30, cpu=200, means=(0, 2000, 100_000, 0, 50_000, 0, 1600, 0), ncpu=4
)


@pytest.fixture(scope="module")
def front(module_stage):
    front = module_stage.httpd(CONFIG, files={".htaccess": ""})
    module_stage.plant(front, BIG, SMALL, BUSY)
    return front


@pytest.mark.parametrize(
    "path, server, left",
    [("/", BIG, 1), ("/single", BIG, 1), ("/bare", BIG, 1), ("/wrapped", BIG, 1), ("/means", BIG, 1)],
)
def test_who_is_left(front, path, server, left):
    trace = front.get(path).trace
    assert trace.server == server.id and trace.left[-1] == ("byResource", left), trace


def test_if_nobody_is_left_later_functions_may_add(front):
    assert front.get("/nobody").trace.left[1:] == [("byResource", 0), ("addSelf", 1)]


@pytest.mark.parametrize(
    "line, text",
    [
        (
            'Backhand byResource "amem >> 512"',
            "Backhand: byResource: a number, a name or '(' is missing, at character 7 of 'amem >> 512'",
        ),
        (
            'Backhand byResource "amen > 512"',
            "Backhand: byResource: there is no value 'amen' (did you mean amem?), at character 1 of 'amen > 512'",
        ),
        ('Backhand byResource "(cpu + 1"', "Backhand: byResource: a ')' is missing, at character 9 of '(cpu + 1'"),
        ('Backhand byResource " "', "Backhand: byResource: a number, a name or '(' is missing, at character 2 of ' '"),
        ("Backhand byResource", 'Backhand: byResource needs an argument: a condition, such as "amem > 512"'),
        # Without quotes httpd sees three arguments.
        ("Backhand byResource amem > 512", "byResource takes one argument, but got 3 words"),
    ],
)
def test_errors(stage, line, text):
    code, said = stage.httpd(f"<Location />\n{line}\n</Location>\n", start=False).test_config()
    assert code != 0 and text in said, said


def test_htaccess(stage):
    htaccess = 'BackhandTrace On\nBackhand removeSelf\nBackhand byResource "memory_available > 1000000000"\n'
    front = stage.httpd(
        CLUSTER_OF_9
        + "BackhandTrace On\nBackhandMode Observe\n<Directory ${root}/htdocs>\nAllowOverride FileInfo\n</Directory>\n",
        files={
            "a/.htaccess": htaccess.replace("BackhandTrace On\n", ""),
            "a/page": "x",
            "b/.htaccess": 'Backhand byResource "amem >"\n',
            "b/page": "x",
        },
    )
    stage.plant(front, BIG, SMALL)
    assert front.get("/a/page").trace.left[-1] == ("byResource", 1)
    assert front.get("/b/page").status == 500
    front.log.expect("Backhand: byResource: a number, a name or '\\(' is missing, at character 7 of 'amem >'")
