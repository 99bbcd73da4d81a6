# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What caches and browsers rely on comes from the server and arrives as it is: validators, ranges, encodings."""

import gzip
import os

import pytest
from harness.backend import Reply
from harness.front import front_of

TEXT = "".join(f"line {number}\n" for number in range(1000))


class Pair:
    """A front, and an httpd behind that has the files and compresses."""

    def __init__(self, stage):
        self.server = stage.httpd(
            "SetOutputFilter DEFLATE\nDeflateAlterETag NoChange\nFileETag MTime Size\n<Files *.gz>\nSetEnv no-gzip "
            "1\nHeader set Content-Encoding gzip\n"
            "</Files>\nHeader set Cache-Control max-age=60\n",
            name="server",
            address="127.0.9.2",
            modules=["deflate", "filter", "setenvif"],
            without=("backhand",),
            files={"page.txt": TEXT, "packed.gz": gzip.compress(b"packed before"), "empty": ""},
        )
        # What has changed within the last second has a weak ETag, which no range may go by.
        os.utime(self.server.root / "htdocs/page.txt", (1.7e9, 1.7e9))
        self.front = front_of(stage, self.server)

    def both(self, path, **headers):
        """The answers through the front and without it."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.front.get(path, headers=headers), self.server.get(path, headers=headers)


@pytest.fixture(scope="module")
def pair(module_stage):
    return Pair(module_stage)


def facts(answer):
    """What must be the same on both ways; times of the answer, connections and our trace are not."""
    other = {"date", "backhand-trace", "connection", "keep-alive", "transfer-encoding"}
    return (
        answer.status,
        sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in other),
        answer.body,
    )


@pytest.mark.parametrize(
    "path, headers",
    [
        ("/page.txt", {}),
        ("/page.txt", {"Accept_Encoding": "gzip"}),
        ("/packed.gz", {}),
        ("/packed.gz", {"Accept_Encoding": "gzip"}),
        ("/empty", {}),
        ("/none", {}),
        ("/page.txt", {"Range": "bytes=0-4"}),
        ("/page.txt", {"Range": "bytes=-10"}),
        ("/page.txt", {"Range": "bytes=99999999-"}),
        ("/page.txt", {"If_Modified_Since": "Thu, 31 Dec 2099 00:00:00 GMT"}),
        ("/page.txt", {"If_Unmodified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        ("/page.txt", {"If_Match": '"nothing"'}),
    ],
    ids=str,
)
def test_answers_are_the_servers(pair, path, headers):
    through, direct = pair.both(path, **headers)
    assert facts(through) == facts(direct)
    assert through.trace.server == pair.server.id


def test_an_encoding_is_left_alone(pair):
    """The front does not look into what is compressed."""
    answer = pair.front.get("/page.txt", headers={"Accept-Encoding": "gzip"})
    assert (answer.header("Content-Encoding"), answer.header("Vary")) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.body).decode() == TEXT
    assert gzip.decompress(pair.front.get("/packed.gz").body) == b"packed before"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_validators(pair, encoding):
    first = pair.front.get("/page.txt", headers={"Accept-Encoding": encoding})
    tag = first.header("ETag")
    again, direct = pair.both("/page.txt", Accept_Encoding=encoding, If_None_Match=tag)
    assert tag and facts(again) == facts(direct)
    assert (again.status, again.body) == (304, b"")
    assert pair.front.get("/page.txt", headers={"Accept-Encoding": encoding, "If-None-Match": '"other"'}).status == 200


def test_ranges(pair):
    answer = pair.front.get("/page.txt", headers={"Range": "bytes=7-12"})
    assert (answer.status, answer.text, answer.header("Content-Range")) == (206, TEXT[7:13], f"bytes 7-12/{len(TEXT)}")
    several = pair.front.get("/page.txt", headers={"Range": "bytes=0-3,10-13"})
    assert several.status == 206 and several.header("Content-Type").startswith("multipart/byteranges")
    tag = pair.front.get("/page.txt").header("ETag")
    assert pair.front.get("/page.txt", headers={"Range": "bytes=0-3", "If-Range": tag}).status == 206
    assert pair.front.get("/page.txt", headers={"Range": "bytes=0-3", "If-Range": '"other"'}).status == 200


def test_a_cache_in_front_asks_once(stage):
    """mod_cache keeps what other servers answer: the second client is answered without them."""
    backend = stage.backend(
        "127.0.9.2",
        reply=lambda request: Reply(body=b"cached", headers={"ETag": '"v1"', "Cache-Control": "max-age=60"}),
    )
    front = front_of(
        stage,
        backend,
        modules=["cache", "cache_socache", "socache_shmcb"],
        config="CacheEnable socache /\nCacheSocache shmcb\n",
    )
    assert [front.get("/page", headers={"Host": "shop.test"}).text for _ in range(3)] == ["cached"] * 3
    assert len(backend.requests) == 1
