# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The parts of a bench that takes hours: one that breaks does not hide what the others find."""

import traceback


def attempt(name, part):
    """What the part returns; False, and the reason is printed, if it raises something."""
    try:
        return part()
    except (Exception, SystemExit) as error:  # a program that is missing ends a part, too
        traceback.print_exc()
        print(f"{name} BROKE: {type(error).__name__}: {error}", flush=True)
        return False


def run(title, parts):
    """Runs all parts, by name. At the end it prints which were not good; the status to exit with."""
    bad = [name for name, part in parts.items() if attempt(name, part) is False]
    print(f"{title}: {'not good: ' + ', '.join(bad) if bad else 'all good'}", flush=True)
    return 1 if bad else 0
