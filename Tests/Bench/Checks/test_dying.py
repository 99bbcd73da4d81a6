# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The goals for applications that die."""

import pytest
from Bench.Checks.dying import KINDS, Backhand, outcome, run


@pytest.mark.parametrize("kind", KINDS)
def test_an_application_that_dies(kind):
    found = outcome(run(Backhand, kind))
    assert found.is_good, found
