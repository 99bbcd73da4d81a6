# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Several hosts on one machine: each a network namespace with one interface, eth0, all of them on one switch.

The switch is a bridge in a namespace of its own: nothing of it is seen outside, and nothing in it has a way out. Faults
are rules in the switch, as they are on a real network: what a host sends is lost on its way, and no system call of the
host fails for it.
"""

import contextlib
import itertools
import json
import random
import shutil
import zlib

from .namespaces import Namespace, why_none

BRIDGE = "bridge0"
# Losses repeat after so many datagrams: longer than a test.
SEQUENCE = 100


class Host(Namespace):
    """One host: a namespace, its address, and the port of the switch where its cable ends."""

    def __init__(self, name, address, prefix):
        super().__init__()
        self.name, self.address, self.port = name, address, f"to-{name}"[:15]
        self.prefix = prefix

    def __repr__(self):
        return f"<host {self.name} {self.address}>"

    def addresses(self):
        """All IPv4 addresses of its interface, the shared ones too."""
        found = json.loads(self.run("ip", "-json", "-4", "address", "show", "dev", "eth0"))
        return [entry["local"] for interface in found for entry in interface["addr_info"]]

    def configure(self):
        """Gives eth0, which has come, its address. There is no other route than the one to the network."""
        self.run("ip", "address", "add", f"{self.address}/{self.prefix}", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")


class Network:
    """A switch, and the hosts on it."""

    def __init__(self, prefix=24):
        self.prefix = prefix
        self.hosts = []
        self._numbers = itertools.count(1)
        self.switch = Namespace()
        # With snooping a group needs a querier, which this network has not.
        self.switch.run(
            "ip", "link", "add", "name", BRIDGE, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0"
        )
        self.switch.run("ip", "link", "set", BRIDGE, "up")

    def host(self, name, address):
        """A host on the switch."""
        host = Host(name, address, self.prefix)
        self.hosts.append(host)
        self.plug(host, self.switch)
        self.switch.run("ip", "link", "set", host.port, "master", BRIDGE)
        host.configure()
        return host

    @staticmethod
    def plug(host, into):
        """A cable from the host's eth0 to its port in another namespace."""
        # One host has one hardware address, as a machine has, also when its interface is made again. Another one would
        # be unknown to the others, who keep the old one for up to 45 s, because nothing here sends the ARP that a DHCP
        # client or ifup sends.
        address = "02:" + zlib.crc32(host.name.encode()).to_bytes(5, "big").hex(":")
        into.run(
            "ip",
            "link",
            "add",
            "name",
            host.port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            address,
            "netns",
            host.path,
        )
        into.run("ip", "link", "set", host.port, "up")

    # ---- Faults: each is a table of nftables, there as long as the block runs ----

    @contextlib.contextmanager
    def _table(self, family, hook, rules, where=None):
        fault = Fault(where or self.switch, family, f"fault{next(self._numbers)}")
        fault.begin(hook, rules)
        try:
            yield fault
        finally:
            fault.end()

    def _forwarding(self, *rules):
        return self._table("bridge", "type filter hook forward priority 0;", rules)

    def cut(self, host):
        """Nothing comes from the host and nothing reaches it."""
        return self._forwarding(f'iifname "{host.port}" counter drop', f'oifname "{host.port}" counter drop')

    def mute(self, host, what=""):
        """Nobody hears the host, but it hears the others. what: only of this, as `udp dport 4445`."""
        return self._forwarding(f'iifname "{host.port}" {what} counter drop')

    def deaf(self, host, what=""):
        """The host hears nobody, but the others hear it. what: only of this."""
        return self._forwarding(f'oifname "{host.port}" {what} counter drop')

    def refuse(self, host, port):
        """The host's packet filter refuses connections to this TCP port; announcements pass."""
        return self._table(
            "inet", "type filter hook input priority 0;", [f"tcp dport {port} counter reject with tcp reset"], host
        )

    def lose(self, losses, port):
        """Datagrams to this UDP port are lost as the Losses say."""
        return self._forwarding(
            *(
                f'iifname "{sender.port}" oifname "{receiver.port}" udp dport {port} numgen inc mod {SEQUENCE} '
                f"{{ {', '.join(map(str, lost))} }} counter drop"
                for (sender, receiver), lost in losses.by_pair.items()
            )
        )

    def double(self, host, port):
        """All others get each of the host's datagrams to this UDP port twice."""
        copies = [f'udp dport {port} counter dup to "{other.port}"' for other in self.hosts if other is not host]
        return self._table("netdev", f'type filter hook ingress device "{host.port}" priority 0;', copies)

    def close(self):
        """Lets all of it go. Everything that runs in it is to be ended before."""
        for namespace in (*self.hosts, self.switch):
            namespace.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Losses:
    """Which datagrams are lost on the way from each host to each other one: so many of a hundred, chosen by the seed,
    each by itself.

    It is known beforehand, so that a test can say what must be noticed and what must not.
    """

    def __init__(self, hosts, percent, seed):
        dice = random.Random(seed)
        self.by_pair = {
            pair: [number for number in range(SEQUENCE) if dice.randrange(100) < percent]
            for pair in itertools.permutations(hosts, 2)
        }

    def longest(self, sender, receiver, among):
        """The longest run of losses among the first so many datagrams."""
        lost = self.by_pair[sender, receiver]
        return max(
            len(list(run)) if bad else 0 for bad, run in itertools.groupby(range(among), lambda number: number in lost)
        )


class Fault:
    """A table of nftables, in the switch or in a host."""

    def __init__(self, where, family, name):
        self.where, self.family, self.name = where, family, name

    def begin(self, hook, rules):
        lines = "\n".join(f"    {rule}" for rule in rules)
        self.where.run(
            "nft",
            "-f",
            "-",
            text=f"table {self.family} {self.name} {{\n  chain faults {{\n    {hook}\n{lines}\n  }}\n}}\n",
        )

    def hits(self):
        """How many packets the rules met."""
        listed = json.loads(self.where.run("nft", "-j", "list", "table", self.family, self.name))["nftables"]
        expressions = [expression for entry in listed if "rule" in entry for expression in entry["rule"]["expr"]]
        return sum(expression["counter"]["packets"] for expression in expressions if "counter" in expression)

    def end(self):
        """Takes the fault away; a second time does nothing."""
        if self.name:
            self.where.run("nft", "delete", "table", self.family, self.name)
            self.name = None


def why_not():
    """Why there can be no such network here; None if there can."""
    if reason := why_none():
        return reason
    if missing := [tool for tool in ("ip", "nft") if not shutil.which(tool)]:
        return f"{' and '.join(missing)} not found: make deps"
    try:
        with Network() as network, network.cut(network.host("probe", "10.99.0.1")):
            return None
    except OSError as error:
        return f"no network of hosts can be made here: {error}"
