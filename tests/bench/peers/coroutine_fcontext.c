/* SPDX-License-Identifier: MIT */
/*
 * A switch by Boost.Context's assembly.  Its C interface is not in a header of
 * the library; these are its two functions as
 * <boost/context/detail/fcontext.hpp> declares them.
 */
#include <stddef.h>

typedef void *fcontext_t;

struct transfer {
    fcontext_t context;
    void *data;
};

struct transfer jump_fcontext(fcontext_t to, void *data);
fcontext_t make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

#define PEER_FIELDS fcontext_t context;
#include "peer_coroutine.h"

/* Whoever is switched to learns where the other side goes on. */
static void fresh(struct transfer transfer)
{
    ((struct peer *)transfer.data)->context = transfer.context;
    peer_body();
}

static void peer_start(struct peer *co)
{
    co->context =
        make_fcontext(co->stack + PEER_STACK_BYTES, PEER_STACK_BYTES, fresh);
}

static void peer_switch(struct peer *from, struct peer *to)
{
    struct transfer transfer = jump_fcontext(to->context, from);

    ((struct peer *)transfer.data)->context = transfer.context;
}
