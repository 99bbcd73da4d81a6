# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How many answers of balance/ one core gives: `Tests/Bench/Oracle/answers.py [SECONDS]`.

Clients on kept-alive connections ask as fast as they can. The processor time of httpd's children counts, not the time
that goes by, so other programs on the machine change little.
"""

import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stage import Stage  # noqa: E402

# Answers a second on one core: docs/performance.md.
GOAL = 5000
MEMBERS = 16
CLIENTS = 4
CONFIG = """\
AthEngine On
MaxKeepAliveRequests 0
LogLevel warn
{accepts}<AthFarm farm_one>
{members}</AthFarm>
"""


def seconds_of(pids):
    """Processor seconds that these processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def ask(front, over, counts):
    with front.client() as connection:
        while not over.is_set():
            assert connection.request("/athena/balance/?farm_one").status == 200
            counts.append(1)


def measure(accepts, seconds):
    """Answers for each processor second."""
    stage = Stage("oracle")
    members = "".join(f"    AthMember 127.0.9.{number}:1\n" for number in range(1, MEMBERS + 1))
    try:
        front = stage.httpd(CONFIG.format(accepts=accepts, members=members), modules=("athena",), mpm="event")
        over, counts = threading.Event(), []
        threads = [threading.Thread(target=ask, args=(front, over, counts)) for _ in range(CLIENTS)]
        before = seconds_of(front.children())
        for thread in threads:
            thread.start()
        over.wait(seconds)
        over.set()
        for thread in threads:
            thread.join()
        return len(counts) / (seconds_of(front.children()) - before)
    finally:
        stage.close()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    for title, accepts in (("strangers", ""), ("AthAcceptUpdates", "AthAcceptUpdates 127.0.0.0/8\n")):
        rate = measure(accepts, seconds)
        print(
            f"{title:18} {rate:8.0f} answers a second on one core, goal {GOAL}: {'kept' if rate >= GOAL else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
