# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether tests that repeat a fault do so as often as is worth an hour (make endurance), or as often as fits into make
check."""

import os

ENDURANCE = os.environ.get("BACKHAND_ENDURANCE") == "1"
