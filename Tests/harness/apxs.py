# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Modules for httpd and candidacy functions in C, compiled by apxs."""

import subprocess

from .httpd import REPOSITORY

HEADERS = f"-I{REPOSITORY}/Sources/CBackhand/include"


def compiled(folder, name, source, *flags):
    """A shared object, made by the line that the page of BackhandFromSO gives."""
    file = folder / f"{name}.c"
    file.write_text(source)
    subprocess.run(["apxs", *flags, "-c", HEADERS, file.name], cwd=folder, check=True, capture_output=True)
    return folder / ".libs" / f"{name}.so"
