/* SPDX-License-Identifier: MIT */
/*
 * ct/traced.h - requests of your own in traces
 *
 * What comes in through blk_* is a request by itself.  A server or a job that
 * has requests of another kind says where they begin and end; the analyzer
 * then accounts for their time, and what their coroutines ask of the block
 * layer becomes their children.
 *
 * Model:    begun -> served by one coroutine (at once if it began in one, or
 *           when one takes it over) -> left, if it is to end elsewhere ->
 *           ended.  While a coroutine serves a
 *           request, requests that begin in it are its children; serving
 *           nests.
 * Threads:  begin, end: any, and an end in the coroutine that serves it ends
 *           the serving, too; serve: the coroutine that takes it over; leave:
 *           that one.
 * Memory:   a CtRequest lives from its begin to its end.
 * Errors:   misuse aborts (ct_pre).
 * Depends:  ct/coroutine.h.
 */
#ifndef CT_TRACED_H
#define CT_TRACED_H

#include <stdint.h>

#include "ct/coroutine.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CtRequest CtRequest;

/**
 * ct_request_begin() - a request begins
 * @layer:  the interface that it came in by ("http", "nbd"): requests are
 *          listed, counted and compared by layer and op; a literal, or what
 *          else never changes nor goes away: it is known by its address
 * @op:     what it asks for ("read", "GET"); likewise
 * @object: of what (a file's, an export's name); copied; NULL: nothing
 * @offset: where in it, bytes; 0 if that means nothing
 * @bytes:  how much; 0 if that means nothing
 *
 * In a coroutine, which serves it from now on; elsewhere nobody does until
 * ct_request_serve().
 * Return: the request, until ct_request_end().
 */
CtRequest *ct_request_begin(const char *layer, const char *op,
                            const char *object, uint64_t offset,
                            uint64_t bytes);

/**
 * ct_request_serve() - the calling coroutine serves a request
 * @request: begun outside coroutines, served by nobody yet
 *
 * Pre: [ct-request-serve/in-coroutine], [ct-request-serve/served].
 */
void coroutine_fn ct_request_serve(CtRequest *request);

/**
 * ct_request_leave() - the calling coroutine has done its part
 * @request: served by it
 *
 * For a request that ends later, wherever that is: its answer has yet to be
 * sent, say.
 * Pre: [ct-request-leave/served-here], and the caller serves nothing that began
 *      later.
 */
void coroutine_fn ct_request_leave(CtRequest *request);

/**
 * ct_request_end() - it is answered
 * @request: gone after the call
 * @ret:     0 or more: done; negative: -errno
 *
 * Pre: [ct-request-end/served-elsewhere] if a coroutine serves it, the caller
 *      is that one, and serves nothing that began later.
 */
void ct_request_end(CtRequest *request, int ret);

/** ct_request_id() - its id in traces */
uint64_t ct_request_id(const CtRequest *request);

#ifdef __cplusplus
}
#endif

#endif
