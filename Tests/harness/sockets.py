# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the kernel tells of IPv4's TCP sockets in this network namespace.

It is asked by sock_diag(7). /proc/net/tcp has the same, but also every connection that has ended within the last
minute, and after some load these are tens of thousands of lines for each look.
"""

import contextlib
import socket
import struct
from typing import NamedTuple

ESTABLISHED = 1
LISTEN = 10

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
# The kernel's struct nlmsghdr; inet_diag_req_v2 from its family to the states; inet_diag_sockid's ports and
# addresses; inet_diag_msg's head and its end.
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_ID = struct.Struct("!HH4s12x4s12x12x")
_HEAD = struct.Struct("=BB2x")
_TAIL = struct.Struct("=IIIII")


class Socket(NamedTuple):
    """One TCP socket: its own end, the other end, and the inode by which /proc names it."""

    local: tuple
    remote: tuple
    inode: int


def sockets(state, port=0):
    """The sockets in this state, ESTABLISHED or LISTEN; with a port: only those whose own port it is."""
    nothing = bytes(4)
    request = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 1 << state) + _ID.pack(port, 0, nothing, nothing)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 0, 0)
    with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)) as netlink:
        netlink.send(header + request)
        return [_socket(payload) for payload in _payloads(netlink)]


def _payloads(netlink):
    while True:
        answer = netlink.recv(1 << 16)
        while answer:
            length, kind, *_ = _HEADER.unpack_from(answer)
            payload = answer[_HEADER.size : length]
            if kind == _NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", payload)[0], "sock_diag")
            if kind == _NLMSG_DONE:
                return
            yield payload
            answer = answer[(length + 3) & ~3 :]


def _socket(payload):
    sport, dport, source, destination = _ID.unpack_from(payload, _HEAD.size)
    *_, inode = _TAIL.unpack_from(payload, _HEAD.size + _ID.size)
    return Socket((socket.inet_ntoa(source), sport), (socket.inet_ntoa(destination), dport), inode)


def is_listening(address, port):
    """Whether some process listens on this IPv4 address and TCP port."""
    return any(one.local == (address, port) for one in sockets(LISTEN, port))
