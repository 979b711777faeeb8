/* SPDX-License-Identifier: MIT */
/*
 * clocks.c - reads its own clock around every request event that it records
 *
 * Usage: clocks IMAGE FORMAT REQUESTS
 *
 * The linker's --wrap puts clocks outside and inside of both events of every
 * request of every layer: begin [outside, inside] and end [inside, outside].
 * Since the trace's clock is CLOCK_MONOTONIC too, a request's latency as told
 * from the trace lies between the inner and the outer interval, with no
 * tolerance.  At the end: {"id", "inner_ns", "outer_ns"} a line a request.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ct/block.h"
#include "ct/emit.h"

#define READ_BYTES 8192
#define IN_FLIGHT  16
#define MARKS_MAX  100000

/* Home thread only: all requests of this program begin and end there. */
static struct {
    uint64_t id;
    int64_t begin_outside_ns, begin_inside_ns;
    int64_t end_inside_ns, end_outside_ns;
} marks[MARKS_MAX];
static size_t n_marks;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void __real_ct_emit_slow_request_begin(uint64_t request, uint64_t parent,
                                       uint64_t co, const char *layer,
                                       const char *op, const char *node,
                                       uint64_t offset, uint64_t bytes,
                                       uint32_t flags);
void __wrap_ct_emit_slow_request_begin(uint64_t request, uint64_t parent,
                                       uint64_t co, const char *layer,
                                       const char *op, const char *node,
                                       uint64_t offset, uint64_t bytes,
                                       uint32_t flags);
void __real_ct_emit_slow_request_open(uint64_t request, uint64_t parent,
                                      uint64_t co, uint32_t kind,
                                      uint64_t offset, uint64_t bytes);
void __wrap_ct_emit_slow_request_open(uint64_t request, uint64_t parent,
                                      uint64_t co, uint32_t kind,
                                      uint64_t offset, uint64_t bytes);
void __real_ct_emit_slow_request_end(uint64_t request, int32_t ret);
void __wrap_ct_emit_slow_request_end(uint64_t request, int32_t ret);

static size_t mark_new(uint64_t request)
{
    if (n_marks == MARKS_MAX) {
        fprintf(stderr, "clocks: more than %d requests\n", MARKS_MAX);
        abort();
    }
    marks[n_marks].id = request;
    return n_marks++;
}

void __wrap_ct_emit_slow_request_begin(uint64_t request, uint64_t parent,
                                       uint64_t co, const char *layer,
                                       const char *op, const char *node,
                                       uint64_t offset, uint64_t bytes,
                                       uint32_t flags)
{
    size_t i = mark_new(request);
    marks[i].begin_outside_ns = now_ns();
    __real_ct_emit_slow_request_begin(request, parent, co, layer, op, node,
                                      offset, bytes, flags);
    marks[i].begin_inside_ns = now_ns();
}

void __wrap_ct_emit_slow_request_open(uint64_t request, uint64_t parent,
                                      uint64_t co, uint32_t kind,
                                      uint64_t offset, uint64_t bytes)
{
    size_t i = mark_new(request);
    marks[i].begin_outside_ns = now_ns();
    __real_ct_emit_slow_request_open(request, parent, co, kind, offset, bytes);
    marks[i].begin_inside_ns = now_ns();
}

void __wrap_ct_emit_slow_request_end(uint64_t request, int32_t ret)
{
    int64_t inside_ns = now_ns();
    __real_ct_emit_slow_request_end(request, ret);
    int64_t outside_ns = now_ns();

    for (size_t i = n_marks; i-- > 0;) {
        if (marks[i].id == request) {
            marks[i].end_inside_ns = inside_ns;
            marks[i].end_outside_ns = outside_ns;
            return;
        }
    }
}

struct load {
    BlockBackend *blk;
    unsigned left;
    int ret;
};

struct slot {
    struct load *load;
    IOVector vector;
    char buf[READ_BYTES];
};

static void start(struct slot *slot);

static void done(void *opaque, int ret)
{
    struct slot *slot = opaque;
    if (ret < 0) {
        slot->load->ret = ret;
    }
    start(slot);
}

static void start(struct slot *slot)
{
    struct load *load = slot->load;
    if (load->left == 0) {
        return;
    }
    load->left--;
    int64_t span = blk_length(load->blk) - READ_BYTES;
    int64_t offset = (int64_t)load->left * 3 * READ_BYTES % span;
    blk_aio_preadv(load->blk, offset, &slot->vector, done, slot);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: clocks IMAGE FORMAT REQUESTS\n");
        return 2;
    }
    AioContext *ctx = aio_context_new("main", NULL);
    aio_context_set_current(ctx);

    GError *error = NULL;
    BlockOptions options = {.format = argv[2]};
    struct load load = {.left = (unsigned)strtoul(argv[3], NULL, 10)};
    load.blk = blk_new_open(argv[1], &options, ctx, &error);
    if (load.blk == NULL) {
        fprintf(stderr, "clocks: %s\n", error->message);
        return 2;
    }
    static struct slot slots[IN_FLIGHT];
    for (int i = 0; i < IN_FLIGHT; i++) {
        slots[i].load = &load;
        io_vector_init(&slots[i].vector);
        io_vector_add(&slots[i].vector, slots[i].buf, READ_BYTES);
        start(&slots[i]);
    }
    while (blk_in_flight(load.blk) > 0) {
        aio_poll(ctx, true);
    }
    blk_unref(load.blk);
    for (int i = 0; i < IN_FLIGHT; i++) {
        io_vector_fini(&slots[i].vector);
    }
    aio_context_set_current(NULL);
    aio_context_unref(ctx);

    for (size_t i = 0; i < n_marks; i++) {
        printf("{\"id\":%" PRIu64 ",\"inner_ns\":%" PRId64
               ",\"outer_ns\":%" PRId64 "}\n",
               marks[i].id, marks[i].end_inside_ns - marks[i].begin_inside_ns,
               marks[i].end_outside_ns - marks[i].begin_outside_ns);
    }
    return load.ret < 0 ? 1 : 0;
}
