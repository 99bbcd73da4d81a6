/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandKey: the core reads the file with the configuration, while httpd still is root; what it holds lives on only
 * in libcrypto's contexts, in memory that goes with the configuration. The core signs and checks with the two functions
 * here. */

#include "config/mb_config.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct mb_keys {
    EVP_MAC_CTX *contexts[BH_KEYS]; /* with their keys; each use works on a copy, so threads may share them */
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

/* A bh_key_fn. */
static bool add(void *baton, const char *key, size_t length) {
    mb_keys *keys = baton;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *made = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC_free(mac); /* the context holds it */
    if (keys->count == BH_KEYS || !made || !EVP_MAC_init(made, (const unsigned char *)key, length, how)) {
        EVP_MAC_CTX_free(made);
        return false;
    }
    keys->contexts[keys->count++] = made;
    return true;
}

const char *mb_key_read(apr_pool_t *pool, const char *given, const char *path, mb_keys **result) {
    char error[BH_ERROR_SIZE];
    mb_keys *keys = apr_pcalloc(pool, sizeof *keys);
    apr_pool_cleanup_register(pool, keys, forget, apr_pool_cleanup_null);
    if (bh_key_read(given, path, add, keys, error, sizeof error) != BH_OK) return apr_pstrdup(pool, error);
    *result = keys;
    return NULL;
}
