/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Links and calls every function of farms.h, as mod_athena.so does, under AddressSanitizer: NULLs, impossible sizes,
 * and one good use of each. */

#include "counting.h"
#include "farms.h"

#include <stdio.h>
#include <string.h>

static char room[BH_ATH_ROOM_SIZE], error[BH_ATH_ERROR_SIZE];
static bh_ath_request_t request;

static bh_piece_t piece(const char *text) { return (bh_piece_t){text, strlen(text)}; }

static bool is(bh_piece_t found, const char *text) {
    return found.start && found.length == strlen(text) && memcmp(found.start, text, found.length) == 0;
}

static bh_ath_status_t read_request(const char *path, const char *query) {
    return bh_ath_request_read(piece(path), piece(query), room, sizeof room, &request, error, sizeof error);
}

static void paths(void) {
    CHECK(bh_ath_path_read(piece("/status/phys/")) == BH_ATH_STATUS_PHYS);
    CHECK(bh_ath_path_read(piece("/")) == BH_ATH_NO_KIND);
    CHECK(bh_ath_path_read((bh_piece_t){NULL, 5}) == BH_ATH_NO_KIND);
    CHECK(bh_ath_path_read((bh_piece_t){"/balance", SIZE_MAX}) == BH_ATH_NO_KIND);
}

