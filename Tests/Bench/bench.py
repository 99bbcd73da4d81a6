# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the module costs: `make bench`, or one part: `bench.py instructions|members|throughput|moderator`.

Instructions are counted by callgrind (prefork -X): the same on every run. Throughput is compared within one run, in
interleaved pairs, beside the spread of one contender against itself. Microseconds and requests a second depend on the
machine and are printed only for orientation.
"""

import itertools
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Bench.parts import run  # noqa: E402
from harness import ports  # noqa: E402
from harness.announce import Announcement  # noqa: E402
from harness.httpd import BUILD  # noqa: E402
from harness.stage import Stage  # noqa: E402
from harness.valgrind import UnderValgrind  # noqa: E402

REQUESTS = 1000
SERVERS = 16
PAIRS = 15
WRK_SECONDS = 2
WRK_CONNECTIONS = 16
PEERS = 2048
MODERATOR_SECONDS = 30

# Budgets of docs/performance.md.
MOST_UNTOUCHED, MOST_HERE, MOST_WALKED_RATIO, MOST_PASSING_RATIO, MOST_MODERATOR = 500, 20000, 0.95, 0.98, 0.05
MOST_MEMBERS_RATIO = 1.05

# What Debian loads when it is installed, beside the harness's own: the cost is told in relation to what people run.
USUAL_OF_DEBIAN = (
    "access_compat",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_user",
    "autoindex",
    "deflate",
    "filter",
    "negotiation",
    "reqtimeout",
    "setenvif",
    "status",
)

# And how it sets directories up.
DEBIAN = """\
LogLevel warn
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
<FilesMatch "^\\.ht">
    Require all denied
</FilesMatch>
"""

BACKHAND = (
    DEBIAN
    + """\
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.0.0/16 127.9.0.0/16
"""
)

# A client like any other: an httpd of one process has no idle worker, and answers hosts inside AcceptStats with
# "Connection: close".
CLIENT = "127.1.0.1"


NAMES = (f"run{number}" for number in itertools.count())


class Counted(UnderValgrind):
    """An httpd whose instructions are counted."""

    TOOL = ("--tool=callgrind", "--callgrind-out-file=/dev/null")

    def instructions(self, pid):
        """What callgrind says at the end; its file could not be written after the change of user."""
        text = (self.root / "logs/stderr").read_text()
        return int(re.search(rf"^=={pid}== Collected\s*:\s*(\d+)", text, re.M)[1])


def many(address, port, path, count):
    """Requests on kept-alive connections, a hundred on each; every answer must be 200."""
    # What a browser sends, for a cost that users see.
    request = (
        f"GET {path} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
        "Gecko/20100101 "
        "Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: identity\r\nReferer: http://bench.test/\r\n"
        "Cookie: session=0123456789abcdef\r\nCache-Control: max-age=0\r\n\r\n"
    ).encode()
    done = 0
    while done < count:
        with socket.create_connection((address, port), timeout=60, source_address=(CLIENT, 0)) as connection:
            stream = connection.makefile("rb")
            for _ in range(min(99, count - done)):
                connection.sendall(request)
                status = stream.readline()
                assert b" 200 " in status, status
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                assert len(stream.read(length)) == length
                done += 1


def counted_run(stage, config, path, count, *, planted=0, more=(), **how):
    """Instructions of an httpd that serves so many requests. more: modules beside the usual ones."""
    server = Counted(
        stage.folder,
        next(NAMES),
        group=ports.free_group(),
        mpm="prefork",
        config=config,
        modules=(*USUAL_OF_DEBIAN, *more),
        **how,
    )
    stage.httpds.append(server)
    server.start()
    if planted:
        stage_plant(stage, server, planted)
    pid = server.pid
    many(server.address, server.port, "/index.html", 20)  # connections and caches are warm
    many(server.address, server.port, path, count)
    return finish(stage, server, pid)


def finish(stage, server, pid):
    """Ends it and reads the count. Its log holds callgrind's lines: not for the check at the end."""
    server.stop()
    stage.httpds.remove(server)
    return server.instructions(pid)


