# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Httpds under a tool of valgrind."""

from . import sockets
from .httpd import Httpd


class UnderValgrind(Httpd):
    """An httpd in one process (-X) under valgrind; `TOOL`: what valgrind is to do, as arguments."""

    TOOL = ()
    START_S = 120  # valgrind starts slowly

    def command(self, *arguments):
        program, *others = super().command(*(argument for argument in arguments if argument != "-DFOREGROUND"))
        return ["valgrind", *self.TOOL, program, "-X", *others]

    def _is_up(self, before):
        # With -X httpd does not say that it is ready; a connection waits until it is.
        return sockets.is_listening(self.address, self.port)
