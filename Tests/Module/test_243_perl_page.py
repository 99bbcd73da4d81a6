# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the page about Perl and the manual page of Apache::Backhand print works as it stands. Applications under
mod_perl are balanced."""

import re
import subprocess
import textwrap

import pytest
from harness.announce import Announcement
from harness.httpd import REPOSITORY
from harness.perl import BY_PERL, OBSERVE, RUN, RUNS, package, perl_httpd, run

PAGE = (REPOSITORY / "docs/perl.md").read_text()
POD = (REPOSITORY / "module/perl/lib/Apache/Backhand.pm").read_text().partition("__END__")[2]

SERVERS = [
    Announcement(f"127.0.9.{number}", 80, f"host-{number}", free_memory=megabytes << 20, load=load)
    for number, megabytes, load in ((51, 100, 100), (52, 512, 900), (53, 4096, 500))
]


def indented(text, beginning):
    """The block of code that begins with this line, without its indentation."""
    return textwrap.dedent(re.search(rf"^    {re.escape(beginning)}.*?(?=^\S)", text, flags=re.M | re.S)[0])


def without_self(config):
    """This httpd serves the file of the test itself, and is no candidate."""
    return config.replace("Backhand byAge 6\n", "Backhand byAge 6\nBackhand removeSelf\n")


def installed(config):
    """byPerl.so is where this build has it."""
    assert "modules/byPerl.so" in config
    return config.replace("modules/byPerl.so", str(BY_PERL))


def served(stage, config, mpm, source, name="My::Balance"):
    file = stage.folder.joinpath(*name.split("::")).with_suffix(".pm")
    file.parent.mkdir(parents=True)
    file.write_text(source)
    server = perl_httpd(stage, OBSERVE + installed(config), mpm=mpm, files={"reports/index.html": "served\n"})
    stage.plant(server, *SERVERS)
    return server


def test_the_page(stage, mpm):
    (source,) = re.findall(r"```perl\n(.*?)```", PAGE, flags=re.S)
    config = without_self(indented(PAGE, "PerlModule My::Balance"))
    server = served(stage, config, mpm, source)
    trace = server.get("/reports/index.html").trace
    # Two have the memory, and the third server is the less loaded one of them.
    assert trace.left == [("byAge", 4), ("removeSelf", 3), ("byPerl", 2), ("byLoad", 2)]
    assert trace.server == SERVERS[2].id


@pytest.mark.parametrize("mistake, code", [("", 0), ("sub broken {", 255)])
def test_the_pages_check_of_a_package(tmp_path, mistake, code):
    (source,) = re.findall(r"```perl\n(.*?)```", PAGE, flags=re.S)
    (line,) = re.findall(r"^    (perl -we .*)$", PAGE, flags=re.M)
    (tmp_path / "Balance.pm").write_text(source + mistake)
    line = line.replace("/etc/perl/My/Balance.pm", str(tmp_path / "Balance.pm"))
    result = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert (result.returncode, bool(result.stderr)) == (code, bool(mistake)), result.stderr


def test_the_pages_anonymous_sub(stage):
    (text,) = re.findall(r'^\| `("sub \{.*\}")` \|', PAGE, flags=re.M)
    server = perl_httpd(stage, OBSERVE + f"Backhand removeSelf\nBackhandFromSO {BY_PERL} byPerl {text}\n")
    stage.plant(server, *SERVERS)
    assert server.get("/").trace.server == SERVERS[2].id


def test_the_manual_page(stage, mpm):
    """Its synopsis: what a sub writes changes the next decision."""
    source = indented(POD, "package My::Balance;")
    config = without_self(indented(POD, "PerlModule My::Balance"))
    server = served(stage, config, mpm, source)
    chosen = [server.get("/reports/index.html").trace.server for _ in range(9)]
    first, _, third = (one.id for one in SERVERS)
    # The first has 100 and the third 500, and each request adds 100.
    # A new announcement does not come.
    assert chosen[:4] == [first] * 4 and set(chosen[5:]) == {first, third}


def test_the_manual_pages_other_examples(stage):
    package(stage.folder, "Run", RUN)
    server = perl_httpd(stage, RUNS)
    stage.plant(server, *SERVERS)
    assert run(server, indented(POD, "my $serverstats = ") + "$serverstats->[1]{hostname}") == "host-51"
    assert run(server, indented(POD, "my $arriba = ").replace("print $$arriba", "ref $arriba")) == "SCALAR"
    code = indented(POD, "my $server = ").replace("print ", "return ")
    assert run(server, f"sub {{ my $id = 1; {code} }}->()") == "host-51 has 0 requests of ours\n"
    loaded = indented(POD, "$serverstats ||= ") + "@$serverstats + 0"
    assert run(server, f"our $serverstats; {loaded}") == "2048"


HANDLER = r"""
use Apache2::RequestRec ();
use Apache2::RequestIO ();
sub handler { my $r = shift; $r->content_type('text/plain'); $r->print("NAME by a handler for ", $r->args); 0 }
"""
SCRIPT = """
my $r = shift;
$r->content_type('text/plain');
print "NAME by a script, process $$\\n";
"""


def test_applications_are_balanced(stage, mpm):
    """Two httpds with the same application: the front serves it itself, or the other one does, as the chain says."""
    chain = "SetHandler {}\nPerlResponseHandler {}\nOptions +ExecCGI\n{}"
    front_chain = "Backhand removeSelf\nBackhand byAge 6\nBackhand byLoad\n"
    httpds = {}
    for name, address, lines in (("back", "127.0.9.61", ""), ("front", "127.0.9.60", front_chain)):
        package(stage.folder / name, "Answers", HANDLER.replace("NAME", name))
        httpds[name] = perl_httpd(
            stage,
            f"PerlSwitches -I{stage.folder}/{name}\nPerlModule Answers ModPerl::Registry\nBackhandTrace On\n"
            f"<Location /answers>\n{chain.format('modperl', 'Answers', lines)}</Location>\n"
            f"<Location /app/>\n{chain.format('perl-script', 'ModPerl::Registry', lines)}</Location>\n",
            address=address,
            mpm=mpm,
            name=name,
            files={"app/script.pl": SCRIPT.replace("NAME", name)},
        )
    front, back = httpds["front"], httpds["back"]
    front.knows(back)
    for path, said in (("/answers?x", "by a handler for x"), ("/app/script.pl", "by a script")):
        assert said in front.get(path).text
        answer = front.get(path)
        assert (answer.status, answer.trace.server) == (200, back.id), answer
        assert answer.text.startswith(f"back {said}")
        assert back.get(path).text.startswith(f"back {said}")