def stage_plant(stage, server, count):
    """Fills the table with servers that nobody asks."""
    announcements = [Announcement(f"127.9.{i // 250}.{i % 250 + 1}", 80, load=2000 + i) for i in range(count)]
    for announcement in announcements:
        stage.announce(announcement, group=server.group)
    stage.plant.__func__(stage_of(stage, server), server, *announcements, deadline=60)


def stage_of(stage, server):
    stage.group = server.group
    return stage


def per_request(stage, config, path, *how, **more):
    few = counted_run(stage, config, path, REQUESTS, *how, **more)
    return (counted_run(stage, config, path, 2 * REQUESTS, *how, **more) - few) / REQUESTS


def judge(text, value, most, unit=""):
    verdict = "ok" if value < most else "TOO MUCH"
    print(
        f"{text}: {value:,.3f}{unit} (budget {most:,}{unit}) {verdict}"
        if isinstance(most, float)
        else f"{text}: {value:,.0f}{unit} (budget {most:,}{unit}) {verdict}",
        flush=True,
    )
    return value < most


def bench_instructions():
    good = True
    with Stage("bench") as stage:
        # httpd seeds its hash tables anew at each start: one count is off by a hundred instructions either way.
        without = statistics.median(per_request(stage, DEBIAN, "/index.html", without=("backhand",)) for _ in range(5))
        print(f"a local request without the module: {without:,.0f} instructions", flush=True)
        untouched = statistics.median(per_request(stage, BACKHAND, "/index.html") for _ in range(5))
        good &= judge("a request that no chain touches, more than without", untouched - without, MOST_UNTOUCHED)
        here = per_request(
            stage,
            BACKHAND + "<Location />\nBackhand byAge 3600\nBackhand byRandom\nBackhand addSelf\nBackhand byLoad "
            "1000\n</Location>\n",
            "/index.html",
            planted=SERVERS - 1,
        )
        good &= judge(
            f"a request whose chain of {SERVERS} servers says here, more than without", here - without, MOST_HERE
        )

        # SetHandler proxy: asks for the name of the file on the front.
        backend = stage.httpd(
            BACKHAND + "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\nAliasMatch ^/.+/htdocs/(.*)$ ${root}/htdocs/$1\n",
            name="backend",
            mpm="event",
        )
        target = f"http://{backend.id}"
        plain = per_request(stage, f"{DEBIAN}ProxyPass /p/ {target}/\nProxyPreserveHost On\n", "/p/index.html")
        section = per_request(
            stage, f"{DEBIAN}<Location /p/>\nProxyPass {target}/\nProxyPreserveHost On\n</Location>\n", "/p/index.html"
        )
        handler = per_request(
            stage,
            f"{DEBIAN}<Proxy {target}>\nProxySet enablereuse=on\n</Proxy>\nProxyPreserveHost On\n"
            f'<Location />\nSetHandler "proxy:{target}"\n</Location>\n',
            "/index.html",
        )
        stage.group = backend.group

        def ours(count, walk, backend=backend, key="", section="<Location />\n%s</Location>\n"):
            server = Counted(
                stage.folder,
                next(NAMES),
                group=backend.group,
                mpm="prefork",
                modules=USUAL_OF_DEBIAN,
                config=BACKHAND
                + key
                + section
                % (f"BackhandDirectoryWalk {walk}\nBackhand removeSelf\nBackhand byAge 3600\nBackhand byLoad\n"),
            )
            stage.httpds.append(server)
            server.start()
            server.knows(backend, deadline=60)
            pid = server.pid
            many(server.address, server.port, "/index.html", count + 20)
            return finish(stage, server, pid)

        walked, passing = ((ours(2 * REQUESTS, walk) - ours(REQUESTS, walk)) / REQUESTS for walk in ("On", "Off"))
        # Like ProxyPass outside of all sections.
        outside = (ours(2 * REQUESTS, "Off", section="%s") - ours(REQUESTS, "Off", section="%s")) / REQUESTS
        print(
            f"a proxied request: {walked:,.0f} instructions, with BackhandDirectoryWalk Off {passing:,.0f}, outside "
            f"of all sections {outside:,.0f}; "
            f"ProxyPass {plain:,.0f}, in a Location {section:,.0f}; SetHandler proxy: {handler:,.0f}",
            flush=True,
        )
        print(
            f"with the walk, ratio to ProxyPass, which walks never: {walked / plain:.3f}, in a Location: "
            f"{walked / section:.3f}",
            flush=True,
        )
        good &= judge("with the walk, ratio to SetHandler proxy:, which walks too", walked / handler, MOST_WALKED_RATIO)
        good &= judge(
            "without the walk, both outside of all sections, ratio to ProxyPass", outside / plain, MOST_PASSING_RATIO
        )
        good &= judge("without the walk, both in a Location, ratio to ProxyPass", passing / section, MOST_PASSING_RATIO)

        # Signs the header of each request; the server that gets it checks it for about the same.
        file = stage.folder / "key"
        file.write_text("k" * 64)
        file.chmod(0o600)
        key = f"BackhandKey {file}\n"
        friend = stage.httpd(
            BACKHAND + key + "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n",
            name="friend",
            mpm="event",
            group=stage.new_group(),
        )
        signing = (ours(2 * REQUESTS, "Off", friend, key) - ours(REQUESTS, "Off", friend, key)) / REQUESTS
        print(
            f"a proxied request with a key: {signing:,.0f} instructions, {signing - passing:,.0f} more than without; "
            f"ratio to ProxyPass {signing / plain:.3f}",
            flush=True,
        )
    return good


