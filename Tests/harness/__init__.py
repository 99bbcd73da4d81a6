# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Private httpds, simulated servers and clients for the tests and the demonstration."""
