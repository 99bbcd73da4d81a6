/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Links and calls every function of the border, as the shim does, under AddressSanitizer: NULLs, impossible sizes, and
 * one good use of each. A function that the header promises and Swift does not define fails to link here. */

#include "backhand.h"
#include "counting.h"

#include <inttypes.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_SLOTS 4
#define NOW 1000000u

static bh_segment_t *segment;

static void row(uint32_t id, int load, uint64_t heard_ms) {
    bh_facts_t facts = {.port = (uint16_t)(80 + id), .load = load, .boot_id = id + 1, .sequence = 1};
    CHECK(bh_address_parse("127.0.0.1", &facts.address) == BH_OK);
    snprintf(facts.hostname, sizeof facts.hostname, "host%u", id);
    bh_row_store(bh_segment_row_mutable(segment, id), &facts);
    bh_public_store(&bh_segment_public_mutable(segment, id)->load, load);
    bh_word_store(&bh_segment_row_mutable(segment, id)->heard_ms, heard_ms);
    if (bh_segment_rows(segment) <= id) bh_half_store(&segment->rows, id + 1);
}

static void border_version(void) { CHECK(bh_border_version() == BH_BORDER_VERSION); }

static void addresses(void) {
    bh_address_t address = {1, 1};
    char text[BH_ADDRESS_SIZE];
    CHECK(bh_address_parse(NULL, &address) == BH_EINVAL);
    CHECK(bh_address_parse("10.0.0.4", NULL) == BH_EINVAL);
    CHECK(bh_address_parse("10.0.0.256", &address) == BH_ESYNTAX && address.high == 1);
    CHECK(bh_address_parse("10.0.0.4", &address) == BH_OK);
    CHECK(address.high == 0 && address.low == UINT64_C(0xffff0a000004));
    CHECK(bh_address_format(NULL, text, sizeof text) == BH_EINVAL);
    CHECK(bh_address_format(&address, NULL, sizeof text) == BH_EINVAL);
    CHECK(bh_address_format(&address, text, 0) == BH_EINVAL);
    CHECK(bh_address_format(&address, text, 4) == BH_ESPACE);
    CHECK(bh_address_format(&address, text, sizeof text) == BH_OK && strcmp(text, "10.0.0.4") == 0);
    CHECK(bh_address_parse("2001:db8::4", &address) == BH_OK);
    CHECK(bh_address_format(&address, text, sizeof text) == BH_OK && strcmp(text, "2001:db8::4") == 0);
}

static void networks(void) {
    bh_network_t network;
    bh_address_t inside, outside;
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_network_parse(NULL, &network, error, sizeof error) == BH_EINVAL);
    CHECK(bh_network_parse("10.0.0.0/24", NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_network_parse("10.0.0.0/33", &network, error, sizeof error) == BH_ESYNTAX);
    CHECK(strstr(error, "10.0.0.0/33") != NULL);
    CHECK(bh_network_parse("10.0.0.0/33", &network, NULL, 0) == BH_ESYNTAX);
    CHECK(bh_network_parse("10.0.0.0/24", &network, error, sizeof error) == BH_OK);
    bh_address_parse("10.0.0.77", &inside);
    bh_address_parse("10.0.1.77", &outside);
    CHECK(bh_network_contains(&network, 1, &inside));
    CHECK(!bh_network_contains(&network, 1, &outside));
    CHECK(!bh_network_contains(NULL, 1, &inside));
    CHECK(!bh_network_contains(&network, 0, &inside));
    CHECK(!bh_network_contains(&network, 1, NULL));
}

static void destinations(void) {
    bh_destination_t destination;
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_destination_parse(NULL, NULL, &destination, error, sizeof error) == BH_EINVAL);
    CHECK(bh_destination_parse(NULL, "239.255.1.1:4445,1", NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_destination_parse(NULL, "239.255.1.1:70000", &destination, error, sizeof error) == BH_ESYNTAX);
    CHECK(strstr(error, "70000") != NULL);
    CHECK(bh_destination_parse("127.0.0.2:8080", "239.255.1.1:4445,3", &destination, error, sizeof error) == BH_OK);
    CHECK(destination.own_port == 8080 && destination.port == 4445 && destination.ttl == 3);
    CHECK(bh_name_length(NULL) == 0 && bh_name_length("10.0.0.4:80") == 0 && bh_name_length("web1:80") == 4);
    CHECK(strstr(bh_fault_text(BH_FAULT_TWICE), "twice") && *bh_fault_text((bh_fault_t)99));
}