def bench_members():
    """A request through balancer:// with 16 members, and through a farm of them."""
    with Stage("bench") as stage:
        places = [f"127.0.0.1:{ports.free_port('127.0.0.1')}" for _ in range(SERVERS)]
        listen = "".join(f"Listen {place}\n" for place in places)
        stage.httpd(f"{DEBIAN}{listen}KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n", name="members", mpm="event")
        members = "".join(f"BalancerMember http://{place}\n" for place in places)

        def through(method):
            group = f"<Proxy balancer://pool>\n{members}ProxySet lbmethod={method}\n</Proxy>\n"
            more = ("proxy_balancer", "slotmem_shm", f"lbmethod_{method}")
            return per_request(stage, f"{DEBIAN}{group}ProxyPass /p/ balancer://pool/\n", "/p/index.html", more=more)

        lines = "".join(f"AthMember {place}\n" for place in places)
        farm = f"{DEBIAN}AthEngine On\n<AthFarm pool>\n{lines}</AthFarm>\nProxyPass /p/ http://pool/\n"
        busy, ours = through("bybusyness"), through("backhand")
        farms = per_request(stage, farm, "/p/index.html", more=("athena",))
        print(
            f"through balancer://, {SERVERS} members: {ours:,.0f} instructions; bybusyness {busy:,.0f}; "
            f"through a farm {farms:,.0f}",
            flush=True,
        )
        # The second one is measured if the first one fails, too.
        good = judge("lbmethod=backhand, ratio to bybusyness", ours / busy, MOST_MEMBERS_RATIO)
        return judge("a farm, ratio to bybusyness", farms / busy, MOST_MEMBERS_RATIO) and good


def wrk(url):
    """Requests a second."""
    result = subprocess.run(
        ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{WRK_SECONDS}s", url], capture_output=True, text=True, check=True
    )
    # Not "Socket errors": the event MPM of 2.4 resets a few connections of a new httpd under load, with any handler.
    assert "Non-2xx" not in result.stdout, result.stdout
    return float(re.search(r"Requests/sec:\s*([\d.]+)", result.stdout)[1])


