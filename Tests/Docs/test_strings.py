# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What strangers send is parsed in Swift only: module/ finds headers and compares whole texts.

Each other function for texts that it calls is listed here with its reason, so that a parser does not come back unseen.
"""

import re

import pytest
from Docs.test_layers import SOURCES, without_comments_and_texts

# Functions of libc, APR and httpd that look into a text, convert it, or cut it. Not those that only copy texts or put
# them together.
LOOKS_INTO = re.compile(
    r"""\b(
    str(?!uct\b)\w+ | mem(?:chr|rchr|cmp|mem|ccpy) | rawmemchr | [vf]?s?scanf | ato\w+ | r?index | regexec | fnmatch
    | getopt\w* | to(?:lower|upper) | inet_(?:pton|aton|addr)
    | is(?:alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit)
    | apr_(?:str|cstr|ato|is(?!_)|to|uri_|date_|base64_|fnmatch|cpystrn|collapse_|tokenize_|parse_|xlate
        |p?escape|p?unescape|p?decode|p?encode)\w*
    | ap_(?:str|cstr|getword|get_token|get_list|find_(?!linked_module|command)|unescape|escape|parse_|pregcomp|regexec
        |args_to|scan_|count_dirs|make_dir|no2slash|getparents|normalize_|uudecode|pbase64|is_matchexp|os_escape
        |rind|ind|body_to)\w*
    )\s*\(""",
    re.VERBOSE,
)

# They compare whole texts, or say what an error number means.
ANYWHERE = {"strlen", "strcmp", "ap_cstr_casecmp", "strerror", "apr_strerror"}

BEGINNING = "whether a text has a fixed beginning"
CONFIGURATION = "words of the configuration, which the administrator writes"
COPY = "copies into a room of fixed size"
FILTER = "names of filters, which modules of this httpd give them"
MARK = "marks that the module itself has put there"
NOTE = "mod_proxy's own note on a failure"
PATH = "paths of the configuration"
SECTION = "patterns of <Proxy> sections, as mod_proxy looks for them in a URL"
ZEROS = "whether the whole text is zeros"

# Function -> file -> why it may stand there.
ALLOWED = {
    "strncmp": {
        "ma_engine.c": BEGINNING,
        "ma_request.c": BEGINNING,
        "mb_balance.c": BEGINNING,
        "mb_filters.c": FILTER,
        "mb_origin.c": SECTION,
    },
    "ap_cstr_casecmpn": {
        "ma_check.c": CONFIGURATION,
        "ma_config.c": CONFIGURATION,
        "mb_chain.c": CONFIGURATION,
        "mb_response.c": "finds a header by its name",
        "mb_origin.c": BEGINNING,
        "mb_send.c": BEGINNING,
        "mod_lbmethod_backhand.c": CONFIGURATION,
    },
    "ap_pregcomp": {"ma_config.c": CONFIGURATION},
    "ap_regexec": {
        "ma_members.c": "the administrator's pattern, for names of servers that were accepted",
        "mb_origin.c": SECTION,
        "mod_lbmethod_backhand.c": CONFIGURATION,
    },
    "apr_fnmatch": {"mb_origin.c": SECTION, "mod_lbmethod_backhand.c": CONFIGURATION},
    "strspn": {"mb_scope.c": ZEROS, "mb_attempt.c": ZEROS},
    "strcspn": {"mb_filters.c": FILTER},
    "strchr": {
        "ma_config.c": CONFIGURATION,
        "mb_address.c": "the module's own text of an address",
        "mb_passage.c": CONFIGURATION,
        "mb_response.c": MARK,
    },
    "strstr": {"mb_passage.c": NOTE, "mb_response.c": MARK, "mb_send.c": NOTE},
    "strrchr": {
        "ma_config.c": CONFIGURATION,
        "mb_chain.c": CONFIGURATION,
        "mb_heard.c": "the module's own text of an address",
        "mb_loaded.c": PATH,
        "mb_passage.c": CONFIGURATION,
    },
    "memchr": {
        "mb_ahead.c": "where a line of a header ends, as httpd's core finds it",
        "mb_response.c": "whether a long line is a header",
    },
    "apr_isspace": {"mb_response.c": "blanks at the end of a long line, which are not a part of it"},
    "ap_getword_conf": {
        "ma_config.c": CONFIGURATION,
        "mb_chain.c": CONFIGURATION,
        "mb_lines.c": CONFIGURATION,
        "mb_listen.c": CONFIGURATION,
        "mb_warnings.c": CONFIGURATION,
    },
    "ap_is_matchexp": {"mb_chain.c": CONFIGURATION},
    "apr_parse_addr_port": {"mb_listen.c": CONFIGURATION, "mb_passage.c": CONFIGURATION},
    "ap_strstr_c": {"mb_loaded.c": PATH},
    "apr_cpystrn": {"ma_proxy.c": COPY, "mb_origin.c": COPY, "mb_worker.c": COPY},
    "ap_args_to_table": {"mb_status.c": "httpd's own reading of the query; its values are compared as a whole"},
}
LISTED = {(name, file) for name, places in ALLOWED.items() for file in places}


def calls(sources):
    """Pairs of function and file that are not allowed everywhere."""
    found = set()
    for path, source in sources.items():
        names = set(LOOKS_INTO.findall(without_comments_and_texts(source))) - ANYWHERE
        found |= {(name, path.rpartition("/")[2]) for name in names}
    return found


def test_module_calls_only_listed_functions_for_texts():
    assert sorted(calls(SOURCES) - LISTED) == [], "what strangers send is parsed in Sources/BackhandHTTP"


def test_each_listed_function_is_called():
    assert sorted(LISTED - calls(SOURCES)) == []


@pytest.mark.parametrize(
    "line, name",
    [
        ("long n = strtol(text, NULL, 10);", "strtol"),
        ("char *at = strchr(text, ';');", "strchr"),
        ('char *word = strtok(text, ",");', "strtok"),
        ('char *word = strtok_r (text, ",", &rest);', "strtok_r"),
        ('char *word = strsep(&text, ",");', "strsep"),
        ('int n = sscanf(text, "%d", &n);', "sscanf"),
        ("if (isdigit(*text)) return;", "isdigit"),
        ("memmem(text, 1, other, 1);", "memmem"),
        ("inet_pton(AF_INET, text, &address);", "inet_pton"),
        ('apr_strtok(text, ",", &rest);', "apr_strtok"),
        ("apr_atoi64(text);", "apr_atoi64"),
        ("apr_uri_parse(r->pool, text, &uri);", "apr_uri_parse"),
        ("apr_punescape_hex(r->pool, text, 0, NULL);", "apr_punescape_hex"),
        ("ap_getword(r->pool, &text, ',');", "ap_getword"),
        ("ap_getword_white(r->pool, &text);", "ap_getword_white"),
        ("ap_get_token(r->pool, &text, 0);", "ap_get_token"),
        ('ap_find_token(r->pool, text, "a");', "ap_find_token"),
        ("ap_unescape_url(text);", "ap_unescape_url"),
    ],
)
def test_a_new_parser_is_found(line, name):
    path = "module/message/mb_reverse.c"
    planted = {**SOURCES, path: SOURCES[path] + f"\nstatic void parse(char *text) {{ {line} }}\n"}
    assert calls(planted) - LISTED == {(name, "mb_reverse.c")}


@pytest.mark.parametrize(
    "line",
    [
        "/* strtol(text) */",
        'puts("strtol(text)");',
        "apr_pstrcat(pool, a, b, NULL);",
        "apr_pstrmemdup(pool, a, 1);",
        "memcpy(a, b, 1);",
        "struct (x);",
        "bh_list_has(a, b, false);",
        "apr_table_get(t, a);",
        "apr_is_empty_table(t);",
        "apr_psprintf(pool, a);",
        "mb_strange(a);",
        "strlen(a);",
    ],
)
def test_what_does_not_parse_is_not_found(line):
    assert calls({"module/base/mb_new.c": f"static void f(void) {{ {line} }}\n"}) == set()