static void requests(void) {
    bh_piece_t path = piece("/balance/"), query = piece("a,b");
    CHECK(bh_ath_request_read(path, query, NULL, sizeof room, &request, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_request_read(path, query, room, sizeof room, NULL, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_request_read(path, query, room, 2, &request, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_request_read(path, (bh_piece_t){NULL, 9}, room, 9, &request, NULL, 0) == BH_ATH_EMISSING);
    CHECK(bh_ath_request_read(path, (bh_piece_t){"a", SIZE_MAX}, room, sizeof room, &request, NULL, 0) == BH_ATH_ELONG);
    memset(&request, 7, sizeof request);
    CHECK(read_request("/nothing/", "") == BH_ATH_EPATH && request.kind == 0x07070707);
    CHECK(strcmp(error, "'/nothing/' is not a path of the engine") == 0);
    CHECK(read_request("/balance/", "a,b") == BH_ATH_OK && request.farms_count == 2 && is(request.farms[1], "b"));
    CHECK(read_request("/status/phys/", "Eh=app01,f=\"%h,%c\"") == BH_ATH_OK && request.is_escaped);
    CHECK(is(request.format, "%h,%c") && is(bh_ath_argument_find(&request, BH_ATH_CODE_HOST)->text, "app01"));
    CHECK(!bh_ath_argument_find(&request, BH_ATH_CODE_FARM));
    CHECK(read_request("/update/phys", "h=a,l=0.5,s=x:-1") == BH_ATH_OK && request.arguments[1].number == 500);
    CHECK(is(request.arguments[2].name, "x") && request.arguments[2].number == -1000);
}

static bh_ath_status_t read_line(bool is_pattern, const char *first, const char *second, bh_ath_line_t *line) {
    const char *const words[] = {first, second};
    return bh_ath_line_read(words, second ? 2 : 1, is_pattern, line, error, sizeof error);
}

static void lines(void) {
    bh_ath_line_t line;
    const char *const nothing[] = {NULL};
    CHECK(bh_ath_farm_name_check("farm_one.a-b") && !bh_ath_farm_name_check("a b") && !bh_ath_farm_name_check(NULL));
    CHECK(!bh_ath_farm_name_check("") && !bh_ath_farm_name_check("[::1]") && !bh_ath_farm_name_check("a:1"));
    CHECK(bh_ath_line_read(NULL, 1, false, &line, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_line_read(nothing, 0, false, &line, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_line_read(nothing, 1, false, &line, NULL, 0) == BH_ATH_EINVAL);
    CHECK(read_line(false, "a", NULL, NULL) == BH_ATH_EINVAL);
    CHECK(read_line(false, "app01:8080", NULL, &line) == BH_ATH_OK && is(line.host, "app01") && line.port == 8080);
    CHECK(line.weight == 100 && !line.forward);
    CHECK(read_line(false, "[::1]", "forward=http://b/x", &line) == BH_ATH_OK && is(line.host, "[::1]"));
    CHECK(!line.port && strcmp(line.forward, "http://b/x") == 0);
    CHECK(read_line(true, "^app[0-9]", "LoadFactor=2.5", &line) == BH_ATH_OK && line.weight == 250 && !line.host.start);
    CHECK(read_line(true, "a", "forward=http://b/", &line) == BH_ATH_EVALUE);
    CHECK(strcmp(error, "'forward=http://b/' is unknown: loadfactor= is known") == 0);
    CHECK(read_line(false, "http://a/", NULL, &line) == BH_ATH_EVALUE && read_line(false, "a:0", NULL, &line) != 0);
    CHECK(read_line(false, "a:", NULL, &line) != 0 && read_line(false, "[zz:1]", NULL, &line) != 0);
    CHECK(read_line(false, "[12]", NULL, &line) != 0 && read_line(false, "[::ffff:1.2.3.4]:80", NULL, &line) == 0);
    CHECK(read_line(false, "a", "loadfactor=100.1", &line) == BH_ATH_EVALUE);
    CHECK(read_line(false, "-", NULL, &line) == BH_ATH_EVALUE && read_line(false, "0.0.0.0", NULL, &line) != 0);
    CHECK(strcmp(error, "'0.0.0.0' is not the address of a server") == 0);
    CHECK(read_line(false, "a:080", NULL, &line) == BH_ATH_EVALUE && read_line(false, "app_1.:80", NULL, &line) == 0);
}

static void hosts(void) {
    bh_piece_t host = {NULL, 0};
    const char *wrong = "", *line = "/ unix:php.sock|fcgi://u@farm:9000/ http://other";
    CHECK(!bh_ath_line_host(NULL, line, &host, &wrong) && !bh_ath_line_host("ProxyPass", NULL, &host, &wrong));
    CHECK(!bh_ath_line_host("ProxyPass", line, NULL, &wrong) && !bh_ath_line_host("ProxyPass", line, &host, NULL));
    CHECK(!bh_ath_line_host("ProxyPassReverse", line, &host, &wrong) && !host.start && !*wrong);
    CHECK(bh_ath_line_host("ProxyPass", line, &host, &wrong) && is(host, "farm"));
    CHECK(strcmp(wrong, "a URL with a socket is for one server") == 0);
    CHECK(bh_ath_line_host("ProxyPass", line, &host, &wrong) && is(host, "other") && !wrong);
    CHECK(!bh_ath_line_host("ProxyPass", line, &host, &wrong) && is(host, "other"));
}

static int verified;

static bool verify(const void *keys, const void *bytes, size_t count, const uint8_t *signature) {
    verified++;
    return strcmp(keys, "key") == 0 && is((bh_piece_t){bytes, count}, "Backhand-Athena\nupdate/farm\nn=a,o=off,t=1000")
           && signature[0] == 1 && signature[31] == 0xef;
}

static void signatures(void) {
    static char text[BH_ATH_SIGNED_SIZE];
    CHECK(read_request("/update/farm"
                       "/",
                       "n=a,o=off,t=1000,m=0100000000000000000000000000000000000000000000000000000000"
                       "0000ef")
          == BH_ATH_OK);
    CHECK(bh_ath_signed_write(NULL, text, sizeof text) == 0 && bh_ath_signed_write(&request, NULL, 99) == 0);
    CHECK(bh_ath_signed_write(&request, text, 43) == 0 && bh_ath_signed_write(&request, text, 44) == 44);
    CHECK(bh_ath_signed_check(NULL, 1000, "key", verify, text, 99, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_signed_check(&request, 1000, NULL, verify, text, 99, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_signed_check(&request, 1000, "key", NULL, text, 99, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_signed_check(&request, 1000, "key", verify, NULL, 99, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_signed_check(&request, 1000, "key", verify, text, 43, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_signed_check(&request, 1301, "key", verify, text, 99, NULL, 0) == BH_ATH_ESTALE && verified == 0);
    CHECK(bh_ath_signed_check(&request, 1300, "key", verify, text, 99, error, sizeof error) == BH_ATH_OK);
    CHECK(bh_ath_signed_check(&request, 700, "yek", verify, text, 99, NULL, 0) == BH_ATH_EFORGED && verified == 2);
    CHECK(read_request("/update/farm", "n=a") == BH_ATH_OK);
    CHECK(bh_ath_signed_check(&request, 1000, "key", verify, text, 99, NULL, 0) == BH_ATH_EUNSIGNED);
}

static bool value(const void *baton, bh_ath_code_t code, bh_piece_t name, bh_ath_value_t *found) {
    if (code == BH_ATH_CODE_STATISTIC) return is(name, "x") && (found->number = -2500);
    if (code == BH_ATH_CODE_HOST) found->text = piece(baton);
    found->number = 7;
    return code == BH_ATH_CODE_HOST || code == BH_ATH_CODE_IN_FLIGHT;
}

static void output(void) {
    char line[BH_ATH_LINE_SIZE];
    bh_piece_t format = piece("%h,%3c,%{x}s,%l");
    CHECK(bh_ath_format_check(format, error, sizeof error) == BH_ATH_OK);
    CHECK(bh_ath_format_check((bh_piece_t){NULL, 1}, NULL, 0) == BH_ATH_EINVAL);
    CHECK(bh_ath_format_check((bh_piece_t){"%h", SIZE_MAX}, NULL, 0) == BH_ATH_EFORMAT);
    CHECK(bh_ath_format_check(piece("%9999c"), error, sizeof error) == BH_ATH_EFORMAT && strstr(error, "f=%9999"));
    CHECK(bh_ath_line_write(format, value, "app01", line, sizeof line) == 17);
    CHECK(strcmp(line, "app01,  7,-2.5,-\n") == 0);
    CHECK(bh_ath_line_write(format, NULL, "app01", line, sizeof line) == 0);
    CHECK(bh_ath_line_write(format, value, "app01", NULL, sizeof line) == 0);
    CHECK(bh_ath_line_write(format, value, "app01", line, 1) == 0);
    CHECK(bh_ath_line_write(piece("%"), value, "app01", line, sizeof line) == 0);
    CHECK(bh_ath_line_write(format, value, "app01", line, 5) == 4 && strcmp(line, "app\n") == 0);
    CHECK(strcmp(bh_ath_format_default(BH_ATH_BALANCE), "%h") == 0 && !*bh_ath_format_default(BH_ATH_NO_KIND));
    for (int kind = BH_ATH_BALANCE; kind <= BH_ATH_MIRROR_PHYS; kind++)
        CHECK(bh_ath_format_check(piece(bh_ath_format_default(kind)), NULL, 0) == BH_ATH_OK);
}

static void urls(void) {
    bh_ath_url_t url;
    CHECK(!bh_ath_url_split(NULL, &url) && !bh_ath_url_split("http://a/", NULL) && !bh_ath_url_split("/a", &url));
    CHECK(bh_ath_url_split("http://farm:81", &url) && url.port == 81 && is(url.host, "farm"));
    CHECK(is(url.scheme, "http") && is(url.origin, "http://farm:81") && is(url.rest, ""));
    CHECK(bh_ath_names_equal(url.host, piece("FARM")) && !bh_ath_names_equal(url.host, piece("farm2")));
    CHECK(!bh_ath_names_equal(url.host, (bh_piece_t){"farm", SIZE_MAX}));
    CHECK(is(bh_ath_cookie_domain("a=b; Domain=.c"), "c") && !bh_ath_cookie_domain("a=b").start);
    CHECK(!bh_ath_cookie_domain(NULL).start);
}

static bool verify_none(const void *keys, const void *bytes, size_t count, const uint8_t *signature) {
    return *(const char *)keys == 'k' && count > 0 && bytes != NULL && signature[0] == 0xab;
}

static void cookies(void) {
    bh_ath_cookie_rules_t rules = {"STEER", "farm", "key", verify_none, 1000};
    bh_ath_cookie_t cookie;
    char header[256] = "STEER=1.stay.2000.app01.ab";
    for (size_t i = strlen(header), end = i + 62; i < end; i++) header[i] = '0';
    CHECK(bh_ath_cookie_read(&rules, header, &cookie) == 0 && cookie.steer == BH_ATH_STEER_STAY);
    CHECK(is(cookie.target, "app01"));
    rules.keys = "yek";
    CHECK(bh_ath_cookie_read(&rules, header, &cookie) == 1 && cookie.steer == BH_ATH_STEER_NONE);
    CHECK(bh_ath_cookie_read(&rules, NULL, &cookie) == 0 && bh_ath_cookie_read(NULL, header, &cookie) == 0);
    CHECK(bh_ath_cookie_name_check("STEER") && !bh_ath_cookie_name_check("a=b") && !bh_ath_cookie_name_check(NULL));
}

/* ---- Answers ---- */

/* As mod_athena.so is compiled. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static int32_t chooses;
static uint32_t chosen_times;

static bh_ath_farm_t farm_at(void *baton, uint32_t place) {
    return place ? (bh_ath_farm_t){"two", 1} : (bh_ath_farm_t){"one", 2};
}
static bh_ath_member_t member_at(void *baton, uint32_t farm, uint32_t place) {
    static const char *const texts[] = {"app01:80", "app02", "b\"a\\d"};
    return (bh_ath_member_t){texts[2 * farm + place], 150, 0};
}
static int32_t choose(void *baton, uint32_t farm, const char **reason) {
    chosen_times++;
    *reason = "default:2";
    return farm ? 0 : chooses;
}

static char body[9000];
static bool put(void *baton, const char *text, size_t length) {
    strncat(body, text, length);
    return baton == NULL;
}

static bh_ath_engine_t engine = {.farm = farm_at, .member = member_at, .choose = choose, .farms = 2, .wall_s = 1000};
static bh_ath_answer_t answer;

static int32_t ask(const char *path, const char *query, const char *accept) {
    memset(&answer, 7, sizeof answer);
    *body = '\0';
    int32_t status = bh_ath_answer_make(&engine, piece(path), piece(query), accept, &answer);
    CHECK(bh_ath_answer_write(&engine, &answer, put, NULL));
    return status;
}

static void answers(void) {
    CHECK(bh_ath_answer_make(NULL, piece("/"), piece(""), NULL, &answer) == 500);
    CHECK(bh_ath_answer_make(&engine, piece("/"), piece(""), NULL, NULL) == 500);
    CHECK(!bh_ath_answer_write(NULL, &answer, put, NULL) && !bh_ath_answer_write(&engine, NULL, put, NULL));
    CHECK(!bh_ath_answer_write(&engine, &answer, NULL, NULL));
    CHECK(ask("/balance", "one,TWO", NULL) == 200 && strcmp(body, "app01:80\nb\"a\\d\n") == 0 && !answer.is_json);
    CHECK(!bh_ath_answer_write(&engine, &answer, put, &engine));
    chosen_times = 0;
    CHECK(ask("/balance", "one,three", NULL) == 404 && strcmp(body, "'three' is not a farm here\n") == 0);
    CHECK(chosen_times == 0);
    CHECK(ask("/balance", "two,one", "text/html;q=0.3,Application/JSON") == 200 && answer.is_json);
    CHECK(strcmp(body, "{\"farms\":[{\"farm\":\"two\",\"member\":\"b\\\"a\\\\d\",\"chain\":\"default:2\"},"
                       "{\"farm\":\"one\",\"member\":\"app01:80\",\"chain\":\"default:2\"}]}\n")
          == 0);
    CHECK(ask("/balance", "one", "application/json; q=0.00, x/y") == 200 && !answer.is_json);
    chooses = -1;
    CHECK(ask("/balance", "two,one", "application/json") == 503 && strncmp(body, "'one' has no member", 19) == 0);
    CHECK(ask("/status/phys", "n=one,f=\"%h %v %w %c|\"", NULL) == 200);
    CHECK(strcmp(body, "app01:80 80 1.5 -|\napp02 0 1.5 -|\n") == 0);
    CHECK(ask("/status/farm", "n=three", NULL) == 404 && ask("/status/phys", "h=app03", NULL) == 404);
    CHECK(ask("/status/phys", "h=APP01:80,f=\"%h\"", NULL) == 200 && strcmp(body, "app01:80\n") == 0);
}

static void updates(void) {
    static const char stranger[] = "the client is not one of AthAcceptUpdates";
    CHECK(ask("/update/phys", "h=app02,o=off", NULL) == 403 && strncmp(body, stranger, sizeof stranger - 1) == 0);
    engine.accepts = true;
    CHECK(ask("/update/phys", "h=app02,o=off", NULL) == 503 && answer.is_trusted);
    CHECK(ask("/update/phys", "h=app03", NULL) == 404);
    engine.is_browsers = true;
    CHECK(ask("/mirror/farm", "n=one", NULL) == 403 && strstr(body, "browser"));
    engine.is_browsers = false;
    const char *signed_query = "n=a,o=off,t=1000,m=0100000000000000000000000000000000000000000000000000000000"
                               "0000ef";
    CHECK(ask("/update/farm", signed_query, NULL) == 403 && strstr(body, "AthUpdateKey"));
    engine.keys = "key";
    engine.verify = verify;
    CHECK(ask("/update/farm", signed_query, NULL) == 404 && answer.is_trusted);
    engine.keys = "yek";
    CHECK(ask("/update/farm", signed_query, NULL) == 403);
    CHECK(bh_ath_is_of_browsers("ORIGIN") && bh_ath_is_of_browsers("Sec-Fetch-Mode"));
    CHECK(!bh_ath_is_of_browsers("Accept") && !bh_ath_is_of_browsers("Sec-Fetch") && !bh_ath_is_of_browsers(NULL));
}

int main(void) {
    urls();
    paths();
    requests();
    lines();
    hosts();
    signatures();
    output();
    cookies();
    answers();
    updates();
    printf("contract of farms: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
