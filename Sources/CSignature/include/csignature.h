/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* HMAC-SHA-256 with the keys of BackhandKey's file, by libcrypto. C, because libcrypto's parameters are macros. */
#ifndef CSIGNATURE_H
#define CSIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The new key and the old one. */
#define CSIGNATURE_KEYS 2
#define CSIGNATURE_SIZE 32

/* Zeroed: no keys. They live in libcrypto's contexts only; each use works on a copy, so that threads may share them. */
typedef struct csignature_keys {
    void *_Nullable contexts[CSIGNATURE_KEYS];
    int count;
} csignature_keys;

/* Adds a key, which the caller then wipes: a bh_key_fn. keys: csignature_keys. false: there is no room, or libcrypto
 * has no HMAC-SHA-256. */
bool csignature_add(void *_Nullable keys, const char *_Nonnull key, size_t length);

/* Wipes the keys. */
void csignature_forget(csignature_keys *_Nonnull keys);

/* Writes the signature of the bytes by the first key: a bh_sign_fn. keys: csignature_keys, with a key. */
bool csignature_make(const void *_Nonnull keys, const void *_Nonnull bytes, size_t count, uint8_t *_Nonnull signature);

/* Whether one of the keys has made the signature: a bh_verify_fn. Compares in constant time. */
bool csignature_check(const void *_Nonnull keys, const void *_Nonnull bytes, size_t count,
                      const uint8_t *_Nonnull signature);

/* The same for the first bytes of a signature, at most CSIGNATURE_SIZE. */
bool csignature_check_part(const void *_Nonnull keys, const void *_Nonnull bytes, size_t count,
                           const uint8_t *_Nonnull signature, size_t size);

#endif
