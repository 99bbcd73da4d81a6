/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What farms add to the moderator and to the status page, where there are some. The moderator knows nothing of farms,
 * and backhand-announce, which has it too, is the smaller for it. */
#ifndef BACKHAND_EXTENSION_H
#define BACKHAND_EXTENSION_H

#include "serverstats.h"

/* Takes a piece of text; false stops the writer. */
typedef bool (*bh_write_fn)(void *_Nullable baton, const char *_Nonnull text, size_t length);

/* NULL: it adds nothing there. */
typedef struct bh_extension {
    /* A line of the control socket that mod_backhand does not know, without its newline: writes the answer, a JSON
     * object and a newline. ordered: whether it was an order, which is in force now; it is written in any case. false:
     * the line is unknown. */
    bool (*_Nullable command)(bh_segment_t *_Nonnull segment, const uint8_t *_Nonnull line, size_t length,
                              uint64_t now_ms, bh_write_fn _Nonnull write, void *_Nullable baton,
                              bool *_Nonnull ordered);
    /* A part of the status page; or the beginning of its JSON, the bracket, fields and a comma. false: the sink wants
     * no more. */
    bool (*_Nullable page)(const bh_segment_t *_Nonnull segment, bool json, uint64_t now_ms, bh_write_fn _Nonnull write,
                           void *_Nullable baton);
    /* Adds extensions to an announcement, which ends with the tag of a signature and room for it: these move to the
     * end. Returns its new length, at most size. */
    size_t (*_Nullable announce)(bh_segment_t *_Nonnull segment, uint64_t now_ms, void *_Nonnull datagram,
                                 size_t length, size_t size);
    /* Takes such extensions from an announcement that was accepted and signed: all of the datagram, which is well
     * formed. */
    void (*_Nullable hear)(bh_segment_t *_Nonnull segment, const void *_Nonnull datagram, size_t length,
                           uint64_t now_ms);
} bh_extension_t;

#endif
