# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What all contenders have in common."""

import subprocess

from harness import ports, processes, sockets
from harness.wait import wait_for

BALANCERS = "127.0.20"


class Contender:
    """A way of choosing servers, as so many balancers as a scenario has."""

    def __init__(self, name, title):
        self.name, self.title = name, title

    # What the servers themselves have below /backhand/, where they are the balancers.
    chain = ""
    # Whether somebody has written down the servers' capacities by hand.
    has_weights = False

    def prefix(self, scenario):
        """What requests' paths begin with."""
        return "/backhand" if scenario.is_symmetric and self.chain else ""

    def start(self, stage, farm):
        """Starts the balancers; returns their "address:port"s."""
        raise NotImplementedError

    def stop(self):
        """Ends them."""
        raise NotImplementedError

    @staticmethod
    def count(farm):
        """Balancers that it needs: rivals stand in front of servers that are balancers themselves."""
        return 1 if farm.scenario.is_symmetric else farm.scenario.balancers


def weights(farm, most):
    """Whole numbers in proportion to the servers' true capacities."""
    largest = max(server.settings.capacity for server in farm.servers)
    return [max(1, round(most * server.settings.capacity / largest)) for server in farm.servers]


class Programs(Contender):
    """Contenders that are programs with a configuration file each, started once for each balancer."""

    def __init__(self, name, title):
        super().__init__(name, title)
        self._running = []

    def command(self, stage, farm, number, address):
        """What to run for the balancer that listens there."""
        raise NotImplementedError

    def start(self, stage, farm):
        found = []
        for number in range(1, self.count(farm) + 1):
            host = f"{BALANCERS}.{number}"
            port = ports.free_port(host)
            command = self.command(stage, farm, number, f"{host}:{port}")
            path = stage.folder / f"{self.name}-{number}.log"
            with open(path, "ab") as log:
                self._running.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=processes.end_with_parent,
                    )
                )
            found.append((host, port, path))
        for host, port, path in found:
            wait_for(
                lambda host=host, port=port: sockets.is_listening(host, port),
                10,
                f"{self.name} to listen",
                show=path.read_text,
            )
        return [f"{host}:{port}" for host, port, _ in found]

    def stop(self):
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running = []
