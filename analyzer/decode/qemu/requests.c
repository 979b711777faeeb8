/* SPDX-License-Identifier: MIT */
/*
 * requests.c - requests of QEMU's block layer
 *
 * QEMU tells where a request begins, not where it ends.  It has ended
 *
 *   blk    when its coroutine terminates or (NBD) sends the reply; at the
 *          latest where a coroutine that serves many begins its next one
 *   bdrv   at the latest where its node gets the next one in the same
 *          coroutine, or the request around it ends
 *   qcow2  writes: where they say so
 *   job    where it says so
 *
 * "At the latest" is told as a bound.  Nesting follows from the order: a
 * request of another node lies inside the one before, unless that node is known
 * to be the last one (it is a file, or has submitted work itself).
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

#include <string.h>

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

#define NODES_MAX       4096 /* names that are kept */
#define OPEN_NATIVE_AIO 0x80 /* flag of opening */
#define REQ_ZERO_WRITE  0x2  /* flag of a write without data */

struct node {
    enum { NODE_ANY, NODE_LAST, NODE_INNER } place;
    bool is_native; /* a file opened with aio=native */
    char name[];    /* "": not told */
};

/* --- nodes ---------------------------------------------------------------- */

static struct node *node_of(struct ct_qemu_process *process, uint64_t bs)
{
    struct node *node = g_hash_table_lookup(process->nodes, KEY(bs));

    if (!node && g_hash_table_size(process->nodes) < NODES_MAX) {
        node = g_malloc0(sizeof(*node) + 1);
        g_hash_table_insert(process->nodes, KEY(bs), node);
    }
    return node;
}

static void name_node(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    const char *format = S(BDRV_OPEN_COMMON_FORMAT_NAME);
    const char *file = S(BDRV_OPEN_COMMON_FILENAME);
    g_autofree char *name =
        g_strdup_printf("%s:%s", format ? format : "?", file ? file : "");
    size_t n = strlen(name);
    struct node *node;

    if (g_hash_table_size(event->process->nodes) >= NODES_MAX) {
        return;
    }
    node = g_malloc0(sizeof(*node) + n + 1);
    memcpy(node->name, name, n);
    if (format &&
        (strcmp(format, "file") == 0 || g_str_has_prefix(format, "host_"))) {
        node->place = NODE_LAST;
        node->is_native = U(BDRV_OPEN_COMMON_FLAGS) & OPEN_NATIVE_AIO;
    }
    g_hash_table_replace(event->process->nodes, KEY(U(BDRV_OPEN_COMMON_BS)),
                         node);
}

/* Before it starts the I/O a node notes the request, under a lock; then it may
 * take that a second time and wait for requests that must run alone. */
bool ct_qemu_is_native(const struct ct_qemu_process *process,
                       const struct ct_qemu_co *co)
{
    const struct ct_qemu_request *request =
        co->n_requests ? &co->requests[co->n_requests - 1] : NULL;
    const struct node *node =
        request && request->bs
            ? g_hash_table_lookup(process->nodes, KEY(request->bs))
            : NULL;

    return node && node->is_native && request->kind == CT_REQ_INNER &&
           co->n_unlocks <= 1;
}

void ct_qemu_worked(struct ct_qemu_event *event, const struct ct_qemu_co *co)
{
    const struct ct_qemu_request *request =
        co->n_requests ? &co->requests[co->n_requests - 1] : NULL;
    struct node *node =
        request && request->bs ? node_of(event->process, request->bs) : NULL;

    if (node && node->place == NODE_ANY && request->kind == CT_REQ_INNER) {
        node->place = NODE_LAST;
    }
}

/* --- begin and end -------------------------------------------------------- */

void ct_qemu_end(struct ct_qemu_event *event, struct ct_qemu_co *co,
                 unsigned keep, enum ct_certainty certainty)
{
    while (co->n_requests > keep) {
        const struct ct_qemu_request *request = &co->requests[--co->n_requests];
        struct ct_step *step = ct_qemu_step(event, CT_STEP_REQUEST_END);

        step->subject = request->id;
        step->flag = true; /* its result is not told */
        /* Only the outermost ended for sure just now. */
        bool is_bound = request->kind == CT_REQ_INNER ||
                        request->doubts != event->process->doubts;
        step->certainty =
            certainty == CT_KNOWN && is_bound ? CT_BOUND : certainty;
        co->stack = request->outer_stack;
        g_hash_table_remove(event->process->open, KEY(request->id));
    }
}

