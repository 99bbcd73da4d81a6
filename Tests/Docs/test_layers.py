# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The folders of module/ are layers: the table of architecture.md says which may include which, and no file calls in a
circle."""

import re
from graphlib import CycleError, TopologicalSorter

import pytest
from Docs.repository import files, read

PAGE = "docs/architecture.md"
# Shared objects of their own, which are no part of mod_backhand.so.
DOORS = {"perl"}
SOURCES = {
    str(path): read(path)
    for pattern in ("*.c", "*.h")
    for path in files(pattern)
    if path.parts[0] == "module" and path.parts[1] not in DOORS
}


def table():
    """Folder -> the folders that it may include, in the page's order."""
    part = read(PAGE).partition("| folder |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `module/(\w+)/` \|[^|]*\| ([^|]*) \|$", part, flags=re.M)
    return {folder: set() if allowed == "nothing" else set(allowed.split(", ")) for folder, allowed in rows}


TABLE = table()


def folder_of(path):
    """The folder of a file of module/; None: it stands in none, as mod_backhand.c does."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def without_comments_and_texts(source):
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', source)


def faces(sources):
    """Folder -> its headers."""
    found = {}
    for path in sources:
        if path.endswith(".h"):
            found.setdefault(folder_of(path), []).append(path)
    return found


def wrong_faces(sources):
    """Folders that have not just the one header that is named after them. Of a module itself nothing is included."""
    found = faces(sources)
    modules = {folder_of(path) for path in sources if path.rpartition("/")[2].startswith("mod_")}
    folders = {folder_of(path) for path in sources} - modules - {None}
    wrong = [
        f"{folder} has {found.get(folder)}"
        for folder in sorted(folders)
        if found.get(folder) != [f"module/{folder}/mb_{folder}.h"]
    ]
    return wrong + [f"{path} is in no folder" for path in found.get(None, [])]


def includes(path, source):
    """Pairs of folder and header that a file includes of module/; those of httpd and of the core have no such names."""
    found = re.findall(r'^\s*#\s*include\s*[<"]([^>"\n]*\bmb_[^>"\n]*)[>"]', source, flags=re.M)
    return [(name.rpartition("/")[0] or folder_of(path), name.rpartition("/")[2]) for name in found]


def wrong_arrows(sources):
    """Lines that include what the table does not let them."""
    wrong = []
    for path, source in sources.items():
        folder = folder_of(path)
        for to, name in includes(path, source):
            if name != f"mb_{to}.h" or to not in TABLE or (folder and to != folder and to not in TABLE[folder]):
                wrong.append(f"{path} includes {to}/{name}")
    return wrong


def definitions(sources):
    """Name -> the file that defines it: functions and variables that other files may use."""
    found = {}
    for path, source in sources.items():
        if path.endswith(".c"):
            plain = without_comments_and_texts(source)
            for name in re.findall(
                r"^(?!static\b|extern\b|typedef\b)[A-Za-z_][\w \t*]*\b(mb_\w+)(?=\([^;{]*\{|\[| =|;$)",
                plain,
                flags=re.M,
            ):
                assert found.setdefault(name, path) == path, f"{name} is defined twice"
    return found


def circles(sources):
    """Files that use each other's names in a circle; None: there are none."""
    places = definitions(sources)
    graph = {}
    for path, source in sources.items():
        if path.endswith(".c"):
            used = {
                places[name] for name in re.findall(r"\bmb_\w+", without_comments_and_texts(source)) if name in places
            }
            graph[path] = used - {path}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def smuggled(sources):
    """Names that a source declares itself, or that its folder's header does not declare: what uses them would pass the
    headers by."""
    wrong = []
    for path, source in sources.items():
        if path.endswith(".c"):
            plain = without_comments_and_texts(source)
            wrong += [
                f"{path} declares {name}"
                for name in re.findall(
                    r"^(?!static\b)(?:extern\b.*|[A-Za-z_][\w \t*]*)\b(mb_\w+)\b[^{=]*;$", plain, flags=re.M
                )
                if name not in definitions({path: source})
            ]
    for name, path in definitions(sources).items():
        folder = folder_of(path)
        if not re.search(rf"\b{name}\b", sources.get(f"module/{folder}/mb_{folder}.h", "")):
            wrong.append(f"{path} defines {name}, which its folder's header does not declare")
    return wrong


def test_the_table_has_all_folders_and_its_arrows_go_up_the_page():
    assert set(TABLE) == {folder_of(path) for path in SOURCES} - {None}
    above = set()
    for folder, allowed in TABLE.items():
        assert allowed <= above, f"{folder} may include what does not stand above it"
        above.add(folder)


def test_each_folder_has_one_header():
    assert wrong_faces(SOURCES) == []


