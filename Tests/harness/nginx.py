# Licensed under the Apache License, Version 2.0; see LICENSE.
"""nginx in the foreground, with all of its files in a folder of the test's."""

import shutil

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIG = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 18000;
pid {root}/pid;
error_log {root}/error.log {level};
events {{ worker_connections {connections}; }}
http {{
    access_log {access};
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
{http}
}}
"""


def command(root, http, *, level="error", access="off", connections=16000):
    """Writes a configuration with these lines inside of http, and returns what starts nginx with it. Its workers have
    another user, who must be able to write into the folder for large bodies."""
    path = root / "nginx.conf"
    path.write_text(CONFIG.format(root=root, http=http, level=level, access=access, connections=connections))
    return [PROGRAM, "-e", root / "error.log", "-c", path]
