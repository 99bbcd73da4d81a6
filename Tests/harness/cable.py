# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A cable that delays and reorders what passes: a relay of whole frames, for kernels without `tc netem`.

It lies between a host and the switch, in a namespace of its own. Frames are forwarded as they are, so nobody's address
changes. The kernel leaves checksums of local traffic to the network card; with PACKET_VNET_HDR each frame carries what
is left to do, both ways.
"""

import heapq
import itertools
import os
import select
import socket
import threading
import time

from .hosts import BRIDGE, Host
from .namespaces import Namespace

SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = 3
# Frames of local traffic are as large as segmentation offload makes them.
FRAME = 1 << 17
VNET_HEADER, ETHERNET_HEADER, IP_PROTOCOL = 10, 14, 9
UDP = 17


class SlowCable:
    """A host on the network, behind a relay.

    delays() makes for each direction a function of whether the next frame is UDP, which gives the seconds that it
    waits; frames overtake each other where it says so.
    """

    def __init__(self, network, name, address, delays):
        self.passed, self.overtaken = 0, 0
        self.middle = Namespace()
        self.host = Host(name, address, network.prefix)
        network.hosts.append(self.host)
        network.plug(self.host, self.middle)
        network.switch.run(
            "ip",
            "link",
            "add",
            "name",
            self.host.port,
            "type",
            "veth",
            "peer",
            "name",
            "uplink",
            "netns",
            self.middle.path,
        )
        network.switch.run("ip", "link", "set", self.host.port, "up", "master", BRIDGE)
        self.middle.run("ip", "link", "set", "uplink", "up")
        with self.middle.inside():
            self._ends = [self._socket(self.host.port), self._socket("uplink")]
        self._delays = {end: delays() for end in self._ends}
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()
        self.host.configure()

    @staticmethod
    def _socket(interface):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        end.bind((interface, ETH_P_ALL))
        return end

    def _relay(self):
        waiting, order, newest = [], itertools.count(), dict.fromkeys(self._ends, 0)
        others = dict(zip(self._ends, reversed(self._ends)))
        while True:
            rest = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready = select.select([*self._ends, self._wake], [], [], rest)[0]
            if self._wake in ready:
                return
            for end in ready:
                for frame in self._frames(end):
                    due = time.monotonic() + self._delays[end](self._is_udp(frame))
                    heapq.heappush(waiting, (due, next(order), others[end], frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, number, end, frame = heapq.heappop(waiting)
                self.passed += 1
                self.overtaken += number < newest[end]
                newest[end] = max(newest[end], number)
                try:
                    end.send(frame)
                except OSError:
                    pass  # a full queue or an interface that is going: a cable loses the frame

    @staticmethod
    def _frames(end):
        """What has arrived at an end; not what was sent there."""
        while True:
            try:
                frame, sender = end.recvfrom(FRAME)
            except BlockingIOError:
                return
            if sender[2] != socket.PACKET_OUTGOING:
                yield frame

    @staticmethod
    def _is_udp(frame):
        return frame[VNET_HEADER + ETHERNET_HEADER + IP_PROTOCOL :][:1] == bytes([UDP])

    def close(self):
        """Ends the relay; the host's namespace is the network's."""
        os.write(self._stop, b".")
        self._thread.join()
        for end in self._ends:
            end.close()
        os.close(self._wake)
        os.close(self._stop)
        self.middle.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def every_third_late(late, usual):
    """Delays for SlowCable: of three datagrams in a row one waits `late` seconds and two do not wait; everything else
    waits `usual` seconds."""

    def delays():
        waits = itertools.cycle((0.0, 0.0, late))
        return lambda is_udp: next(waits) if is_udp else usual

    return delays
