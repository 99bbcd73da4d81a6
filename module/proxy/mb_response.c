/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The header of a server's answer, before mod_proxy reads it: an input filter on the connections to servers.
 *
 * mod_proxy has room for 8 kB of a line. It could have more (responsefieldsize), but would take and zero that much for
 * every answer, which made a request dearer by two thirds in instructions. So the filter gives it the beginning of a
 * long line and a mark, keeps the rest, and puts it back when the header is whole.
 *
 * mod_proxy says 502 in the same words if a line is too long or is not a header, and if the connection ended, or was
 * silent, before the header did. The first is the answer, which another server would give too; the second is a failure
 * of the server. What the last reading has brought tells them apart.
 */

#include "proxy/mb_proxy.h"

#include "apr_portable.h"
#include "util_filter.h"

#include <poll.h>

/* Longer lines are shortened. mod_proxy takes HUGE_STRING_LEN less its NUL. */
#define MOST_READ (HUGE_STRING_LEN - 192)
/* What it gets of them: enough for ProxyPassReverse, which changes a URL's beginning. */
#define MOST_GIVEN 4096

static ap_filter_rec_t *reading_filter;

/* ---- Shortening ---- */

/* No server knows the address, so that none can name a rest of another header. */
static const char *mark_of(apr_pool_t *pool, int number) {
    return apr_psprintf(pool, "\001%pp %d\001", (void *)mb_now.rests, number);
}

/* What mod_proxy understands must be whole, and so must what it sends on at once: interim answers, such as 103. */
static int must_be_whole(const char *line) {
    return bh_line_is_for_proxy(line) || ap_is_HTTP_INFO(mb_now.r->status) || !memchr(line, ':', MOST_GIVEN);
}

/* The line, without its end, in few bytes. */
static const char *shorten(const char *line, apr_size_t length, apr_size_t *shorter) {
    apr_pool_t *pool = mb_now.r->pool;
    if (!mb_now.rests) mb_now.rests = apr_array_make(pool, 1, sizeof(const char *));
    while (length > MOST_GIVEN && apr_isspace(line[length - 1])) length--;
    APR_ARRAY_PUSH(mb_now.rests, const char *) = apr_pstrmemdup(pool, line + MOST_GIVEN, length - MOST_GIVEN);
    const char *result =
        apr_pstrcat(pool, apr_pstrmemdup(pool, line, MOST_GIVEN), mark_of(pool, mb_now.rests->nelts - 1), "\r\n", NULL);
    *shorter = strlen(result);
    return result;
}

/* The rest of a line that has begun in this brigade. Returns its length with its end; most: it has none so far. */
static apr_size_t gather(ap_filter_t *filter, apr_bucket_brigade *to, apr_read_type_e block, char *line,
                         apr_size_t most, apr_status_t *status) {
    apr_size_t length = 0;
    for (;;) {
        apr_size_t more = most - length;
        *status = apr_brigade_flatten(to, line + length, &more);
        apr_brigade_cleanup(to);
        length += more;
        if (*status != APR_SUCCESS || length == most || (length && line[length - 1] == '\n')) return length;
        *status = ap_get_brigade(filter->next, to, AP_MODE_GETLINE, block, 0);
        mb_now.ended = *status != APR_SUCCESS || APR_BRIGADE_EMPTY(to);
        if (mb_now.ended) return length;
    }
}

static apr_status_t take_long_line(ap_filter_t *filter, apr_bucket_brigade *to, apr_read_type_e block) {
    apr_status_t status;
    /* CR, LF, and one to see that it is longer */
    apr_size_t longest = (apr_size_t)mb_main_server()->response_field_size, most = longest + 3;
    char *line = apr_palloc(mb_now.r->pool, most);
    apr_size_t length = gather(filter, to, block, line, most, &status), end = length;
    if (status != APR_SUCCESS || mb_now.ended) return status;
    while (end && (line[end - 1] == '\n' || line[end - 1] == '\r')) end--;
    const char *given = line;
    if (end > longest) mb_now.given_up = 1;
    else if (end > MOST_GIVEN && !must_be_whole(line)) given = shorten(line, end, &length);
    APR_BRIGADE_INSERT_TAIL(to, apr_bucket_pool_create(given, length, mb_now.r->pool, filter->c->bucket_alloc));
    return APR_SUCCESS;
}

