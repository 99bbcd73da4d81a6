# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who takes part. Rivals are what Debian ships, with the settings that one who knows them would choose."""

from Bench.Balance.announced import Announced
from Bench.Balance.haproxy import HAProxy
from Bench.Balance.httpd_balancer import Balancer, Method, Ours
from Bench.Balance.nginx import Nginx

HTTP_CHECK = "option httpchk GET /"

ALL = (
    Ours("default", "default", "default"),
    Announced("announced", "default, each server an announced nginx", "default"),
    Ours("byLeastTime", "byLeastTime", "byAge 4", "byLeastTime"),
    Ours("old", "old chain", "byAge 6", "byRandom", "byLogWindow", "byBusyChildren"),
    Method("lbmethod", "lbmethod=backhand, nothing announced", announced=False),
    Method("lbmethod-announced", "lbmethod=backhand", announced=True),
    Balancer("byrequests", "httpd byrequests", "byrequests"),
    Balancer("byrequests-weights", "httpd byrequests, weights", "byrequests", has_weights=True),
    Balancer("byrequests-failonstatus", "httpd byrequests, failonstatus", "byrequests", "failonstatus=503"),
    Balancer("bybusyness", "httpd bybusyness", "bybusyness"),
    Balancer("heartbeat", "httpd heartbeat", "heartbeat"),
    HAProxy("haproxy-leastconn", "HAProxy leastconn", "leastconn"),
    HAProxy("haproxy-random", "HAProxy random(2)", "random(2)"),
    HAProxy("haproxy-leastconn-weights", "HAProxy leastconn, weights", "leastconn", has_weights=True),
    HAProxy("haproxy-agent", "HAProxy leastconn, weights, agent", "leastconn", has_weights=True, agent=True),
    HAProxy("haproxy-maxconn", "HAProxy leastconn, weights, maxconn", "leastconn", has_weights=True, maxconn=True),
    HAProxy(
        "haproxy-503",
        "HAProxy leastconn, retry-on 503, http-check",
        "leastconn",
        retry="conn-failure empty-response 503",
        check=HTTP_CHECK,
    ),
    Nginx("nginx-least_conn", "nginx least_conn", "least_conn"),
    Nginx("nginx-random", "nginx random two least_conn", "random two least_conn"),
    Nginx("nginx-least_conn-weights", "nginx least_conn, weights", "least_conn", has_weights=True),
    Nginx("nginx-random-weights", "nginx random two least_conn, weights", "random two least_conn", has_weights=True),
    Nginx("nginx-503", "nginx least_conn, http_503", "least_conn", retry="error timeout http_503"),
)
BY_NAME = {contender.name: contender for contender in ALL}

# In every world; the short set has the strongest only, and the first of each scenario's rivals.
ALWAYS = (
    "default",
    "byLeastTime",
    "old",
    "byrequests",
    "bybusyness",
    "heartbeat",
    "haproxy-leastconn",
    "haproxy-random",
    "nginx-least_conn",
    "nginx-random",
)
SHORT = ("default", "byLeastTime", "haproxy-leastconn", "nginx-least_conn")


def of(scenario, full):
    """Who takes part in a scenario."""
    names = (*ALWAYS, *scenario.rivals) if full else (*SHORT, *scenario.rivals[:1])
    return [BY_NAME[name] for name in names]