def test_no_file_includes_what_its_folder_may_not():
    assert wrong_arrows(SOURCES) == []


def test_no_files_call_each_other_in_a_circle():
    assert len(definitions(SOURCES)) > 120, "definitions are not found any more"
    assert circles(SOURCES) is None


def test_what_other_files_use_is_in_the_headers():
    assert smuggled(SOURCES) == []


def test_each_file_that_a_page_or_a_comment_names_is_there():
    names = {path.split("/")[-1] for path in SOURCES}
    for path in [*files("*.md"), *files("*.swift"), *files("*.h"), *files("*.c")]:
        missing = set(re.findall(r"\b(mb_[a-z_]+\.[ch])\b(?!->|\w)", re.sub(r"\bmb_mp\.\w+", "", read(path)))) - names
        assert not missing, f"{path} names {missing}"


@pytest.mark.parametrize(
    "check, path, line, found",
    [
        (
            wrong_arrows,
            "module/table/mb_self.c",
            '#include "request/mb_request.h"',
            ["module/table/mb_self.c includes request/mb_request.h"],
        ),
        (
            wrong_arrows,
            "module/base/mb_base.h",
            "#include <config/mb_config.h>",
            ["module/base/mb_base.h includes config/mb_config.h"],
        ),
        (
            wrong_arrows,
            "module/status/mb_status.c",
            '# include "moderator/mb_moderator.h"',
            ["module/status/mb_status.c includes moderator/mb_moderator.h"],
        ),
        (
            wrong_arrows,
            "module/proxy/mb_worker.c",
            '#include "../balance/mb_balance.h"',
            ["module/proxy/mb_worker.c includes ../balance/mb_balance.h"],
        ),
        (
            wrong_faces,
            "module/table/mb_other.h",
            "",
            ["table has ['module/table/mb_other.h', 'module/table/mb_table.h']"],
        ),
        (wrong_faces, "module/mb_module.h", "", ["module/mb_module.h is in no folder"]),
        (
            circles,
            "module/table/mb_segment.c",
            "static void circle(void) { (void)mb_self_is(1); }",
            ["module/table/mb_segment.c", "module/table/mb_self.c", "module/table/mb_segment.c"],
        ),
        (
            smuggled,
            "module/table/mb_self.c",
            "extern int mb_scope_can_decide(void);",
            ["module/table/mb_self.c declares mb_scope_can_decide"],
        ),
        (
            smuggled,
            "module/table/mb_self.c",
            "int mb_self_secret(void) { return 1; }",
            ["module/table/mb_self.c defines mb_self_secret, which its folder's header does not declare"],
        ),
    ],
    ids=[
        "an arrow up",
        "the lowest",
        "beside",
        "by a path",
        "two headers",
        "a header outside",
        "a circle",
        "extern",
        "undeclared",
    ],
)
def test_a_wrong_line_is_found(check, path, line, found):
    """Each check, with a line that it must not accept."""
    planted = dict(sorted({**SOURCES, path: SOURCES.get(path, "") + "\n" + line + "\n"}.items()))
    assert sorted(set(check(planted))) == sorted(set(found))


def code_lines(source, is_c):
    """Lines that are neither empty nor comments."""
    source = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), source, flags=re.S)
    comment = r"//.*" if is_c else r"^\s*//.*"
    return sum(bool(line.strip()) for line in re.sub(comment, "", source, flags=re.M).splitlines())


def test_code_lines():
    assert code_lines("/* a\n b */\nint c; /* d */\n\n// e\nint f; // g\n", True) == 2
    assert code_lines("/// a\n// b\nlet c = 1  // d\n", False) == 1


def test_the_shim_is_a_quarter_of_the_core():
    core = {str(path): read(path) for pattern in ("*.c", "*.h", "*.swift") for path in files(pattern)}
    lines = sum(
        code_lines(source, not path.endswith(".swift")) for path, source in core.items() if path.startswith("Sources/")
    )
    others = ("lbmethod", "athena")  # of other modules, which have bounds of their own
    shim = sum(code_lines(source, True) for path, source in SOURCES.items() if folder_of(path) not in others)
    assert shim <= lines / 4, f"{shim} lines in module/, {lines} in Sources/"


def test_the_shim_for_farms_stays_small():
    lines = sum(code_lines(source, True) for path, source in SOURCES.items() if folder_of(path) == "athena")
    assert 0 < lines <= 900


def test_the_shim_for_perl_stays_small():
    sources = [
        path for pattern in ("*.c", "*.h", "*.xs") for path in files(pattern) if path.parts[:2] == ("module", "perl")
    ]
    assert sources and sum(code_lines(read(path), True) for path in sources) <= 500
