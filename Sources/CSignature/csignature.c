/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#include "csignature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

bool csignature_add(void *baton, const char *key, size_t length) {
    csignature_keys *keys = baton;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *made = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC_free(mac); /* the context holds it */
    if (keys->count == CSIGNATURE_KEYS || !made || !EVP_MAC_init(made, (const unsigned char *)key, length, how)) {
        EVP_MAC_CTX_free(made);
        return false;
    }
    keys->contexts[keys->count++] = made;
    return true;
}

void csignature_forget(csignature_keys *keys) {
    for (int i = 0; i < keys->count; i++) EVP_MAC_CTX_free(keys->contexts[i]); /* which wipes the key */
    keys->count = 0;
}

static bool sign(const EVP_MAC_CTX *key, const void *bytes, size_t count, uint8_t *signature) {
    size_t length = 0;
    EVP_MAC_CTX *work = EVP_MAC_CTX_dup(key);
    bool made = work && EVP_MAC_update(work, bytes, count) && EVP_MAC_final(work, signature, &length, CSIGNATURE_SIZE)
                && length == CSIGNATURE_SIZE;
    EVP_MAC_CTX_free(work);
    return made;
}

bool csignature_make(const void *keys, const void *bytes, size_t count, uint8_t *signature) {
    return sign(((const csignature_keys *)keys)->contexts[0], bytes, count, signature);
}

bool csignature_check_part(const void *given, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    const csignature_keys *keys = given;
    for (int i = 0; i < keys->count; i++) {
        uint8_t right[CSIGNATURE_SIZE];
        if (sign(keys->contexts[i], bytes, count, right) && CRYPTO_memcmp(right, signature, size) == 0) return true;
    }
    return false;
}

bool csignature_check(const void *keys, const void *bytes, size_t count, const uint8_t *signature) {
    return csignature_check_part(keys, bytes, count, signature, CSIGNATURE_SIZE);
}
