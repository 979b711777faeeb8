/* SPDX-License-Identifier: MIT */
/*
 * narrow_find.c - the requests that a timeline is to show, and their threads
 *
 * A request touches the thread that began it, those that its coroutine ran on,
 * the workers of its work items, and of each context that had it queued the
 * thread that ran it last.
 */
#include <inttypes.h>

#include "ct/trace.h"
#include "render/narrow_int.h"

struct found {
    uint64_t number;
    int64_t begin_ns, end_ns;
    GArray *threads; /* uint64_t: ct_narrow_thread() */
    GArray *related; /* uint64_t: numbers */
};

uint64_t *ct_narrow_key(uint64_t number)
{
    uint64_t *key = g_new(uint64_t, 1);

    *key = number;
    return key;
}

uint64_t ct_narrow_thread(int32_t pid, uint64_t tid)
{
    return (uint64_t)(uint32_t)pid << 32 ^ tid;
}

static void free_found(void *data)
{
    struct found *found = data;

    if (found) {
        g_array_unref(found->threads);
        g_array_unref(found->related);
        g_free(found);
    }
}

static void add_once(GArray *numbers, uint64_t number)
{
    for (unsigned i = 0; i < numbers->len; i++) {
        if (g_array_index(numbers, uint64_t, i) == number) {
            return;
        }
    }
    g_array_append_val(numbers, number);
}

static void add_thread(struct found *found, int32_t pid, int32_t tid)
{
    if (tid) {
        add_once(found->threads, ct_narrow_thread(pid, (uint32_t)tid));
    }
}

static void add_cause(struct ct_narrow *narrow, struct found *found,
                      int32_t pid, const struct ct_cause *cause)
{
    uint64_t key = ct_narrow_thread(pid, cause->id);
    const void *tid = cause->kind == CT_CAUSE_LOOP
                          ? g_hash_table_lookup(narrow->contexts, &key)
                          : NULL;

    add_thread(found, pid, GPOINTER_TO_INT(tid));
    if (cause->request) {
        add_once(found->related, cause->request);
    }
}

static struct found *make(struct ct_narrow *narrow,
                          const struct ct_request *request)
{
    struct found *found = g_new0(struct found, 1);

    found->number = request->number;
    found->begin_ns = request->begin_ns;
    found->end_ns = request->end_ns;
    found->threads = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    found->related = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    add_thread(found, request->pid, request->tid);
    for (unsigned i = 0; i < request->n_workers; i++) {
        add_thread(found, request->pid, request->workers[i]);
    }
    for (unsigned i = 0; i < request->n_segments; i++) {
        add_thread(found, request->pid, request->segments[i].tid);
        add_cause(narrow, found, request->pid, &request->segments[i].cause);
    }
    if (request->parent) {
        add_once(found->related, request->parent);
    }
    return found;
}

static int64_t length_of(const struct found *found)
{
    return found->end_ns - found->begin_ns;
}

/* Where the shortest of them lies, and earlier ones stay. */
static unsigned shortest(const GPtrArray *all)
{
    unsigned least = 0;

    for (unsigned i = 1; i < all->len; i++) {
        if (length_of(all->pdata[i]) <= length_of(all->pdata[least])) {
            least = i;
        }
    }
    return least;
}

static void take_slowest(struct ct_narrow *narrow,
                         const struct ct_request *request)
{
    int64_t ns = request->end_ns - request->begin_ns;

    if (request->parent_id || !request->complete) {
        return;
    }
    if (narrow->found->len == narrow->slowest) {
        unsigned least = shortest(narrow->found);

        if (length_of(narrow->found->pdata[least]) >= ns) {
            return;
        }
        g_ptr_array_remove_index(narrow->found, least);
    }
    g_ptr_array_add(narrow->found, make(narrow, request));
}

static void on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_narrow *narrow = (struct ct_narrow *)consumer;

    if (!narrow->wanted) {
        take_slowest(narrow, request);
    } else if (g_hash_table_remove(narrow->wanted, &request->number)) {
        g_ptr_array_add(narrow->found, make(narrow, request));
    }
}

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    struct ct_narrow *narrow = (struct ct_narrow *)consumer;
    uint64_t key = ct_narrow_thread(slice->pid, slice->context);

    if (slice->kind == CT_SLICE_POLL &&
        GPOINTER_TO_INT(g_hash_table_lookup(narrow->contexts, &key)) !=
            slice->tid) {
        g_hash_table_insert(narrow->contexts, ct_narrow_key(key),
                            GINT_TO_POINTER(slice->tid));
    }
}