/* Of a server that does not announce when it closes idle connections; mod_proxy takes the header away. */
static void learn(apr_bucket_brigade *line) {
    char text[64];
    apr_size_t length = sizeof text - 1;
    if (apr_brigade_flatten(line, text, &length) != APR_SUCCESS) return;
    text[length] = '\0';
    uint32_t seconds;
    if (ap_cstr_casecmpn(text, "Keep-Alive:", 11) == 0 && bh_keepalive_timeout(text, &seconds)) mb_keep_heard(seconds);
}

/* Whether the connection has ended. */
static int is_over(const apr_bucket_brigade *read, apr_status_t status) {
    return APR_STATUS_IS_EOF(status)
           || (status == APR_SUCCESS && (APR_BRIGADE_EMPTY(read) || APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(read))));
}

/* Whether that was a reset. The kernel says so once, and the core does not pass it on if it has asked the socket again
 * after the bytes that it returns, as readings and looks that get less than they want do: the next one finds an end. Of
 * an end alone, the socket would not say this. */
static int is_reset(apr_socket_t *socket) {
    struct pollfd state = {.events = 0};
    return apr_os_sock_get(&state.fd, socket) == APR_SUCCESS && poll(&state, 1, 0) > 0;
}

/* The first line of an answer, the empty one that ends its header, its body, and whatever has not arrived yet or is out
 * of the ordinary. The filters below end a line only at its LF, or after more than MOST_READ bytes. */
static apr_status_t read_next(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode, apr_read_type_e block,
                              apr_off_t bytes) {
    mb_ahead *ahead = filter->ctx;
    if (ahead) mb_ahead_end(ahead, filter);
    apr_status_t status = ahead ? mb_silence_read(filter, ahead->socket, to, mode, block, bytes)
                                : ap_get_brigade(filter->next, to, mode, block, bytes);
    if (ahead && is_over(to, status) && is_reset(ahead->socket)) status = APR_ECONNRESET;
    /* a look at the next byte, or the body: the header's lines count */
    if (status == APR_SUCCESS && mode != AP_MODE_GETLINE) return status;
    apr_off_t length = 0;
    if (status == APR_SUCCESS) apr_brigade_length(to, 0, &length);
    mb_now.ended = length == 0;
    mb_now.inside = length > 2 && mb_now.r;
    if (mb_now.inside && mb_now.learns) learn(to);
    if (!mb_now.inside || length <= MOST_READ || mb_now.given_up) return status;
    return take_long_line(filter, to, block);
}

/* Threads have connections in turn, so that nothing is kept with one from one answer to the next. */
static apr_status_t read_answer(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode,
                                apr_read_type_e block, apr_off_t bytes) {
    int is_line = mode == AP_MODE_GETLINE;
    if (!filter->ctx || !mb_now.inside || mode == AP_MODE_READBYTES
        || !(is_line ? mb_ahead_line : mb_ahead_byte)(filter->ctx, filter, to))
        return read_next(filter, to, mode, block, bytes);
    if (is_line && mb_now.learns) learn(to);
    return APR_SUCCESS;
}

/* ---- The whole header ---- */

static const char *whole(const char *value) {
    apr_pool_t *pool = mb_now.r->pool;
    for (int i = 0; i < mb_now.rests->nelts; i++) {
        const char *mark = mark_of(pool, i), *at = strstr(value, mark);
        if (!at) continue;
        const char *beginning = apr_pstrmemdup(pool, value, (apr_size_t)(at - value));
        value = apr_pstrcat(pool, beginning, APR_ARRAY_IDX(mb_now.rests, i, const char *), at + strlen(mark), NULL);
    }
    return value;
}

static void restore(const apr_table_t *table) {
    const apr_array_header_t *headers = apr_table_elts(table);
    for (int i = 0; i < headers->nelts; i++) {
        apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        /* APR changes none either */
        if (strchr(header->val, '\001')) header->val = (char *)(intptr_t)whole(header->val);
    }
}

void mb_response_restore(request_rec *r) {
    if (!mb_now.rests || mb_now.r != r) return;
    restore(r->headers_out);
    restore(r->err_headers_out); /* with ProxyErrorOverride: WWW-Authenticate */
    mb_now.rests = NULL;
}

void mb_response_watch(conn_rec *c, apr_socket_t *socket) {
    ap_add_input_filter_handle(reading_filter, socket ? mb_ahead_make(c, socket) : NULL, NULL, c);
}

void mb_response_register(apr_pool_t *pool) {
    /* Nearer to mod_proxy than mod_ssl's, which is at AP_FTYPE_CONNECTION + 5. */
    reading_filter = ap_register_input_filter("BACKHAND_READING", read_answer, NULL, AP_FTYPE_CONNECTION);
}