static void numbers(void) {
    char error[BH_ERROR_SIZE] = "";
    uint32_t number = 7;
    CHECK(bh_number_parse(NULL, BH_UNIT_NONE, 0, 9, &number, error, sizeof error) == BH_EINVAL);
    CHECK(bh_number_parse("8", BH_UNIT_NONE, 0, 9, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_number_parse("8", BH_UNIT_NONE, 9, 8, &number, error, sizeof error) == BH_EINVAL);
    CHECK(number == 7 && error[0] == '\0');
    CHECK(bh_number_parse("10", BH_UNIT_SECONDS, 0, 9, &number, error, sizeof error) == BH_ESYNTAX);
    CHECK(number == 7 && strcmp(error, "'10' is not a number of seconds from 0 to 9") == 0);
    CHECK(bh_number_parse("", BH_UNIT_NONE, 0, 9, &number, NULL, 0) == BH_ESYNTAX);
    CHECK(bh_number_parse("-1", BH_UNIT_NONE, 0, UINT32_MAX, &number, NULL, 0) == BH_ESYNTAX);
    CHECK(bh_number_parse("4294967296", BH_UNIT_NONE, 0, UINT32_MAX, &number, NULL, 0) == BH_ESYNTAX);
    CHECK(bh_number_parse("4294967295", BH_UNIT_NONE, 0, UINT32_MAX, &number, error, sizeof error) == BH_OK
          && number == UINT32_MAX);
}

static void checks(void) {
    static const char line[] = "/health text=\"all is well\" expect=204";
    char room[sizeof line], error[BH_ERROR_SIZE] = "";
    bh_check_t check = {.rise = 9};
    CHECK(bh_check_parse(NULL, room, sizeof room, &check, error, sizeof error) == BH_EINVAL);
    CHECK(bh_check_parse(line, NULL, sizeof room, &check, error, sizeof error) == BH_EINVAL);
    CHECK(bh_check_parse(line, room, 0, &check, error, sizeof error) == BH_EINVAL);
    CHECK(bh_check_parse(line, room, sizeof room, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_check_parse("health", room, sizeof room, &check, error, sizeof error) == BH_ESYNTAX && check.rise == 9);
    CHECK(strcmp(error, "'health' is not a path, as /health, which comes first") == 0);
    CHECK(bh_check_parse(line, room, 9, &check, error, sizeof error) == BH_ESYNTAX);
    CHECK(strcmp(error, "is too long") == 0);
    CHECK(bh_check_parse(line, room, sizeof room, &check, error, sizeof error) == BH_OK && check.rise == 2);
    CHECK(strcmp(check.path, "/health") == 0 && strcmp(check.text, "all is well") == 0 && !check.host);
    CHECK(strcmp(check.expect, "204") == 0 && check.interval_ms == 1000 && check.timeout_ms == 2000 && !check.vhost);
}

static void words(void) {
    static const char *const both[] = {"Off", "On"};
    uint32_t chosen = 7;
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_word_choose(NULL, both, 2, true, &chosen, error, sizeof error) == BH_EINVAL);
    CHECK(bh_word_choose("On", NULL, 2, true, &chosen, error, sizeof error) == BH_EINVAL);
    CHECK(bh_word_choose("On", both, 0, true, &chosen, error, sizeof error) == BH_EINVAL);
    CHECK(bh_word_choose("On", both, 2, true, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(chosen == 7 && error[0] == '\0');
    CHECK(bh_word_choose("no", both, 2, true, &chosen, error, sizeof error) == BH_ESYNTAX && chosen == 7);
    CHECK(strcmp(error, "'no' is neither Off nor On") == 0);
    CHECK(bh_word_choose("on", both, 2, true, &chosen, NULL, 0) == BH_OK && chosen == 1);
    CHECK(bh_word_choose("on", both, 2, false, &chosen, error, sizeof error) == BH_ESYNTAX);
    CHECK(strcmp(error, "'on' is neither Off nor On") == 0);
    uint32_t bits = 9, highest = 9;
    CHECK(bh_loglevel_read(0, NULL, &bits, &highest, error, sizeof error) == BH_EINVAL);
    CHECK(bh_loglevel_read(0, "+net1", NULL, &highest, error, sizeof error) == BH_EINVAL);
    CHECK(bh_loglevel_read(0, "+net1", &bits, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_loglevel_read(0, "net1", &bits, &highest, error, sizeof error) == BH_ESYNTAX && strstr(error, "'net1'"));
    CHECK(bits == 9 && highest == 9);
    CHECK(bh_loglevel_read(1, "+net2", &bits, &highest, error, sizeof error) == BH_OK && bits == 0x201 && highest == 2);
}

static bool take_key(void *baton, const char *key, size_t length) {
    *(size_t *)baton += length;
    return key[0] == '0';
}

static void keys(void) {
    char error[BH_ERROR_SIZE] = "", path[] = "/tmp/backhand-contract-XXXXXX";
    size_t taken = 0;
    int fd = mkstemp(path);
    static const char text[] = "0123456789abcdef0123456789abcdef\n";
    CHECK(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1 && close(fd) == 0);
    CHECK(bh_key_read(NULL, path, take_key, &taken, error, sizeof error) == BH_EINVAL);
    CHECK(bh_key_read(path, NULL, take_key, &taken, error, sizeof error) == BH_EINVAL);
    CHECK(bh_key_read(path, path, NULL, &taken, error, sizeof error) == BH_EINVAL && error[0] == '\0');
    CHECK(bh_key_read(path, path, take_key, &taken, error, sizeof error) == BH_OK && taken == 32);
    CHECK(unlink(path) == 0);
    CHECK(bh_key_read(path, path, take_key, &taken, error, sizeof error) == BH_ESYNTAX && strstr(error, path));
}

static void files(void) {
    char path[] = "/tmp/backhand-contract-XXXXXX", text[8] = "";
    bh_rights_t children = {.user = 33, .group = 33};
    CHECK(close(mkstemp(path)) == 0);
    const bh_rights_t own = {0, 0, NULL};
    CHECK(bh_file_replace(NULL, "1", own) != 0 && bh_file_replace(path, NULL, own) != 0
          && bh_file_replace("/proc/x/y", "1", own) != 0);
    CHECK(bh_file_replace(path, "42\n", own) == 0);
    FILE *file = fopen(path, "r");
    CHECK(file && fgets(text, sizeof text, file) && strcmp(text, "42\n") == 0 && fclose(file) == 0);
    bh_file_remove(NULL, children);
    bh_file_remove(path, children);
    CHECK(access(path, F_OK) != 0);
    int32_t fd = -1, second = -1;
    const char *doing = NULL;
    CHECK(bh_control_open(NULL, UINT32_MAX, own, &fd, &doing) != 0 && bh_control_open(path, 0, own, NULL, NULL) != 0);
    CHECK(bh_control_open("/proc/x/y", UINT32_MAX, own, &fd, &doing) != 0 && strcmp(doing, "bind") == 0 && fd == -1);
    CHECK(bh_control_open(path, UINT32_MAX, own, &fd, &doing) == 0 && fd >= 0);
    CHECK(bh_control_open(path, UINT32_MAX, own, &second, NULL) == EADDRINUSE && second == -1);
    uint32_t group = 7;
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_group_find("root", &group, NULL, 0) == BH_OK && group == 0);
    CHECK(bh_group_find("#42", &group, NULL, 0) == BH_OK && group == 42);
    CHECK(bh_group_find("#4294967295", &group, error, sizeof error) != BH_OK && strstr(error, "is not a group number"));
    CHECK(bh_group_find(NULL, &group, NULL, 0) == BH_EINVAL && bh_group_find("root", NULL, NULL, 0) == BH_EINVAL);
    bh_control_remove(NULL, own);
    bh_control_remove(path, own);
    CHECK(close(fd) == 0 && access(path, F_OK) != 0);
    /* As root, with the rights of another user. */
    CHECK(bh_control_open(path, UINT32_MAX, children, &fd, NULL) == 0);
    struct stat info;
    CHECK(stat(path, &info) == 0 && info.st_uid == (geteuid() == 0 ? 33 : geteuid()));
    bh_control_remove(path, children);
    CHECK(close(fd) == 0 && access(path, F_OK) != 0);
}

static void segments(void) {
    size_t size = bh_segment_size(CHILD_SLOTS);
    CHECK(size >= sizeof(bh_segment_t) + CHILD_SLOTS * sizeof(bh_child_t));
    segment = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(segment != MAP_FAILED);
    CHECK(bh_segment_format(NULL, size, CHILD_SLOTS, 1) == BH_EINVAL);
    CHECK(bh_segment_format(segment, 1, CHILD_SLOTS, 1) == BH_EINVAL);
    CHECK(bh_segment_format(segment, size, 0, 1) == BH_EINVAL);
    CHECK(bh_segment_check(NULL, size) == BH_EINVAL);
    CHECK(bh_segment_check(segment, size) == BH_ELAYOUT);
    CHECK(bh_segment_format(segment, size, CHILD_SLOTS, 7) == BH_OK);
    CHECK(bh_segment_check(segment, size) == BH_OK);
    CHECK(bh_segment_check(segment, size - 1) == BH_ELAYOUT);
    segment->layout ^= 1;
    CHECK(bh_segment_check(segment, size) == BH_ELAYOUT);
    segment->layout ^= 1;
    CHECK(segment->boot_id == 7 && bh_segment_rows(segment) == 0);
    void *mapped = NULL;
    size_t mapped_size = 0;
    CHECK(bh_segment_map(0, &mapped, &mapped_size) == BH_EINVAL && bh_segment_map(1, NULL, &mapped_size) == BH_EINVAL);
    CHECK(bh_segment_map(1, &mapped, NULL) == BH_EINVAL);
    CHECK(bh_segment_map(1, &mapped, &mapped_size) == 0 && mapped_size == bh_segment_size(1));
    CHECK(bh_segment_check(mapped, mapped_size) == BH_OK && bh_word_load(&((bh_segment_t *)mapped)->boot_id) != 0);
    bh_segment_t *made = mapped;
    char own[40];
    snprintf(own, sizeof own, "%016" PRIx64 "%016" PRIx64, made->check_high, made->check_low);
    CHECK(bh_check_is_own(made, own) && !bh_check_is_own(segment, own) && !bh_check_is_own(made, ""));
    CHECK(!bh_check_is_own(NULL, own) && !bh_check_is_own(made, NULL));
    own[31] ^= 1;
    CHECK(!bh_check_is_own(made, own) && !bh_check_is_own(made, "00000000000000000000000000000000"));
    munmap(mapped, mapped_size);
}

static void children(void) {
    CHECK(bh_child_claim(segment, CHILD_SLOTS, 100) == 0);
    CHECK(bh_child_claim(segment, CHILD_SLOTS, 101) == 1);
    bh_feedback_begin(segment, 0, 3, 1000);
    bh_feedback_begin(segment, 0, 3, 1000);
    bh_feedback_begin(segment, 1, 3, 1000);
    bh_feedback_end(segment, 0, 3, 4000);
    CHECK(segment->rows_extended[3].in_flight == 2);
    bh_child_forget(segment, CHILD_SLOTS, 100, 5000);
    CHECK(segment->rows_extended[3].in_flight == 1);
    bh_child_forget(segment, CHILD_SLOTS, 101, 6000);
    CHECK(segment->rows_extended[3].in_flight == 0);
    CHECK(segment->rows_extended[3].in_flight_us == 3000 + 4000 + 5000); /* the dead one's ended when it was missed */
    for (int pid = 0; pid < CHILD_SLOTS; pid++) CHECK(bh_child_claim(segment, CHILD_SLOTS, 200 + pid) == pid);
    CHECK(bh_child_claim(segment, CHILD_SLOTS, 300) == -1);
    bh_feedback_begin(segment, -1, 3, 6000);
    bh_feedback_end(segment, -1, 3, 7000);
    CHECK(segment->rows_extended[3].in_flight == 0);
}

static void evidence(void) {
    bh_result_t result = {.outcome = BH_OUTCOME_FAILED,
                          .id = BH_ROWS,
                          .chain = 2,
                          .began_us = 1000000,
                          .ended_us = 1001000,
                          .asked = {1, 1},
                          .free = true};
    CHECK(bh_feedback_report(NULL, &result) == 0);
    CHECK(bh_feedback_report(segment, NULL) == 0);
    CHECK(bh_feedback_report(segment, &result) == 0);
    result.id = 3;
    for (int i = 0; i < 3; i++) {
        CHECK(bh_row_doubts(bh_segment_row(segment, 3), 2) == 0);
        CHECK(bh_feedback_report(segment, &result) == 0);
    }
    CHECK(bh_row_doubts(bh_segment_row(segment, 3), 2) == bh_doubt_bit(BH_DOUBT_FAILING, 0));
    CHECK(segment->rows_extended[3].failed == 3);
    result.untrusted = true, result.outcome = BH_OUTCOME_REFUSED;
    CHECK(bh_feedback_report(segment, &result) == BH_WARNING_UNTRUSTED);
    segment->rows_extended[3].failed = 0;
    bh_evidence_forget(bh_segment_row_mutable(segment, 3));
    CHECK(bh_row_doubts(bh_segment_row(segment, 3), 2) == 0);
}

static void silences_and_sources(void) {
    bh_facts_t server = {0};
    bh_address_t chosen = {7, 7};
    bh_next_attempt_t how = {.may_retry = true, .other_count = BH_OTHERS, .others = {UINT32_MAX, 1, 2, 3}};
    CHECK(bh_silence_after(segment, 1, &server, 4, NULL, 1000) == BH_SILENCE_WAIT);
    CHECK(bh_silence_after(segment, 1, &server, 4, &how, 1000) == BH_SILENCE_WAIT);
    CHECK(bh_silence_after(NULL, 1, &server, 4, &how, 1000) == BH_SILENCE_WAIT);
    CHECK(bh_silence_after(segment, 1, NULL, 4, &how, 1000) == BH_SILENCE_WAIT);
    CHECK(bh_silence_after(segment, BH_ROWS, &server, 4, &how, 1000) == BH_SILENCE_WAIT);
    CHECK(bh_address_parse("127.0.0.1", &server.address) == BH_OK);
    CHECK(!bh_source_choose(segment, 0, &server, &chosen));
    CHECK(!bh_source_choose(NULL, 0, &server, &chosen) && !bh_source_choose(segment, 0, NULL, &chosen));
    CHECK(!bh_source_choose(segment, BH_ROWS, &server, &chosen) && !bh_source_choose(segment, 0, &server, NULL));
    CHECK(chosen.high == 7 && chosen.low == 7);
}

/* A socket that listens on a port of 127.0.0.1. */
static int listening(uint16_t *port) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
    *port = ntohs(name.sin_port);
    return fd;
}

static void shortages_and_ports(void) {
    bh_facts_t server = {0};
    CHECK(!bh_shortage_is_near() && bh_shortage_is_over());
    CHECK(bh_address_parse("127.0.0.1", &server.address) == BH_OK);
    int fd = listening(&server.port);
    CHECK(bh_connection_try(&server, 1000) == 0 && bh_connection_try(NULL, 1000) == EINVAL);
    CHECK(!bh_port_is_closed(&server.address, server.port, false) && !bh_port_is_closed(NULL, server.port, false));
    close(fd);
    CHECK(bh_connection_try(&server, 1000) == ECONNREFUSED);
    uint64_t probed = 0;
    CHECK(bh_connection_refuses(&probed, &server, 1000) && bh_connection_refuses(&probed, &server, 1001));
    CHECK(!bh_connection_refuses(NULL, &server, 1000) && !bh_connection_refuses(&probed, NULL, 1000));
    bh_result_t shown = {.outcome = BH_OUTCOME_REFUSED};
    int32_t why = 0;
    CHECK(!bh_connection_explain(&shown, &server, false, &why) && why == ECONNREFUSED && !shown.reached);
    CHECK(!bh_connection_explain(NULL, &server, false, &why) && !bh_connection_explain(&shown, NULL, false, NULL));
    struct rlimit most, few;
    CHECK(getrlimit(RLIMIT_NOFILE, &most) == 0);
    few = (struct rlimit){.rlim_cur = 3, .rlim_max = most.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    const char *lacking = bh_connection_explain(&shown, &server, false, &why);
    CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0);
    CHECK(lacking && strcmp(lacking, "descriptors") == 0 && shown.outcome == BH_OUTCOME_STARVED && why == EMFILE);
    CHECK(bh_port_is_closed(&server.address, server.port, false));
}

static void asked(void) {
    static const uint8_t client[] = {10, 0, 0, 4};
    bh_asked_t none = bh_asked_of(NULL, 4, NULL), one = bh_asked_of(client, sizeof client, "/page?a=1");
    CHECK(none.client != 0 && none.url != 0 && one.url != none.url);
    CHECK(one.url == bh_asked_of(client, sizeof client, "/page?a=2").url);
}

static void retries(void) {
    bh_retry_t retry;
    ServerSlot left[] = {{.id = 3, .mode = BACKHAND_MODE_PROXY}};
    bh_decision_t decision = {.servers = left, .count = 1, .choices = 1, .decided_ms = NOW};
    bh_failure_t failure = {
        .outcome = BH_OUTCOME_REFUSED, .id = BH_ROWS, .began_us = NOW * 1000u, .now_us = NOW * 1000u};
    row(3, 1000, NOW);
    bh_retry_begin(&retry, (bh_retry_rules_t){.most_us = 1000000, .retries = 2, .chain = 2, .repeatable = true});
    CHECK(bh_retry_next(NULL, segment, &decision, 0) == BH_RETRY_GIVE_UP);
    CHECK(bh_retry_next(&retry, NULL, &decision, 0) == BH_RETRY_GIVE_UP);
    CHECK(bh_retry_next(&retry, segment, NULL, 0) == BH_RETRY_GIVE_UP);
    CHECK(!bh_retry_needs_time(&retry, false) && bh_retry_next(&retry, segment, &decision, 0) == BH_RETRY_ASK);
    CHECK(retry.attempt.place == 0 && retry.attempt.may_retry && !retry.attempt.new_connection && !retry.attempt.free);
    CHECK(bh_retry_failed(NULL, segment, &failure) == BH_RETRY_GIVE_UP);
    CHECK(bh_retry_failed(&retry, NULL, &failure) == BH_RETRY_GIVE_UP);
    CHECK(bh_retry_failed(&retry, segment, NULL) == BH_RETRY_GIVE_UP);
    CHECK(bh_retry_failed(&retry, segment, &failure) == BH_RETRY_GIVE_UP && retry.tried_count == 0);
    failure.id = 3;
    CHECK(bh_retry_failed(&retry, segment, &failure) == BH_RETRY_NEXT && bh_retry_has_tried(&retry, 3)
          && !bh_retry_has_tried(&retry, 4));
    CHECK(bh_retry_needs_time(&retry, false)
          && bh_retry_next(&retry, segment, &decision, NOW * 1000u) == BH_RETRY_DECIDE);
    bh_retry_end_rounds(&retry);
    CHECK(bh_retry_next(&retry, segment, &decision, NOW * 1000u) == BH_RETRY_GIVE_UP);
    bh_row_t *gone = bh_segment_row_mutable(segment, 3);
    bh_word_store(&gone->heard_ms, 0);
    bh_half_store(&segment->rows, 0);
}

static void steps(bh_step_t *chain) {
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_step_parse(NULL, NULL, chain, error, sizeof error) == BH_EINVAL);
    CHECK(bh_step_parse("byLoad", NULL, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_step_parse("byLod", NULL, chain, error, sizeof error) == BH_ESYNTAX);
    CHECK(strstr(error, "byLod") != NULL && strstr(error, "byLoad") != NULL);
    CHECK(bh_step_parse("byAge", "6", &chain[0], error, sizeof error) == BH_OK && chain[0].number == 6000);
    CHECK(bh_step_parse("byLoad", NULL, &chain[1], error, sizeof error) == BH_OK);
    static const char *const words[] = {"off", "byLoad", "0.5"};
    bool ends = true;
    CHECK(bh_words_check(NULL, 0, &ends, error, sizeof error) == BH_ESYNTAX && strstr(error, "needs a candidacy"));
    CHECK(bh_words_check(NULL, 1, &ends, error, sizeof error) == BH_EINVAL);
    CHECK(bh_words_check(words, 1, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_words_check(words, 2, &ends, error, sizeof error) == BH_ESYNTAX && strstr(error, "'byLoad' after 'off'"));
    CHECK(bh_words_check(words + 1, 2, &ends, error, sizeof error) == BH_OK && !ends);
    CHECK(bh_words_check(words, 1, &ends, error, sizeof error) == BH_OK && ends);
}

static int reverse(void *request, ServerSlot *servers, int *count, char *argument) {
    CHECK(request == segment && strcmp(argument, "x") == 0);
    for (int i = 0; i < *count / 2; i++) {
        ServerSlot other = servers[i];
        servers[i] = servers[*count - 1 - i];
        servers[*count - 1 - i] = other;
    }
    return *count;
}

static int invent(void *request, ServerSlot *servers, int *count, char *argument) {
    (void)request, (void)argument;
    servers[0].id = MAXSERVERS + 5;
    return *count;
}

static int overrun(void *request, ServerSlot *servers, int *count, char *argument) {
    (void)request, (void)argument;
    memset(&servers[MAXSERVERS], 0x5a, 8);
    return *count;
}

/* Rows 0 and 1 are this httpd's own; the request is for the virtual host of row 1. */
static void vhosts(const bh_step_t *chain, bh_request_t *request, void *workspace, size_t size) {
    bh_decision_t decision = {0};
    bh_network_t nowhere;
    bh_address_t address;
    CHECK(bh_address_parse("127.0.0.1", &address) == BH_OK);
    CHECK(bh_segment_own_row(segment, &address, 81, 0) == 0);
    for (uint32_t id = 0; id < 2; id++) bh_half_store(&bh_segment_row_mutable(segment, id)->own, 1);
    CHECK(bh_segment_own_row(segment, &address, 81, 0) == 1 && bh_segment_own_row(segment, &address, 81, 1) == 1);
    CHECK(bh_segment_own_row(segment, &address, 81, 7) == 1 && bh_segment_own_row(segment, &address, 82, 1) == 0);
    request->self_id = 1;
    CHECK(bh_chain_decide(segment, chain, 2, request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 2 && decision.servers[0].id == 3 && decision.servers[1].id == 1 && decision.counts[0] == 3);
    CHECK(bh_network_parse("10.0.0.0/8", &nowhere, NULL, 0) == BH_OK);
    request->accepted = &nowhere, request->accepted_count = 1;
    CHECK(bh_chain_decide(segment, chain, 2, request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 1 && decision.servers[0].id == 1);
    request->self_id = 0, request->accepted = NULL, request->accepted_count = 0;
    for (uint32_t id = 0; id < 2; id++) bh_half_store(&bh_segment_row_mutable(segment, id)->own, 0);
}

/* What the children's user may write into the segment leads neither parent nor child behind the mapping, where a page
 * that nobody may touch stands. */
static void children_of_noise(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = bh_segment_size(CHILD_SLOTS),
           room = (size + page - 1) / page * page;
    char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + room, page, PROT_NONE) == 0);
    bh_segment_t *noise = (bh_segment_t *)(void *)(memory + room - size);
    CHECK(bh_segment_format(noise, size, CHILD_SLOTS, 7) == BH_OK);
    CHECK(bh_child_slots(size) == CHILD_SLOTS && bh_child_slots(size - 1) == CHILD_SLOTS - 1);
    CHECK(bh_child_slots(sizeof(bh_segment_t)) == 0 && bh_child_slots(0) == 0 && bh_child_slots(SIZE_MAX) == INT32_MAX);
    noise->children = noise->child_slots = UINT32_MAX;
    noise->size = UINT64_MAX;
    for (uint32_t i = 0; i < CHILD_SLOTS; i++) {
        CHECK(bh_child_claim(noise, bh_child_slots(size), 500) == (int32_t)i);
        memset(bh_segment_children(noise)[i].in_flight, 0xff, sizeof noise->rows);
    }
    CHECK(bh_child_claim(noise, bh_child_slots(size), 501) == -1);
    bh_child_forget(noise, bh_child_slots(size), 500, UINT64_MAX);
    bh_child_forget(noise, bh_child_slots(size), 0, 1); /* the page behind, if it were read, would have this */
    CHECK(bh_child_claim(noise, bh_child_slots(size), 502) == 0);
    CHECK(bh_segment_check(noise, size) == BH_ELAYOUT);
    CHECK(munmap(memory, room + page) == 0);
}

static void decisions(void) {
    bh_step_t chain[3];
    bh_decision_t decision = {0};
    bh_request_t request = {.now_ms = NOW, .seed = 42, .context = segment, .repeatable = true};
    steps(chain);
    row(0, 3000, NOW);
    row(1, 1000, NOW);
    row(2, 2000, NOW - 7000);
    row(3, 500, NOW - 5000);
    size_t size = bh_chain_workspace(segment, chain, 2);
    CHECK(size > 0);
    CHECK(bh_chain_workspace(NULL, chain, 2) == 0);
    CHECK(bh_chain_workspace(segment, NULL, 2) == 0);
    CHECK(bh_chain_workspace(segment, chain, BH_STEPS_MAX + 1) == 0);
    void *workspace = malloc(size);
    CHECK(bh_chain_decide(NULL, chain, 2, &request, workspace, size, &decision) == BH_EINVAL);
    CHECK(bh_chain_decide(segment, NULL, 2, &request, workspace, size, &decision) == BH_EINVAL);
    CHECK(bh_chain_decide(segment, chain, 2, NULL, workspace, size, &decision) == BH_EINVAL);
    CHECK(bh_chain_decide(segment, chain, 2, &request, NULL, size, &decision) == BH_EINVAL);
    CHECK(bh_chain_decide(segment, chain, 2, &request, workspace, size, NULL) == BH_EINVAL);
    CHECK(bh_chain_decide(segment, chain, 2, &request, workspace, 1, &decision) == BH_ESPACE);
    CHECK(bh_chain_decide(segment, chain, 2, &request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 3 && decision.servers[0].id == 3 && decision.servers[1].id == 1
          && decision.servers[2].id == 0);
    CHECK(decision.counts[0] == 4 && decision.counts[1] == 3 && decision.counts[2] == 3);
    const uint32_t tried[] = {3, 1};
    request.tried = tried, request.tried_count = 2;
    CHECK(bh_chain_decide(segment, chain, 2, &request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 1 && decision.servers[0].id == 0 && decision.counts[0] == 2);
    request.tried = NULL, request.tried_count = 0;
    vhosts(chain, &request, workspace, size);
    free(workspace);

    uint32_t broken = 0;
    const bh_candidacy_fn functions[] = {reverse, invent, overrun};
    const bh_fault_t faults[] = {BH_FAULT_NONE, BH_FAULT_ID, BH_FAULT_CANARY};
    for (int i = 0; i < 3; i++) {
        chain[2] = (bh_step_t){BH_FUNCTION_LOADED, 0, functions[i], "loaded", "x", &broken, {0}};
        size = bh_chain_workspace(segment, chain, 3);
        CHECK(size >= MAXSERVERS * sizeof(ServerSlot));
        workspace = malloc(size);
        CHECK(bh_chain_decide(segment, chain, 3, &request, workspace, size, &decision) == BH_OK);
        CHECK(decision.fault == (int32_t)faults[i] && decision.count == 3);
        CHECK(decision.servers[0].id == (i == 0 ? 0 : 3));
        CHECK(broken == (faults[i] == BH_FAULT_CANARY));
        free(workspace);
    }
}

static uint64_t hash(const void *bytes, size_t count, const unsigned char *key) {
    return ((const uint64_t *)bytes)[1] ^ (uint64_t)count << 32 ^ key[0];
}

/* bySession's own cookie: what is written is recognised. */
static void session_cookies(void) {
    bh_step_t step;
    bh_decision_t decision = {0};
    char error[BH_ERROR_SIZE] = "", text[128];
    bh_sessions_t made = {.hash = hash, .count = 1, .keys = {{1}}};
    bh_request_t request = {.now_ms = NOW, .seed = 42, .sessions = &made};
    CHECK(bh_step_parse("bySession", "cookie=S; Domain=x", &step, error, sizeof error) == BH_ESYNTAX);
    CHECK(bh_step_parse("bySession", "cookie=S", &step, error, sizeof error) == BH_OK);
    CHECK(strcmp(bh_session_line("cookie=S"), "S") == 0 && !bh_session_line("cookie="));
    size_t length = bh_session_write(segment, 2, &made, "S", NULL, false, text, sizeof text);
    CHECK(length == strlen(text) && strcmp(text + 18, "; Path=/; HttpOnly; SameSite=Lax") == 0);
    CHECK(bh_session_write(segment, 2, &made, "S", text, false, NULL, 0) == 0);
    request.cookie = text;
    size_t size = bh_chain_workspace(segment, &step, 1);
    void *workspace = malloc(size);
    CHECK(bh_chain_decide(segment, &step, 1, &request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 1);
    free(workspace);
}

static void sessions(void) {
    bh_step_t chain[2];
    bh_decision_t decision = {0};
    char error[BH_ERROR_SIZE] = "";
    bh_request_t request = {
        .now_ms = NOW, .seed = 42, .cookie = "a=b, sid=7f000001-0052-c3", .query = "sid=7f000001-0051-"};
    CHECK(bh_step_parse("bySession", "s;d", &chain[0], error, sizeof error) == BH_ESYNTAX
          && strstr(error, "s;d") != NULL);
    CHECK(bh_step_parse("bySession", "sid=", &chain[0], error, sizeof error) == BH_OK);
    CHECK(bh_step_parse("HTTPRedirectToName", "%S", &chain[1], error, sizeof error) == BH_ESYNTAX
          && strstr(error, "%S") != NULL);
    CHECK(bh_step_parse("HTTPRedirectToName", "%-2S.%-2H", &chain[1], error, sizeof error) == BH_OK);
    size_t size = bh_chain_workspace(segment, chain, 2);
    void *workspace = malloc(size);
    CHECK(bh_chain_decide(segment, chain, 2, &request, workspace, size, &decision) == BH_OK);
    CHECK(decision.count == 1 && decision.servers[0].id == 2 && decision.servers[0].mode == BACKHAND_MODE_REDIRECT);
    CHECK(decision.servers[0].hostheader && strcmp(decision.servers[0].hostheader, "%-2S.%-2H") == 0);
    free(workspace);
}

static void redirects(void) {
    bh_facts_t server = {.port = 8080, .hostname = "www3.sanfran.hosting.com"};
    bh_visitor_t client = {.host = "www.client1.com", .port = 80};
    bh_redirect_t to;
    CHECK(bh_address_parse("10.0.0.4", &server.address) == BH_OK);
    CHECK(bh_redirect_make(NULL, NULL, &client, &to) == BH_EINVAL);
    CHECK(bh_redirect_make(NULL, &server, NULL, &to) == BH_EINVAL);
    CHECK(bh_redirect_make(NULL, &server, &client, NULL) == BH_EINVAL);
    CHECK(bh_redirect_make(NULL, &server, &client, &to) == BH_OK);
    CHECK(strcmp(to.origin, "http://10.0.0.4:8080") == 0 && !to.named && !to.asked && !to.leads_home);
    client.tls = true, client.tls_port = 443;
    CHECK(bh_redirect_make("%-2S.%-2H", &server, &client, &to) == BH_OK);
    CHECK(strcmp(to.origin, "https://www3.sanfran.client1.com") == 0 && to.named);
    client.host = "www.client1.com\r\n";
    CHECK(bh_redirect_make("%-2S.%-2H", &server, &client, &to) == BH_OK && strcmp(to.origin, "https://10.0.0.4") == 0
          && !to.named);
    client.host = NULL;
    CHECK(bh_redirect_make("%-2H", &server, &client, &to) == BH_OK && !to.named);
}

/* What strangers send, in memory that is just as long, so that AddressSanitizer sees a byte too many. */
static void claims(void) {
    static const char good[] = "fe80::1%eth0; t=0017; s=000102030405060708090a0b0c0d0e0f";
    char text[128] = "", *sent = strdup(good);
    bh_claim_t claim = bh_claim_read(sent);
    CHECK(claim.is_signed && claim.has_address && claim.signed_s == 17 && claim.signature[15] == 15);
    CHECK(claim.client.start == sent && claim.client.length == 12 && claim.plain == 7);
    CHECK(bh_claim_write(&claim, text, sizeof text) == strlen(good) && strcmp(text, good) == 0);
    CHECK(bh_claim_text(&claim, "GET", "/a?b", text, sizeof text) == strlen(text));
    CHECK(strcmp(text, "Backhand-Proxied\nGET\n/a?b\nfe80::1%eth0\n0017") == 0);
    CHECK(bh_claim_text(&claim, NULL, NULL, NULL, 0) == strlen(text) - strlen("GET/a?b"));
    CHECK(bh_claim_write(NULL, text, sizeof text) == 0 && bh_claim_text(NULL, "GET", "/", text, sizeof text) == 0);
    free(sent);
    claim = bh_claim_read(NULL);
    CHECK(!claim.is_signed && !claim.has_address && claim.client.length == 0);
    claim = bh_claim_make("fe80::1%eth0", INT64_MAX);
    CHECK(claim.client.length == 7 && bh_claim_write(&claim, text, sizeof text) == 7 + 4 + 19 + 4 + 32);
    CHECK(strncmp(text, "fe80::1; t=9223372036854775807; s=0000", 38) == 0);
    CHECK(bh_claim_write(&claim, text, 8) == 66 && bh_claim_make(NULL, -1).client.length == 0);
    CHECK(bh_hops_read(NULL, 3) == 0 && bh_hops_read("2", 3) == 2 && bh_hops_read("7", 3) == 3
          && bh_hops_read("", 3) == 3);
}

static void waiting(void) {
    int ends[2];
    bh_wait_t wait = {-1, -1};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(!bh_wait_open(NULL, ends[0]) && !bh_wait_open(&wait, -1) && bh_wait_open(&wait, ends[0]));
    CHECK(bh_answer_look(ends[0]) == BH_ANSWER_AWAITED && !bh_socket_is_ready(wait.set, false, 0));
    bh_wait_wake(wait, 1000);
    CHECK(bh_socket_is_ready(wait.set, false, 5000) && bh_socket_is_ready(ends[0], true, 0));
    CHECK(write(ends[1], "x", 1) == 1 && bh_answer_look(ends[0]) == BH_ANSWER_THERE);
    bh_socket_keep_alive(ends[0]);
    bh_wait_close(wait);
    bh_wait_close((bh_wait_t){-1, -1});
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && bh_answer_look(ends[0]) == BH_ANSWER_ENDED);
}

static void helper(void) {
    char text[64] = "";
    int state = -1;
    pid_t parent = getpid();
    bh_helper_hold_signals(true);
    pid_t pid = fork();
    if (pid == 0) {
        bh_helper_begin(NULL);
        bh_helper_begin("bh-contract");
        _exit(bh_helper_tie(parent) && !bh_helper_tie(parent + 1) && signal(SIGPIPE, SIG_DFL) == SIG_IGN ? 7 : 1);
    }
    bh_helper_hold_signals(false);
    CHECK(waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 7);
    bh_announced_name("www.example.org", text, sizeof text);
    CHECK(strcmp(text, "www.example.org") == 0);
    bh_announced_name(NULL, NULL, 0);
    bh_outcome_text(BH_OUTCOME_FAILED, 502, text, sizeof text);
    CHECK(strcmp(text, "failed the request (502)") == 0);
}

static void request_headers(void) {
    static const char *const names[] = {"a", "bc", NULL};
    char text[64] = "";
    bh_piece_t path = bh_target_path("http://host?q#f");
    CHECK(path.length == 2 && strncmp(path.start, "?q", 2) == 0 && bh_target_path(NULL).length == 0);
    CHECK(bh_max_forwards("7") == 7 && bh_max_forwards("0") == 0 && bh_max_forwards(NULL) == 0
          && bh_max_forwards("99999999999999999999") == 0);
    CHECK(bh_module_holds_nothing("mod_alias.c") && !bh_module_holds_nothing("mod_dbd.c")
          && !bh_module_holds_nothing(NULL));
    CHECK(bh_filter_runs_in_both("CACHE_SAVE") && !bh_filter_runs_in_both(NULL));
    CHECK(bh_line_is_for_proxy("Upgrade: x") && !bh_line_is_for_proxy(NULL));
    CHECK(bh_tokens_name("x, BC", names) && !bh_tokens_name("x", names) && !bh_tokens_name(NULL, names)
          && !bh_tokens_name("a", NULL));
    CHECK(bh_tokens_without("x;y,A", names, text, sizeof text) == 4 && strcmp(text, "x, y") == 0);
    CHECK(bh_tokens_without("a", names, text, sizeof text) == 0
          && bh_tokens_without(NULL, names, text, 9) + bh_tokens_without("x", NULL, text, 9) == 0);
    CHECK(bh_dav_url("https://shop/a", "shop", false, text, sizeof text) == 13 && strcmp(text, "http://shop/a") == 0);
    CHECK(bh_dav_url("http://shop/a", "shop", false, text, sizeof text) + bh_dav_url(NULL, "shop", false, text, 9)
          == 0);
    CHECK(bh_dav_tags("<http://shop/a> (<x>)", "shop", true, text, sizeof text) == 22
          && strcmp(text, "<https://shop/a> (<x>)") == 0);
    CHECK(bh_dav_tags("(<x>)", "shop", true, text, sizeof text) + bh_dav_tags("<x>", NULL, true, text, 9) == 0);
}

static void answer_headers(void) {
    bh_facts_t server = {.port = 8080, .hostname = "web4"};
    const char *url = "http://web4:8080/x", *cookie = "a=1; Domain=.web4; Path=/";
    uint32_t seconds = 0;
    CHECK(bh_location_path(url, &server, "shop", false) == url + 16 && !bh_location_path(url, &server, "shop", true));
    CHECK(!bh_location_path(NULL, &server, "shop", false) && !bh_location_path(url, NULL, NULL, false));
    CHECK(bh_cookie_domain(cookie, &server, "shop").start == cookie + 13
          && bh_cookie_domain(cookie, &server, "shop").length == 4);
    CHECK(!bh_cookie_domain(cookie, &server, NULL).start && !bh_cookie_domain(NULL, &server, "shop").start
          && !bh_cookie_domain(cookie, NULL, "a").start);
    CHECK(bh_list_has("a, B=1", "b=2", true) && !bh_list_has("a", NULL, false));
    CHECK(bh_keepalive_timeout("Keep-Alive: max=9, Timeout=5\r\n", &seconds) && seconds == 5);
    CHECK(!bh_keepalive_timeout("max=9", &seconds) && !bh_keepalive_timeout(NULL, &seconds)
          && !bh_keepalive_timeout("timeout=1", NULL));
}

static char header[128], rooms[128];

static void add_line(void *baton, const char *name, const char *value) {
    strcat(strcat(strcat(strcat(header, name), "="), value), baton ? ";" : "");
}

static char *make_room(void *baton, size_t size) {
    (void)baton;
    CHECK(size <= sizeof rooms);
    return rooms;
}

static void merged_headers(void) {
    static const bh_field_t sent[] = {{"Vary", "a", 1}, {"X", "1", 2}},
                            now[] = {{"Vary", "b, a", 1}, {"x", "2", 2}, {"Y", "3", 3}},
                            own[] = {{"Set-Cookie", "c", 4}};
    const bh_answer_header_t answer = {{sent, 2}, {now, 3}, false};
    const bh_header_t result = {header, add_line, make_room};
    bh_merge_within(&answer, &result);
    CHECK(strcmp(header, "Vary=a, b;X=1;Y=3;") == 0);
    header[0] = 0;
    bh_merge_beside(&answer, answer.now, &result);
    CHECK(strcmp(header, "Vary=b;Y=3;") == 0);
    header[0] = 0;
    bh_merge_sent((bh_fields_t){own, 1}, (bh_fields_t){own, 1}, &result);
    bh_merge_sent((bh_fields_t){NULL, 1}, (bh_fields_t){NULL, 1}, &result);
    bh_merge_within(NULL, &result);
    bh_merge_within(&answer, NULL);
    bh_merge_beside(NULL, answer.now, &result);
    bh_merge_beside(&answer, answer.now, NULL);
    bh_merge_sent(answer.sent, answer.now, NULL);
    CHECK(header[0] == 0);
}

static char json[1 << 16];
static size_t json_length;

static bool collect(void *baton, const char *text, size_t length) {
    if (baton) return false;
    if (json_length + length >= sizeof json) return false;
    memcpy(json + json_length, text, length);
    json_length += length;
    return true;
}

static void status(void) {
    bh_page_t page = {.now_ms = NOW, .wall_s = 5, .server = "me", .client = "10.0.0.9", .json = true};
    CHECK(bh_page_write(segment, NULL, collect, NULL) == BH_EINVAL);
    CHECK(bh_page_write(segment, &page, NULL, NULL) == BH_EINVAL);
    CHECK(bh_page_write(segment, &page, collect, segment) == BH_ESPACE);
    CHECK(bh_page_write(segment, &page, collect, NULL) == BH_OK);
    CHECK(json_length > 100 && json[0] == '{' && strstr(json, "\"host3\"") != NULL);
    page.json = false;
    CHECK(bh_page_write(segment, &page, collect, segment) == BH_ESPACE);
    json_length = 0;
    CHECK(bh_page_write(segment, &page, collect, NULL) == BH_OK);
    CHECK(json_length > 100 && json[0] == '<' && strstr(json, ">host3<") != NULL);
    json_length = 0;
    page.trouble = bh_page_trouble(NULL, &page);
    CHECK(page.trouble[0] && bh_page_write(NULL, &page, collect, NULL) == BH_OK && strstr(json, page.trouble) != NULL);
    CHECK(bh_page_trouble(segment, NULL)[0] && strncmp(bh_page_policy(), "default-src 'none'", 18) == 0);
    CHECK(bh_figures_write(NULL, true, NOW, collect, NULL) == BH_EINVAL);
    CHECK(bh_figures_write(segment, true, NOW, NULL, NULL) == BH_EINVAL);
    CHECK(bh_figures_write(segment, true, NOW, collect, segment) == BH_ESPACE);
    json_length = 0;
    CHECK(bh_figures_write(segment, true, NOW, collect, NULL) == BH_OK && strncmp(json, "BackhandServers", 15) == 0);
    for (uint32_t counter = 0; counter < BH_COUNTERS; counter++) CHECK(bh_counter_name(counter) != NULL);
    CHECK(bh_counter_name(BH_COUNTERS) == NULL);
    char reasons[BH_REASONS_SIZE] = "x";
    bh_reasons_write(NULL, NOW, reasons, sizeof reasons);
    CHECK(reasons[0] == '\0');
    bh_reasons_write(segment, NOW, NULL, 0);
    bh_reasons_write(segment, NOW + 1000000, reasons, sizeof reasons);
    CHECK(strstr(reasons, "127.0.0.1:") == reasons && strstr(reasons, " silent ") != NULL);
}

static void pool(void) {
    bh_queues_t queues = {0};
    bh_facts_t facts;
    CHECK(bh_row_copy(bh_segment_row(segment, 3), &facts));
    CHECK(!bh_pool_put(&queues, segment, 3, &facts, 0, NOW)
          && bh_pool_take(&queues, segment, -1, 3, &facts, NOW) == -1);
    CHECK(bh_queues_open(NULL) == 0 && bh_queues_open(&queues) == 0 && queues.open);
    CHECK(bh_pool_take(NULL, segment, -1, 3, &facts, NOW) == -1
          && bh_pool_take(&queues, NULL, -1, 3, &facts, NOW) == -1);
    CHECK(bh_pool_take(&queues, segment, -1, 3, NULL, NOW) == -1 && !bh_pool_put(&queues, segment, 3, NULL, 0, NOW));
    CHECK(bh_pool_take(&queues, segment, -1, BH_ROWS, &facts, NOW) == -1);
    CHECK(!bh_pool_put(NULL, segment, 3, &facts, 0, NOW) && !bh_pool_put(&queues, segment, BH_ROWS, &facts, 0, NOW));
    bh_queues_close(&queues);
    bh_queues_close(NULL);
    CHECK(!queues.open);
}

static void log_line(void *baton, int32_t level, int32_t number, const char *text) {
    (void)baton;
    if (level <= BH_LOG_ERROR) printf("moderator says: BH%04d: %s\n", number, text);
}

static void workers(void *baton, bh_workers_t *found) {
    (void)baton;
    memset(found, 0, sizeof *found);
    found->busy = 2, found->idle = 3, found->threads = 1;
}

/* Stands for a signature: what it covers and who made it can be told. */
static bool sign(const void *keys, const void *bytes, size_t count, uint8_t *signature) {
    memset(signature, *(const char *)keys, BH_SIGNATURE_SIZE);
    signature[0] = (uint8_t)count;
    signature[1] = *(const uint8_t *)bytes;
    return true;
}

static bool verify(const void *keys, const void *bytes, size_t count, const uint8_t *signature) {
    uint8_t right[BH_SIGNATURE_SIZE];
    return sign(keys, bytes, count, right) && memcmp(right, signature, sizeof right) == 0;
}

/* A socket that hears one announcement, and the line that makes a moderator send it there. */
static int hear(bh_destination_t *line) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000009)};
    struct timeval patience = {5, 0};
    socklen_t size = sizeof name;
    char text[32], error[BH_ERROR_SIZE];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0
          && getsockname(fd, (struct sockaddr *)&name, &size) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    snprintf(text, sizeof text, "127.0.0.9:%d", ntohs(name.sin_port));
    CHECK(bh_destination_parse("127.0.0.10:80", text, line, error, sizeof error) == BH_OK);
    return fd;
}

/* With keys, what is announced ends in the signature that the callback made. */
static void keyed_moderator(bh_moderator_config_t config) {
    bh_destination_t line;
    bh_moderator_t *made = NULL;
    uint8_t datagram[2000];
    char error[BH_ERROR_SIZE] = "";
    int fd = hear(&line);
    config.destinations = &line, config.destination_count = 1;
    config.keys = "k";
    CHECK(bh_moderator_new(&config, &made, error, sizeof error) == BH_EINVAL && made == NULL);
    config.sign = sign;
    CHECK(bh_moderator_new(&config, &made, error, sizeof error) == BH_EINVAL && made == NULL);
    config.verify = verify;
    pid_t pid = fork();
    if (pid == 0) {
        if (bh_moderator_new(&config, &made, error, sizeof error) != BH_OK) _exit(1);
        bh_moderator_run(made);
        bh_moderator_free(made);
        _exit(0);
    }
    ssize_t length = recv(fd, datagram, sizeof datagram, 0);
    static const uint8_t head[] = {0, 3, 0, BH_SIGNATURE_SIZE};
    CHECK(length > BH_SIGNATURE_SIZE + 4 && memcmp(datagram + length - BH_SIGNATURE_SIZE - 4, head, sizeof head) == 0);
    CHECK(length > BH_SIGNATURE_SIZE
          && verify("k", datagram, (size_t)length - BH_SIGNATURE_SIZE, datagram + length - BH_SIGNATURE_SIZE));
    CHECK(kill(pid, SIGTERM) == 0);
    int state = -1;
    CHECK(waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 0);
    close(fd);
}

/* In a process of its own: of what it has inherited, a moderator keeps its sockets, the log and the control socket. */
static void closed_descriptors(bh_moderator_config_t *config) {
    int log = dup(2), other = dup(2);
    config->control_fd = dup(2);
    pid_t pid = fork();
    if (pid == 0) {
        int open = 0;
        bh_descriptors_close(NULL, log);
        bh_descriptors_close(config, log);
        for (int fd = 0; fd < 64; fd++) open += fcntl(fd, F_GETFD) >= 0;
        _exit(fcntl(other, F_GETFD) < 0 && fcntl(log, F_GETFD) >= 0 && fcntl(config->control_fd, F_GETFD) >= 0 ? open
                                                                                                               : 99);
    }
    int state = -1;
    CHECK(waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 3 + 2 + 2);
    close(log);
    close(other);
    close(config->control_fd);
    config->control_fd = -1;
}

/* The place for what arrives while there is no moderator. */
static void sockets(bh_moderator_config_t config) {
    bh_sockets_t *held = NULL;
    bh_moderator_t *made = NULL;
    bh_destination_t line;
    char error[BH_ERROR_SIZE] = "";
    CHECK(bh_sockets_open(NULL, error, sizeof error) == BH_EINVAL);
    bh_sockets_close(NULL);
    CHECK(bh_destination_parse(NULL, "127.0.0.1:4447", &line, error, sizeof error) == BH_OK);
    config.destinations = &line;
    config.destination_count = 1;
    CHECK(bh_sockets_open(&held, error, sizeof error) == BH_OK && held != NULL);
    config.sockets = held;
    closed_descriptors(&config);
    CHECK(bh_moderator_new(&config, &made, error, sizeof error) == BH_OK && made != NULL);
    bh_moderator_free(made);
    /* Without a port to announce there is nothing to wait for. */
    made = NULL;
    config.port = 0;
    CHECK(bh_moderator_new(&config, &made, error, sizeof error) == BH_EINVAL && made == NULL
          && strstr(error, "127.0.0.1"));
    bh_sockets_close(held);
}

/* Runs a moderator in a process of its own until it has written row 0, as the parent of an httpd does. */
static void own_addresses(void) {
    char error[BH_ERROR_SIZE];
    bh_destination_t line;
    bh_address_t address = {0, 0};
    CHECK(bh_destination_parse(NULL, "127.0.0.9:4445", &line, error, sizeof error) == BH_OK);
    CHECK(bh_moderator_address(NULL, 1, &address) == BH_EINVAL && bh_moderator_address(&line, 1, NULL) == BH_EINVAL);
    CHECK(bh_moderator_address(&line, 0, &address) != BH_OK);
    CHECK(bh_moderator_address(&line, 1, &address) == BH_OK && address.low >> 24 == 0xffff7f);
    CHECK(bh_destination_parse("10.0.0.4:80", "127.0.0.9:4445", &line, error, sizeof error) == BH_OK);
    CHECK(bh_moderator_address(&line, 1, &address) == BH_OK && address.low == UINT64_C(0xffff0a000004));
    bh_destinations_complete(NULL, 1, 2, address, 81);
    line.own_port = 0;
    bh_destinations_complete(&line, 1, 2, (bh_address_t){0, 1}, 81);
    CHECK(line.vhost == 2 && line.own_port == 81 && line.own.low == UINT64_C(0xffff0a000004));
    CHECK(bh_address_parse("127.0.0.9", &address) == BH_OK && bh_moderator_has_address(&address));
    CHECK(bh_address_parse("192.0.2.9", &address) == BH_OK && !bh_moderator_has_address(&address)
          && !bh_moderator_has_address(NULL));
}

static void moderator(void) {
    bh_moderator_t *made = NULL;
    char error[BH_ERROR_SIZE] = "";
    bh_moderator_config_t config = {.segment = segment,
                                    .hostname = "contract",
                                    .control_fd = -1,
                                    .port = 8080,
                                    .interval_ms = 100,
                                    .log = log_line,
                                    .workers = workers,
                                    .drain_file = "/dev/null"};
    CHECK(bh_moderator_new(NULL, &made, error, sizeof error) == BH_EINVAL);
    CHECK(bh_moderator_new(&config, NULL, error, sizeof error) == BH_EINVAL);
    CHECK(bh_moderator_run(NULL) == BH_EINVAL);
    own_addresses();
    bh_moderator_free(NULL);
    CHECK(bh_moderator_new(&config, &made, error, sizeof error) == BH_OK && made != NULL);
    bh_moderator_free(made);
    sockets(config);
    uint64_t beat = bh_word_load(&segment->beat_ms);
    pid_t pid = fork();
    if (pid == 0) {
        /* In the process that runs it, as its comment says: its parent is the one that it watches. */
        if (bh_moderator_new(&config, &made, error, sizeof error) != BH_OK) _exit(1);
        bh_moderator_run(made);
        bh_moderator_free(made);
        _exit(0);
    }
    for (int tries = 0; tries < 100 && bh_word_load(&segment->beat_ms) == beat; tries++) usleep(50000);
    CHECK(bh_word_load(&segment->beat_ms) != beat);
    CHECK(bh_public_load(&segment->public_rows[0].aservers) == 3);
    CHECK(bh_public_load(&segment->public_rows[0].nservers) == 5);
    CHECK(bh_half_load(&segment->drain_file) == BH_STATE_DRAINING);
    CHECK(kill(pid, SIGTERM) == 0);
    int state = -1;
    CHECK(waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 0);
    keyed_moderator(config);
}

int main(void) {
    border_version();
    addresses();
    networks();
    destinations();
    numbers();
    checks();
    words();
    keys();
    files();
    segments();
    children();
    children_of_noise();
    evidence();
    silences_and_sources();
    shortages_and_ports();
    waiting();
    helper();
    asked();
    retries();
    decisions();
    session_cookies();
    sessions();
    redirects();
    claims();
    request_headers();
    answer_headers();
    merged_headers();
    status();
    pool();
    moderator();
    printf("contract: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