/* --- the end of the pass ------------------------------------------------- */

static void add_stretch(struct ct_narrow *narrow, uint64_t thread,
                        const struct found *found)
{
    struct ct_stretch stretch = {found->begin_ns, found->end_ns};
    GArray *stretches = g_hash_table_lookup(narrow->regions, &thread);

    if (!stretches) {
        stretches = g_array_new(FALSE, FALSE, sizeof(struct ct_stretch));
        g_hash_table_insert(narrow->regions, ct_narrow_key(thread), stretches);
    }
    g_array_append_val(stretches, stretch);
}

static int by_begin(const void *a, const void *b)
{
    const struct ct_stretch *x = a, *y = b;

    return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/* Sorted, and those that overlap as one. */
static void join(GArray *stretches)
{
    struct ct_stretch *all = (struct ct_stretch *)(void *)stretches->data;
    unsigned n = 0;

    g_array_sort(stretches, by_begin);
    for (unsigned i = 0; i < stretches->len; i++) {
        if (n && all[i].begin_ns <= all[n - 1].end_ns) {
            all[n - 1].end_ns = MAX(all[n - 1].end_ns, all[i].end_ns);
        } else {
            all[n++] = all[i];
        }
    }
    g_array_set_size(stretches, n);
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_narrow *narrow = (struct ct_narrow *)consumer;
    GHashTableIter iter;
    gpointer key, value;

    if (narrow->wanted && g_hash_table_size(narrow->wanted) &&
        !consumer->failed) {
        g_hash_table_iter_init(&iter, narrow->wanted);
        g_hash_table_iter_next(&iter, &key, NULL);
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                    "request %" PRIu64 " is not in this trace",
                    *(uint64_t *)key);
        return false;
    }
    for (unsigned i = 0; i < narrow->found->len; i++) {
        const struct found *found = narrow->found->pdata[i];
        struct ct_stretch stretch = {found->begin_ns, found->end_ns};

        g_hash_table_add(narrow->chosen, ct_narrow_key(found->number));
        g_array_append_val(narrow->times, stretch);
        for (unsigned k = 0; k < found->threads->len; k++) {
            add_stretch(narrow, g_array_index(found->threads, uint64_t, k),
                        found);
        }
        for (unsigned k = 0; k < found->related->len; k++) {
            g_hash_table_add(
                narrow->related,
                ct_narrow_key(g_array_index(found->related, uint64_t, k)));
        }
    }
    join(narrow->times);
    g_hash_table_iter_init(&iter, narrow->regions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        join(value);
    }
    return true;
}

static void free_stretches(void *data)
{
    g_array_unref(data);
}

void ct_narrow_find_init(struct ct_narrow *narrow, const GArray *numbers,
                         uint64_t slowest)
{
    narrow->finder = (struct ct_consumer){
        .request = on_request,
        .slice_began = on_slice_began,
        .finish = on_finish,
    };
    narrow->slowest = MIN(slowest, CT_NARROW_MAX);
    if (numbers) {
        narrow->wanted =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        for (unsigned i = 0; i < numbers->len; i++) {
            g_hash_table_add(narrow->wanted, ct_narrow_key(g_array_index(
                                                 numbers, uint64_t, i)));
        }
    }
    narrow->contexts =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    narrow->found = g_ptr_array_new_with_free_func(free_found);
    narrow->chosen =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    narrow->related =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    narrow->regions = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                            free_stretches);
    narrow->times = g_array_new(FALSE, FALSE, sizeof(struct ct_stretch));
}

void ct_narrow_find_fini(struct ct_narrow *narrow)
{
    g_clear_pointer(&narrow->wanted, g_hash_table_unref);
    g_hash_table_unref(narrow->contexts);
    g_ptr_array_unref(narrow->found);
    g_hash_table_unref(narrow->chosen);
    g_hash_table_unref(narrow->related);
    g_hash_table_unref(narrow->regions);
    g_array_unref(narrow->times);
}