def bench_throughput():
    """Ours against balancer:// bybusyness: the same httpd, the same backend."""
    with Stage("bench") as stage:
        backends = [stage.httpd(BACKHAND + "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n", mpm="event", workers=32)]
        for backend in backends:
            for folder in ("ours", "busy"):
                backend.put(f"{folder}/index.html", "x" * 70)
        members = "".join(f"BalancerMember http://{backend.id}\n" for backend in backends)
        front = stage.httpd(
            BACKHAND + "MaxKeepAliveRequests 0\n<Location /ours/>\nBackhand removeSelf\nBackhand byAge 6\n"
            "Backhand byRandom\nBackhand byLoad\n</Location>\n"
            f"<Proxy balancer://servers>\n{members}ProxySet lbmethod=bybusyness\n</Proxy>\n"
            "ProxyPass /busy/ balancer://servers/busy/\nProxyPreserveHost On\n",
            mpm="event",
            workers=32,
            modules=("proxy_balancer", "lbmethod_bybusyness", "slotmem_shm"),
        )
        front.put("ours/index.html", "x" * 70)  # without the file, httpd looks at each folder on the way to it
        front.knows(*backends, deadline=20)
        urls = {name: f"http://{front.id}/{name}/index.html" for name in ("ours", "busy")}
        for url in urls.values():
            wrk(url)
        ratios, same = [], []
        for i in range(PAIRS):
            order = ("ours", "busy", "busy") if i % 2 else ("busy", "ours", "busy")
            seen = [(name, wrk(urls[name])) for name in order]
            busy = [rate for name, rate in seen if name == "busy"]
            our = next(rate for name, rate in seen if name == "ours")
            ratios.append(our / statistics.mean(busy))
            same.append(busy[0] / busy[1])
        median, spread = statistics.median(ratios), statistics.median(abs(ratio - 1) for ratio in same)
        print(
            f"throughput against balancer:// bybusyness, median of {PAIRS} pairs: {median:.3f} "
            f"(spread of the balancer against itself {spread:.3f}; ours last {our:,.0f}/s) "
            f"{'ok' if median >= 1 - spread else 'TOO SLOW'}",
            flush=True,
        )
        return median >= 1 - spread


def cpu_seconds(pid):
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def bench_moderator():
    """One moderator hears thousands."""
    with Stage("bench") as stage:
        server = stage.httpd(BACKHAND)
        server.log.allow("BH0316")  # row 0 is ours: the last of them finds the table full
        group = "{}:{}".format(*server.group)
        peers = subprocess.Popen(
            [
                BUILD / "backhand-simulate",
                "--peers",
                str(PEERS),
                "--destination",
                group,
                "--seconds",
                str(MODERATOR_SECONDS + 15),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 12
            while len(server.status().servers) < PEERS - 1 and time.monotonic() < deadline:
                time.sleep(0.5)
            known = len(server.status().servers)
            pid = server.moderator()
            before, began = cpu_seconds(pid), time.monotonic()
            time.sleep(MODERATOR_SECONDS)
            share = (cpu_seconds(pid) - before) / (time.monotonic() - began)
        finally:
            peers.terminate()
            peers.wait()
        print(f"the moderator knows {known} servers", flush=True)
        return judge(f"CPU of a moderator that hears {PEERS} servers, share of a core", share, MOST_MODERATOR)


PARTS = {
    "instructions": bench_instructions,
    "members": bench_members,
    "throughput": bench_throughput,
    "moderator": bench_moderator,
}


def main(names):
    if not shutil.which("wrk") or not shutil.which("valgrind"):
        sys.exit("bench needs the Debian packages wrk and valgrind: make deps")
    return run("bench", {name: PARTS[name] for name in names or PARTS})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
