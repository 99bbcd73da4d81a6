# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A bare Debian in a folder, with the release and the mirror of this machine.

Its programs run in process, mount and network namespaces of their own, so that nothing of them is seen outside, and the
kernel ends them and removes their mounts when the first of them ends. Only `prepare` has this machine's network: it
installs packages of the archive.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness.namespaces import Namespace, why_none

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
# The first process: it has the mounts, and reaps what has lost its parent, as a stopped httpd has.
FIRST = 'mount -t proc proc "$1/proc" && echo ready && while :; do sleep 0.2; done'
# Seconds that a slow mirror may take.
DOWNLOAD = 600


def why_not():
    """Why there can be no such Debian here; None if there can."""
    if os.geteuid() != 0:
        return "a bare Debian needs root"
    if missing := [
        tool for tool in ("debootstrap", "dpkg-deb", "apt-get", "unshare", "nsenter", "ip") if not shutil.which(tool)
    ]:
        return f"{' and '.join(missing)} not found: make check-packages installs it on Debian"
    return why_none()


def _said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _sources():
    """(URI, suite, component) of Debian's own sources on this machine, those of the release first."""
    codename = _said("sh", "-c", '. /etc/os-release && echo "$VERSION_CODENAME"').strip()
    lines = _said(
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(SUITE) $(COMPONENT)",
        "Created-By: Packages",
        "Origin: Debian",
    )
    found = []
    for line in lines.splitlines():
        uri, name, _, component = line.split()
        if name.startswith(codename) and (uri, name, component) not in found:
            found.append((uri, name, component))
    found.sort(key=lambda source: source[1] != codename)
    assert found and found[0][1] == codename, "apt-get update has not been run here"
    return found


class BareDebian:
    """The folder and what runs in it."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="bare-debian-", dir="/var/tmp"))
        self.root.chmod(0o755)  # the children of httpd must get through
        self.namespace, self.first = Namespace(), None

    def prepare(self, *packages):
        """Makes it, and installs packages of the archive. No service of them starts."""
        sources = _sources()
        uri, release, _ = sources[0]
        self._must("debootstrap", "--variant=minbase", release, str(self.root), uri)
        for path in (self.root / "etc/apt").glob("sources.list*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.root / "etc/apt/sources.list").write_text("".join(f"deb {' '.join(source)}\n" for source in sources))
        # How this machine reaches its mirror.
        acquire = [
            line for line in _said("apt-config", "dump").splitlines() if line.lower().startswith("acquire::http")
        ]
        (self.root / "etc/apt/apt.conf.d/99mirror").write_text("\n".join(acquire) + "\n")
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            (self.root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            shutil.copy(certificates, self.root / "etc/ssl/certs")
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        for command in ("apt-get update -qq", f"apt-get install -y -qq --no-install-recommends {' '.join(packages)}"):
            self._must(
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "sh",
                "-c",
                'mount -t proc proc "$1/proc" && exec chroot "$@"',
                "sh",
                str(self.root),
                *command.split(),
            )
        # Without an init system Debian starts services only if the administrator says so.
        policy.write_text("#!/bin/sh\nexit 0\n")

    def _must(self, *command):
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        result = subprocess.run(
            command, env={**proxies, **ENVIRONMENT}, capture_output=True, text=True, timeout=DOWNLOAD, check=False
        )
        assert result.returncode == 0, f"{' '.join(command)}: {result.stdout[-2000:]}{result.stderr[-2000:]}"

    def boot(self):
        """From here on commands run in it."""
        with self.namespace.inside():
            self.first = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", FIRST, "sh", str(self.root)],
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.first.stdout.readline() == "ready\n"

    def run(self, *command, timeout=120):
        """Runs a command in it: exit code, and what it wrote to both outputs. The output is a file, since daemons keep
        it open."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            own = f"/proc/{self.first.pid}/ns"
            with self.namespace.inside():
                code = subprocess.run(
                    [
                        "nsenter",
                        f"--mount={own}/mnt",
                        f"--pid={own}/pid_for_children",
                        "chroot",
                        str(self.root),
                        *command,
                    ],
                    env=ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=timeout,
                    check=False,
                ).returncode
            output.seek(0)
            return code, output.read()

    def must(self, *command, timeout=120):
        """Runs a command that must succeed: what it wrote."""
        code, output = self.run(*command, timeout=timeout)
        assert code == 0, f"{' '.join(command)}: {output}"
        return output

    def path(self, name):
        return self.root / name.lstrip("/")

    def write(self, name, text):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def close(self):
        """Ends everything in it, and removes it."""
        if self.first:
            self.first.send_signal(signal.SIGKILL)  # --kill-child: and with it the first process, and so all the others
            self.first.wait()
        self.namespace.close()
        assert not os.path.ismount(self.root / "proc")
        if not os.environ.get("BACKHAND_KEEP"):
            shutil.rmtree(self.root)
