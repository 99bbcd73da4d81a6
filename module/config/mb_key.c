/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandKey: the file is read with the configuration, while httpd still is root; what it holds lives on only in
 * libcrypto's contexts, in memory that goes with the configuration. The core signs and checks with the two functions
 * here and never sees a key. */

#include "config/mb_config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first signs; both are accepted, so that no moment of a change is without a common one. */
#define MOST_KEYS 2
/* 32 hexadecimal digits are 128 bits, which cannot be guessed; more than 256 characters are a file given by mistake. */
#define SHORTEST_KEY 32
#define LONGEST_KEY 256
/* Two keys and some comments. */
#define LARGEST_FILE 4096

struct mb_keys {
    EVP_MAC_CTX *contexts[MOST_KEYS]; /* with their keys; each use works on a copy, so threads may share them */
    int count;
    int optional; /* what is not signed is accepted as without a key */
};

void mb_key_make_optional(mb_keys *keys) { keys->optional = 1; }
bool mb_key_is_optional(const mb_keys *keys) { return keys && keys->optional; }

/* ---- Signing ---- */

bool mb_key_sign(const void *keys, const void *bytes, size_t count, uint8_t *signature) {
    size_t length = 0;
    EVP_MAC_CTX *work = EVP_MAC_CTX_dup(((const mb_keys *)keys)->contexts[0]);
    bool made = work && EVP_MAC_update(work, bytes, count) && EVP_MAC_final(work, signature, &length, BH_SIGNATURE_SIZE)
                && length == BH_SIGNATURE_SIZE;
    EVP_MAC_CTX_free(work);
    return made;
}

static bool has_signed(EVP_MAC_CTX *key, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    uint8_t right[BH_SIGNATURE_SIZE];
    const mb_keys one = {{key}, 1, 0};
    return mb_key_sign(&one, bytes, count, right) && CRYPTO_memcmp(right, signature, size) == 0;
}

bool mb_key_verify_part(const mb_keys *keys, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    for (int i = 0; i < keys->count; i++)
        if (has_signed(keys->contexts[i], bytes, count, signature, size)) return true;
    return false;
}

bool mb_key_verify(const void *keys, const void *bytes, size_t count, const uint8_t *signature) {
    return mb_key_verify_part(keys, bytes, count, signature, BH_SIGNATURE_SIZE);
}

/* ---- Reading the file ---- */

static apr_status_t forget(void *data) {
    mb_keys *keys = data;
    for (int i = 0; i < keys->count; i++) EVP_MAC_CTX_free(keys->contexts[i]); /* which wipes the key */
    keys->count = 0;
    return APR_SUCCESS;
}

static const char *add(apr_pool_t *pool, mb_keys *keys, const char *key, size_t length) {
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *made = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC_free(mac); /* the context holds it */
    if (!made || !EVP_MAC_init(made, (const unsigned char *)key, length, how)) {
        EVP_MAC_CTX_free(made);
        return apr_pstrdup(pool, "libcrypto has no HMAC-SHA-256");
    }
    keys->contexts[keys->count++] = made;
    return NULL;
}

static int is_key(const char *text, size_t length) {
    if (length < SHORTEST_KEY || length > LONGEST_KEY) return 0;
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~') return 0;
    return 1;
}

/* One line without its end. Blanks around a key and carriage returns do not count. */
static const char *take_line(apr_pool_t *pool, mb_keys *keys, const char *line, size_t length, int number) {
    while (length && (*line == ' ' || *line == '\t')) line++, length--;
    while (length && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r')) length--;
    if (!length || *line == '#') return NULL;
    if (!is_key(line, length))
        return apr_psprintf(pool,
                            "line %d is not a key: 32 to 256 printable characters without blanks; make one with "
                            "openssl rand -hex 32",
                            number);
    if (keys->count == MOST_KEYS)
        return apr_psprintf(pool, "line %d is a third key: one signs, one more is accepted", number);
    return add(pool, keys, line, length);
}

static const char *take_lines(apr_pool_t *pool, mb_keys *keys, const char *text, size_t length) {
    const char *wrong = NULL, *end = text + length;
    for (int number = 1; text < end && !wrong; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        wrong = take_line(pool, keys, text, (size_t)(stop - text), number);
        text = stop + 1;
    }
    return wrong || keys->count ? wrong : "it holds no key; make one with openssl rand -hex 32";
}

/* A user that can read the file has the key. A user that can write it can set another key. */
static const char *check_access(apr_pool_t *pool, const struct stat *info) {
    if (!S_ISREG(info->st_mode)) return "it is not a regular file";
    if (info->st_mode & 077)
        return apr_psprintf(pool, "others than its owner may use it (mode %04o): chmod 600 it",
                            (unsigned)info->st_mode & 07777);
    if (info->st_uid != 0 && info->st_uid != geteuid())
        return "it belongs neither to root nor to the user that starts httpd";
    return info->st_size > LARGEST_FILE ? "it is larger than 4096 bytes" : NULL;
}

static const char *read_open(apr_pool_t *pool, mb_keys *keys, int fd) {
    char text[LARGEST_FILE];
    struct stat info;
    size_t length = 0;
    ssize_t got = 1;
    const char *wrong = fstat(fd, &info) < 0 ? strerror(errno) : check_access(pool, &info);
    while (!wrong && length < sizeof text && got != 0) {
        got = read(fd, text + length, sizeof text - length);
        if (got > 0) length += (size_t)got;
        else if (got < 0 && errno != EINTR) wrong = apr_pstrdup(pool, strerror(errno));
    }
    if (!wrong) wrong = take_lines(pool, keys, text, length);
    OPENSSL_cleanse(text, sizeof text);
    return wrong;
}

/* Whether what was given for a file may be the key itself, which no message may show: as long as one, of its
 * characters, and in no folder that there is. A key may begin with the only slash that it has. */
static int is_secret(apr_pool_t *pool, const char *given, const char *path) {
    const char *slash = strrchr(path, '/');
    struct stat info;
    if (!is_key(given, strlen(given))) return 0;
    if (!strchr(given, '/') || slash == path) return 1;
    return !slash || stat(apr_pstrmemdup(pool, path, (apr_size_t)(slash - path) + 1), &info) < 0;
}

static const char *cannot_open(apr_pool_t *pool, const char *given, const char *path, int why) {
    if (why != EACCES && is_secret(pool, given, path))
        return apr_psprintf(
            pool,
            "what is given may be a key, so that it is not repeated here: as the name of a file it cannot be read: "
            "%s; put the key into a "
            "file of mode 600, and name that",
            strerror(why));
    return apr_psprintf(pool, "'%s': it cannot be read: %s", path, strerror(why));
}

const char *mb_key_read(apr_pool_t *pool, const char *given, const char *path, mb_keys **result) {
    mb_keys *keys = apr_pcalloc(pool, sizeof *keys);
    apr_pool_cleanup_register(pool, keys, forget, apr_pool_cleanup_null);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait at a pipe */
    if (fd < 0) return cannot_open(pool, given, path, errno);
    const char *wrong = read_open(pool, keys, fd);
    close(fd);
    if (wrong) return apr_psprintf(pool, "'%s': %s", path, wrong);
    *result = keys;
    return NULL;
}
