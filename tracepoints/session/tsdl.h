/* SPDX-License-Identifier: MIT */
/*
 * tsdl.h - words and blocks of a trace's metadata
 *
 * Model:    a position in the text goes in, a later one comes out.
 * Threads:  any; no state.
 * Memory:   returned strings are the caller's (g_free).
 * Errors:   NULL where what was looked for does not stand there.
 * Depends:  libc only.
 */
#ifndef CT_SESSION_TSDL_H
#define CT_SESSION_TSDL_H

#include <stddef.h>
#include <stdint.h>

/** ct_tsdl_unpack() - the text of a metadata stream, in packets or plain */
char *ct_tsdl_unpack(const uint8_t *bytes, size_t length);

/** ct_tsdl_skip_space() - over white space and comments */
const char *ct_tsdl_skip_space(const char *at);

/** ct_tsdl_word() - behind this word, or NULL */
const char *ct_tsdl_word(const char *at, const char *wanted);

/** ct_tsdl_block() - behind the brace that closes the block opening here */
const char *ct_tsdl_block(const char *at, const char **ret_begin);

/** ct_tsdl_attribute() - N of "NAME = N;" between these, blocks inside left
 * out; -1: there is none */
int64_t ct_tsdl_attribute(const char *begin, const char *end, const char *name);

/** ct_tsdl_identifier() - the identifier or number here; moves @at behind it */
char *ct_tsdl_identifier(const char **at);

#endif
