# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An httpd of the test harness as one would run it: no access log, no debugging lines, the slow start that is the
default."""

import re

from harness.httpd import Httpd

# Requests, not connections, are limited here: kept-alive ones of many balancers must not keep new ones out.
ALWAYS = """
KeepAliveTimeout 120
MaxKeepAliveRequests 0
AsyncRequestWorkerFactor 100
ListenBacklog 4096
"""

# What httpd says of a server whose workers are all busy.
BUSY = "AH00484|AH10159|AH00286|AH03269"
# What balancers say of servers that do not answer, and servers of balancers, who announce themselves too.
TROUBLE = "AH0?0957|AH0?0959|AH01114|AH0?1102|AH0?1097|AH00898|AH01110|AH00940|AH01167|AH01179|AH02324|BH0310|BH04"


class Lean(Httpd):
    """As Httpd. control_group: a ControlGroup that it begins in."""

    control_group = None

    def command(self, *arguments):
        command = super().command(*arguments)
        return self.control_group.around(command) if self.control_group else command

    def configure(self, config):
        for line in (r"CustomLog .*", r"LogFormat .*", "BackhandSlowStart 0"):
            self._base = re.sub(f"^{line}$", "", self._base, flags=re.M)
        self._base = re.sub(r"^LogLevel .*$", "LogLevel warn", self._base, flags=re.M)
        self.log.always(BUSY)
        self.log.always(TROUBLE)
        super().configure(ALWAYS + config)
