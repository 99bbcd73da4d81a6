# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a build asks for: a compiler, httpd's headers and Swift. It installs what is missing of that, and nothing
else."""

import re
import shutil
import subprocess

import pytest
from Docs.repository import ROOT, read

WANTED = re.match(r"// swift-tools-version: (\S+)", read("Package.swift"))[1]
# Everything that a build needs, and a package manager that notes what it was asked for. `apt-get` makes what it
# installs.
TOOLS = {
    "swift": f"#!/bin/sh\necho 'Swift version {WANTED}.1 (swift-{WANTED}.1-RELEASE)'\necho 'Target: "
    "x86_64-unknown-linux-gnu'\n",
    "cc": "#!/bin/sh\nread -r _ header\n[ -e include/openssl/evp.h ]\n",
    "apxs": "#!/bin/sh\necho include\n",
    "apr-1-config": "#!/bin/sh\n",
    "apu-1-config": "#!/bin/sh\n",
    "ld": "#!/bin/sh\n",
    "git": "#!/bin/sh\n",
    "make": "#!/bin/sh\n[ -e built ]\n",
    "id": "#!/bin/sh\necho 0\n",
    "dpkg-query": "#!/bin/sh\nexit 1\n",
    "apt-get": '#!/bin/sh\necho "$*" >> asked\ncase $* in *apache2-dev*) touch include/httpd.h ;; *ca-certificates*) '
    "touch certificates ;; esac\n",
    "tee": "#!/bin/sh\ncat > /dev/null\n",
    "chmod": "#!/bin/sh\n",
}
# What the scripts use of the system's own.
SYSTEM = ("sh", "sed", "head", "sort", "cat", "rm", "touch", "env", "flock")


class Machine:
    """A folder whose tools pretend; nothing else is in PATH."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "include/openssl"):
            (folder / name).mkdir(parents=True)
        for name in ("include/httpd.h", "include/openssl/evp.h", "certificates"):
            (folder / name).touch()
        for name, text in TOOLS.items():
            self.tool(name, text)
        for name in SYSTEM:
            (folder / "bin" / name).symlink_to(shutil.which(name))
        (folder / "scripts").symlink_to(ROOT / "scripts")
        (folder / "Package.swift").symlink_to(ROOT / "Package.swift")

    def tool(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def without(self, *names):
        for name in names:
            (self.folder / name).unlink()

    def needs(self, *arguments, **environment):
        """The script's result, and what apt-get was asked to install."""
        result = subprocess.run(
            ["scripts/needs", *(arguments or ["build/mod_backhand.so"])],
            cwd=self.folder,
            text=True,
            capture_output=True,
            check=False,
            env={
                "PATH": f"{self.folder}/bin",
                "POLICY_RC_D": "policy",
                "CA_CERTIFICATES": "certificates",
                **environment,
            },
        )
        asked = self.folder / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        return result, [line.split("--no-install-recommends ")[1] for line in lines if line.startswith("install")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def refuses(machine, problem, *arguments, **environment):
    """One line says what the matter is with Swift, which version is needed, and where it comes from; nothing is
    installed."""
    machine.without("include/httpd.h")
    result, asked = machine.needs(*arguments, **environment)
    assert (result.returncode, result.stdout, asked) == (2, "", [])
    assert result.stderr.startswith(problem) and len(result.stderr.splitlines()) == 1
    assert f"needs Swift {WANTED} or later" in result.stderr and "https://www.swift.org/install/" in result.stderr


def test_a_machine_with_everything_is_not_asked_for_packages(machine):
    machine.without("bin/apt-get", "bin/dpkg-query", "bin/id")
    result, _ = machine.needs()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", [[], ["--swift"]])
def test_a_missing_swift_is_one_line(machine, arguments):
    machine.without("bin/swift")
    refuses(machine, "Swift is missing (no Swift compiler answers to 'swift --version'): ", *arguments)


def test_another_program_of_that_name_is_no_compiler(machine):
    """OpenStack's client has this name, too."""
    machine.tool("swift", "#!/bin/sh\necho python-swiftclient 4.1.0\n")
    refuses(machine, "Swift is missing")


@pytest.mark.parametrize("version", ["5.10.1", "6.0.3", "6.2.4"])
def test_an_old_swift_is_one_line(machine, version):
    machine.tool("swift", f"#!/bin/sh\necho 'Swift version {version} (swift-{version}-RELEASE)'\n")
    refuses(machine, f"Swift {version} is too old: ")


@pytest.mark.parametrize(
    "version",
    [
        f"Swift version {WANTED} (swift-{WANTED}-RELEASE)",
        "Swift version 6.10.1 (swift-6.10.1-RELEASE)",
        "Apple Swift version 7.0.1 (swiftlang-7.0.1 clang-1700)",
        "Swift version 6.4-dev (LLVM 1, Swift 2)",
    ],
)
def test_newer_swifts_are_accepted(machine, version):
    machine.tool("swift", f"#!/bin/sh\necho '{version}'\n")
    assert machine.needs()[0].returncode == 0


def test_swift_may_be_elsewhere(machine):
    (machine.folder / "bin/swift").rename(machine.folder / "other")
    assert machine.needs(SWIFT=f"{machine.folder}/other")[0].returncode == 0


def test_only_what_is_missing_of_the_build_is_installed(machine):
    machine.without("include/httpd.h")
    result, asked = machine.needs()
    assert (result.returncode, result.stdout, asked) == (0, "Installing: apache2-dev\n", ["apache2-dev"])


def test_git_gets_the_certificates_by_which_it_fetches(machine):
    """Its package only recommends them, and recommended packages are not installed."""
    machine.without("certificates")
    result, asked = machine.needs()
    assert (result.returncode, result.stdout, asked) == (0, "Installing: ca-certificates\n", ["ca-certificates"])


def test_nothing_is_installed_where_that_is_forbidden(machine):
    machine.without("include/httpd.h")
    result, asked = machine.needs(DEPS="no")
    assert (result.returncode, result.stderr, asked) == (2, "DEPS=no forbids to install: apache2-dev\n", [])


def test_a_package_that_does_not_help_is_an_error(machine):
    """An APXS that is wrong stays wrong whatever is installed."""
    machine.without("bin/apxs")
    result, asked = machine.needs()
    assert result.returncode == 2 and asked == ["apache2-dev"]
    assert (
        result.stderr
        == "The build does not find what Debian has in: apache2-dev. If it is elsewhere, set PATH, CC or APXS.\n"
    )


def test_another_system_is_told_what_is_missing(machine):
    machine.without("bin/apt-get", "bin/dpkg-query", "bin/git", "include/openssl/evp.h", "certificates")
    result, _ = machine.needs()
    assert result.returncode == 2 and " libssl-dev git. " in result.stderr and len(result.stderr.splitlines()) == 1


def test_what_is_built_needs_nothing(machine):
    """As `sudo make install` does after `make`: sudo's PATH may lack Swift."""
    machine.without("bin/swift", "bin/cc", "bin/apt-get", "include/httpd.h")
    (machine.folder / "built").touch()
    result, _ = machine.needs()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.fixture
def copy(tmp_path):
    """The project with an empty build folder."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("Makefile", "Package.swift", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("Sources", "module", "scripts", "docs", "httpd-conf-examples"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "target", ["all", "install", "demo", "check", "build/backhandctl", ".build-embedded/release/libBackhandBridge.a"]
)
def test_make_says_that_swift_is_missing(copy, target):
    """And says nothing else, before it installs or compiles anything."""
    result = subprocess.run(
        ["make", "--no-print-directory", "SWIFT=no-such-swift", "DEPS=no", target],
        cwd=copy,
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode != 0 and result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(lines) == 1 and lines[0].startswith("Swift is missing") and "swift.org/install" in lines[0]


def test_a_build_installs_no_tools_of_tests_and_demonstration(copy):
    for target in ("all", "install"):
        result = subprocess.run(["make", "-n", target], cwd=copy, text=True, capture_output=True, check=True)
        assert "scripts/needs build/mod_backhand.so" in result.stdout and "scripts/deps" not in result.stdout


def test_only_the_layers_are_compiled(copy):
    """Not the lock of an editor, which is a link to nothing, and not a folder with an object of its own."""
    before = subprocess.run(["make", "-n", "all"], cwd=copy, text=True, capture_output=True, check=True).stdout
    for lock in ("module/base/.#mb_line.c", "module/base/.#mb_base.h", "Sources/BackhandWire/.#Decode.swift"):
        (copy / lock).symlink_to("somebody@somewhere.1")
    (copy / "module/other").mkdir()
    (copy / "module/other/mb_other.c").write_text("int other;")
    result = subprocess.run(["make", "-n", "all"], cwd=copy, text=True, capture_output=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, before, "")


def test_the_argument_parser_is_one_version():
    """A build of today's sources in a year is the same build."""
    package = read("Package.swift")
    assert re.search(r'url: "https://github.com/apple/swift-argument-parser", exact: "[\d.]+"', package)
    assert "fetch" in read("README.md") and "swift-argument-parser" in read("README.md")