struct ct_qemu_request *ct_qemu_begin(struct ct_qemu_event *event,
                                      enum ct_qemu_kind kind, const char *layer,
                                      const char *op, uint64_t bs,
                                      uint64_t offset, uint64_t bytes,
                                      uint64_t flags)
{
    struct ct_qemu_process *process = event->process;
    struct ct_qemu_co *co = event->co;
    struct ct_qemu_request *request;
    struct ct_step *step;
    struct node *node;
    const char *name;
    uint64_t parent = 0;

    if (co->n_requests == CT_QEMU_DEPTH) {
        return NULL;
    }
    if (co->n_requests) {
        parent = co->requests[co->n_requests - 1].id;
    } else if (co->outer &&
               g_hash_table_contains(process->open, KEY(co->outer))) {
        parent = co->outer;
    }
    request = &co->requests[co->n_requests++];
    co->n_unlocks = 0;
    co->is_fresh = true;
    co->fresh_queue = 0;
    *request = (struct ct_qemu_request){.id = ct_lives_new_id(process->lives),
                                        .bs = bs,
                                        .outer_stack = co->stack,
                                        .doubts = process->doubts,
                                        .kind = kind};
    g_hash_table_add(process->open, KEY(request->id));
    node = bs ? g_hash_table_lookup(process->nodes, KEY(bs)) : NULL;
    name = node && node->name[0] ? node->name : NULL;
    co->stack = ct_qemu_layer(event, co->stack, name);
    step = ct_qemu_step(event, CT_STEP_REQUEST_BEGIN);
    step->subject = request->id;
    step->object = parent;
    step->waits_for = co->life.id;
    step->layer = layer;
    step->op = op;
    step->name = name;
    step->stack = co->stack;
    step->offset = offset;
    step->bytes = bytes;
    step->value = flags;
    step->certainty = kind == CT_REQ_INNER ? CT_BOUND : CT_KNOWN;
    co->last = CT_LAST_OTHER;
    return request;
}

/* --- blk ------------------------------------------------------------------ */

static void begin_blk(struct ct_qemu_event *event, const char *op, uint64_t bs,
                      uint64_t offset, uint64_t bytes, uint64_t flags)
{
    struct ct_qemu_co *co = event->co;
    enum ct_qemu_kind kind = co->is_front ? CT_REQ_BLK : CT_REQ_ALONE;
    unsigned keep = 0;

    /* A front end's first one goes on over those inside it. */
    while (keep < co->n_requests && (co->requests[keep].kind == CT_REQ_FRONT ||
                                     co->requests[keep].kind == CT_REQ_BLK)) {
        kind = co->requests[keep].kind == CT_REQ_BLK ? CT_REQ_ALONE : kind;
        keep++;
    }
    ct_qemu_end(event, co, keep, CT_BOUND);
    if (!co->n_requests) {
        ct_qemu_link(event, offset, bytes);
    }
    ct_qemu_begin(event, kind, "blk", op, bs, offset, bytes, flags);
    co->last = CT_LAST_REQUEST;
}

/* --- bdrv ----------------------------------------------------------------- */

static bool is_last(struct ct_qemu_process *process, uint64_t bs)
{
    const struct node *node =
        bs ? g_hash_table_lookup(process->nodes, KEY(bs)) : NULL;

    return node && node->place == NODE_LAST;
}

/* How many of a coroutine's requests are around a new one of @bs. */
static unsigned around(struct ct_qemu_event *event, uint64_t bs)
{
    struct ct_qemu_co *co = event->co;
    unsigned keep = co->n_requests;

    for (unsigned i = 0; i < co->n_requests; i++) {
        if (co->requests[i].kind == CT_REQ_INNER && co->requests[i].bs == bs) {
            return i;
        }
    }
    while (keep && co->requests[keep - 1].kind == CT_REQ_INNER &&
           is_last(event->process, co->requests[keep - 1].bs)) {
        keep--;
    }
    return keep;
}

static void begin_bdrv(struct ct_qemu_event *event, const char *op, uint64_t bs,
                       uint64_t offset, uint64_t bytes, uint64_t flags)
{
    struct ct_qemu_co *co = event->co;
    const struct ct_qemu_request *top =
        co->n_requests ? &co->requests[co->n_requests - 1] : NULL;
    struct ct_qemu_request *request;

    /* Writing zeroes is told twice, by two functions of the same node. */
    if (top && top->kind == CT_REQ_INNER && top->bs == bs && top->is_again &&
        flags & REQ_ZERO_WRITE) {
        co->requests[co->n_requests - 1].is_again = false;
        return;
    }
    ct_qemu_end(event, co, around(event, bs), CT_BOUND);
    top = co->n_requests ? &co->requests[co->n_requests - 1] : NULL;
    if (top && top->kind == CT_REQ_INNER && top->bs) {
        struct node *node = node_of(event->process, top->bs);
        if (node) {
            node->place = NODE_INNER;
        }
    }
    request = ct_qemu_begin(event, CT_REQ_INNER, "bdrv", op, bs, offset, bytes,
                            flags);
    if (request && event->record->event == CT_EV_QEMU_BDRV_CO_PWRITE_ZEROES) {
        request->is_again = true;
    }
}

