# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Small modules of httpd that a test brings along, in C."""

import subprocess

from .httpd import REPOSITORY


def build(folder, name, source):
    """Builds it in the folder, with serverstats.h in reach; returns its LoadModule line."""
    folder.chmod(0o755)
    (folder / f"mod_{name}.c").write_text(source)

    def apxs(*names):
        return [
            subprocess.run(["apxs", "-q", each], capture_output=True, text=True, check=True).stdout.strip()
            for each in names
        ]

    flags = [flag for flag in " ".join(apxs("CFLAGS", "EXTRA_CPPFLAGS")).split() if flag.startswith(("-D", "-pthread"))]
    includes = [
        "-I" + path for path in (*apxs("INCLUDEDIR", "APR_INCLUDEDIR"), f"{REPOSITORY}/Sources/CBackhand/include")
    ]
    subprocess.run(
        ["cc", "-shared", "-fPIC", *flags, *includes, "-o", folder / f"mod_{name}.so", folder / f"mod_{name}.c"],
        check=True,
    )
    return f"LoadModule {name}_module {folder}/mod_{name}.so\n"


def candidacy_functions(folder, name, source, *flags):
    """Builds a shared object for BackhandFromSO in the folder; returns its path."""
    file, library = folder / f"{name}.c", folder / f"{name}.so"
    file.write_text(source)
    contract = f"-I{REPOSITORY}/Sources/CBackhand/include"
    subprocess.run(["cc", *flags, "-shared", "-fPIC", contract, "-o", library, file], check=True)
    return library


# Begins a module's source: finds the segment in a child's memory, by its magic.
FIND_SEGMENT = r"""
#define _GNU_SOURCE
#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "serverstats.h"
#include <stdio.h>

static bh_segment_t *find(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3 || rights[1] != 'w' || rights[3] != 's') continue;
        if (end - begin < sizeof(bh_segment_t)) continue;
        bh_segment_t *segment = (bh_segment_t *)begin;
        if (segment->magic == BH_SEGMENT_MAGIC && segment->layout == BH_SEGMENT_LAYOUT) return fclose(maps), segment;
    }
    if (maps) fclose(maps);
    return NULL;
}
"""