/* --- qcow2 ---------------------------------------------------------------- */

static void end_qcow2(struct ct_qemu_event *event, uint64_t address,
                      int32_t ret)
{
    struct ct_qemu_co *co =
        ct_qemu_co(ct_lives_find(event->process->lives, address));
    unsigned at = co ? co->n_requests : 0;
    unsigned n;
    bool is_sure;

    while (at && (co->requests[at - 1].kind != CT_REQ_INNER ||
                  co->requests[at - 1].bs)) {
        at--;
    }
    if (!at) {
        return;
    }
    ct_qemu_end(event, co, at, CT_BOUND);
    n = event->n;
    is_sure = co->requests[at - 1].doubts == event->process->doubts;
    ct_qemu_end(event, co, at - 1, CT_KNOWN);
    event->steps[n].certainty = is_sure ? CT_KNOWN : CT_BOUND;
    event->steps[n].flag = false;
    event->steps[n].ret = ret;
}

static const char *write_op(uint64_t flags)
{
    return flags & REQ_ZERO_WRITE ? "write-zeroes" : "write";
}

static void begin_of_coroutine(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;

    switch (record->event) {
    case CT_EV_QEMU_BLK_CO_PREADV:
        begin_blk(event, "read", U(BLK_CO_PREADV_BS), U(BLK_CO_PREADV_OFFSET),
                  U(BLK_CO_PREADV_BYTES), U(BLK_CO_PREADV_FLAGS));
        break;
    case CT_EV_QEMU_BLK_CO_PWRITEV:
        begin_blk(event, write_op(U(BLK_CO_PWRITEV_FLAGS)),
                  U(BLK_CO_PWRITEV_BS), U(BLK_CO_PWRITEV_OFFSET),
                  U(BLK_CO_PWRITEV_BYTES), U(BLK_CO_PWRITEV_FLAGS));
        break;
    case CT_EV_QEMU_BDRV_CO_PREADV_PART:
        begin_bdrv(event, "read", U(BDRV_CO_PREADV_PART_BS),
                   U(BDRV_CO_PREADV_PART_OFFSET), U(BDRV_CO_PREADV_PART_BYTES),
                   U(BDRV_CO_PREADV_PART_FLAGS));
        break;
    case CT_EV_QEMU_BDRV_CO_PWRITEV_PART:
        begin_bdrv(event, write_op(U(BDRV_CO_PWRITEV_PART_FLAGS)),
                   U(BDRV_CO_PWRITEV_PART_BS), U(BDRV_CO_PWRITEV_PART_OFFSET),
                   U(BDRV_CO_PWRITEV_PART_BYTES),
                   U(BDRV_CO_PWRITEV_PART_FLAGS));
        break;
    case CT_EV_QEMU_BDRV_CO_PWRITE_ZEROES:
        begin_bdrv(event, "write-zeroes", U(BDRV_CO_PWRITE_ZEROES_BS),
                   U(BDRV_CO_PWRITE_ZEROES_OFFSET),
                   U(BDRV_CO_PWRITE_ZEROES_BYTES),
                   U(BDRV_CO_PWRITE_ZEROES_FLAGS));
        break;
    case CT_EV_QEMU_LURING_CO_SUBMIT:
        ct_qemu_worked(event, event->co);
        ct_lives_learn_stack(event->process->lives,
                             U(LURING_CO_SUBMIT_LURINGCB), &event->co->life);
        event->co->last = CT_LAST_IO;
        break;
    case CT_EV_QEMU_QCOW2_WRITEV_START_REQ:
        if (event->co->life.address == U(QCOW2_WRITEV_START_REQ_CO)) {
            ct_qemu_begin(event, CT_REQ_INNER, "qcow2", "write", 0,
                          U(QCOW2_WRITEV_START_REQ_OFFSET),
                          U(QCOW2_WRITEV_START_REQ_BYTES), 0);
        }
        break;
    default:
        break;
    }
}

void ct_qemu_requests(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;

    switch (record->event) {
    case CT_EV_QEMU_BDRV_OPEN_COMMON:
        name_node(event);
        break;
    case CT_EV_QEMU_QCOW2_WRITEV_DONE_REQ:
        end_qcow2(event, U(QCOW2_WRITEV_DONE_REQ_CO),
                  (int32_t)I(QCOW2_WRITEV_DONE_REQ_RET));
        break;
    default:
        if (event->co) {
            begin_of_coroutine(event);
        }
    }
}
