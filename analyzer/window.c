/* SPDX-License-Identifier: MIT */
/*
 * window.c - consumers that are told of a part of the trace
 *
 * Up to the window's begin the trace is read for its state: requests, slices
 * and counters are kept here as long as they are open.  At the begin they are
 * told as if they began there; afterwards what comes goes through, with
 * whatever lies before the window cut off, so that what is shown is the whole
 * analysis, cut.
 *
 * The end needs nothing of the kind: the pass ends there, and what is open is
 * told as at any trace's end.
 */
#include "window_int.h"

#include <stdlib.h>
#include <string.h>

#include "ct/key.h"

/* A slice that began before the window. */
struct early {
    struct ct_slice slice;     /* its origin held */
    uint64_t early_children;   /* directly inside, that ended before */
    int64_t early_children_ns; /* of them, what lies before the window */
};

struct thread {
    struct ct_window_key key;
    GArray *slices; /* struct early: open, from the outside in */
};

struct name {
    struct ct_window_key key;
    struct ct_thread_name name; /* its text owned */
};

guint ct_window_hash(gconstpointer data)
{
    const struct ct_window_key *key = data;

    return ct_key_hash(key->pid, key->id) ^ (guint)key->kind;
}

gboolean ct_window_equal(gconstpointer a, gconstpointer b)
{
    const struct ct_window_key *x = a, *y = b;

    return x->id == y->id && x->pid == y->pid && x->kind == y->kind;
}

/* --- slices --------------------------------------------------------------- */

static void free_thread(void *data)
{
    struct thread *thread = data;

    for (unsigned i = 0; i < thread->slices->len; i++) {
        ct_origin_unref(
            (struct ct_origin *)g_array_index(thread->slices, struct early, i)
                .slice.origin);
    }
    g_array_unref(thread->slices);
    g_free(thread);
}

static struct thread *thread_of(struct ct_window *window,
                                const struct ct_slice *slice)
{
    struct ct_window_key key = {(uint64_t)(int64_t)slice->tid, slice->pid, 0};
    struct thread *thread = g_hash_table_lookup(window->threads, &key);

    if (!thread && !window->is_open) {
        thread = g_new0(struct thread, 1);
        thread->key = key;
        thread->slices = g_array_new(FALSE, TRUE, sizeof(struct early));
        g_hash_table_insert(window->threads, &thread->key, thread);
        g_ptr_array_add(window->thread_list, thread);
    }
    return thread;
}

/* The slice of its thread that ends now; NULL: it began in the window. */
static struct early *innermost(struct thread *thread)
{
    return thread && thread->slices->len
               ? &g_array_index(thread->slices, struct early,
                                thread->slices->len - 1)
               : NULL;
}

static void leave(struct thread *thread)
{
    struct early *early = innermost(thread);

    ct_origin_unref((struct ct_origin *)early->slice.origin);
    g_array_set_size(thread->slices, thread->slices->len - 1);
}

static void slice_began(struct ct_consumer *consumer,
                        const struct ct_slice *slice)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_slice numbered = *slice;

    if (!window->is_open) {
        struct early early = {.slice = *slice};

        ct_origin_ref((struct ct_origin *)slice->origin);
        g_array_append_val(thread_of(window, slice)->slices, early);
        return;
    }
    numbered.request = ct_window_number(window, slice->request);
    if (numbered.begin_ns < window->begin_ns) {
        numbered.begin_ns = window->begin_ns;
        numbered.begin_known = false;
    }
    CT_WINDOW_TELL(window, slice_began, &numbered);
}

static void forget_thread(struct ct_window *window, struct thread *thread)
{
    struct ct_window_key name = {thread->key.id, thread->key.pid, false};

    (void)g_ptr_array_remove(window->name_list,
                             g_hash_table_lookup(window->names, &name));
    g_hash_table_remove(window->names, &name);
    (void)g_ptr_array_remove(window->thread_list, thread);
    g_hash_table_remove(window->threads, &thread->key);
}

static void slice_ended(struct ct_consumer *consumer,
                        const struct ct_slice *slice)
{
    struct ct_window *window = ct_window_of(consumer);
    struct thread *thread = thread_of(window, slice);
    struct early *early = innermost(thread);
    struct ct_slice cut = *slice;

    if (!window->is_open) {
        if (early) {
            leave(thread);
            early = innermost(thread);
        }
        if (early) {
            early->early_children++;
            early->early_children_ns += slice->end_ns - slice->begin_ns;
        }
        if (thread && slice->kind == CT_SLICE_THREAD && !early) {
            forget_thread(window, thread);
        }
        return;
    }
    cut.request = ct_window_number(window, slice->request);
    if (cut.begin_ns < window->begin_ns) {
        cut.begin_ns = window->begin_ns;
        cut.end_ns = MAX(cut.end_ns, cut.begin_ns);
        cut.begin_known = false;
        if (early) {
            cut.n_children -= MIN(cut.n_children, early->early_children);
            cut.children_ns -= MIN(cut.children_ns, early->early_children_ns);
        }
        cut.children_ns = MIN(cut.children_ns, cut.end_ns - cut.begin_ns);
    }
    CT_WINDOW_TELL(window, slice, &cut);
    if (early) {
        leave(thread);
    }
}

/* Of each thread from the outside in; what of an inner one lies before the
 * window is no child's time of the one around it. */
static void tell_slices(struct ct_window *window)
{
    for (unsigned i = 0; i < window->thread_list->len; i++) {
        struct thread *thread = g_ptr_array_index(window->thread_list, i);

        for (unsigned k = 0; k < thread->slices->len; k++) {
            struct early *early =
                &g_array_index(thread->slices, struct early, k);
            struct ct_slice slice = early->slice;

            if (k > 0) {
                (early - 1)->early_children_ns +=
                    window->begin_ns - slice.begin_ns;
            }
            slice.request = ct_window_number(window, slice.request);
            if (slice.begin_ns < window->begin_ns) {
                slice.begin_ns = window->begin_ns;
                slice.begin_known = false;
            }
            CT_WINDOW_TELL(window, slice_began, &slice);
        }
    }
}

/* --- requests ------------------------------------------------------------- */

static void request_began(struct ct_consumer *consumer,
                          struct ct_request *request)
{
    struct ct_window *window = ct_window_of(consumer);

    if (window->is_open) {
        ct_window_tell_begin(window, request);
        return;
    }
    window->last_number = MAX(window->last_number, request->number);
    g_hash_table_add(window->requests, request);
}

static void request_ended(struct ct_consumer *consumer,
                          const struct ct_request *request)
{
    struct ct_window *window = ct_window_of(consumer);

    if (window->is_open) {
        ct_window_tell_request(window, request);
    } else {
        g_hash_table_remove(window->requests, request);
    }
}

static int by_number(const void *a, const void *b)
{
    const struct ct_request *x = *(struct ct_request *const *)a;
    const struct ct_request *y = *(struct ct_request *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

static void tell_requests(struct ct_window *window)
{
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    GHashTableIter iter;
    gpointer request;

    g_hash_table_iter_init(&iter, window->requests);
    while (g_hash_table_iter_next(&iter, &request, NULL)) {
        g_ptr_array_add(open, request);
    }
    g_hash_table_remove_all(window->requests);
    g_ptr_array_sort(open, by_number);
    for (unsigned i = 0; i < open->len; i++) {
        uint64_t *numbers = g_new(uint64_t, 2);

        numbers[0] = ((struct ct_request *)g_ptr_array_index(open, i))->number;
        numbers[1] = i + 1;
        g_hash_table_insert(window->numbers, numbers, numbers + 1);
    }
    window->n_open = open->len;
    for (unsigned i = 0; i < open->len; i++) {
        ct_window_tell_begin(window, g_ptr_array_index(open, i));
    }
}

/* --- counters, names ------------------------------------------------------ */

static void counter(struct ct_consumer *consumer,
                    const struct ct_counter *counter)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_window_key key = {counter->id, counter->pid, counter->kind};
    struct ct_counter *kept;

    if (window->is_open) {
        CT_WINDOW_TELL(window, counter, counter);
        return;
    }
    kept = g_hash_table_lookup(window->counters, &key);
    if (!kept) {
        kept = g_new(struct ct_counter, 1);
        g_hash_table_insert(window->counters, g_memdup2(&key, sizeof(key)),
                            kept);
        g_ptr_array_add(window->counter_list, kept);
    }
    *kept = *counter;
}

static void tell_counters(struct ct_window *window)
{
    for (unsigned i = 0; i < window->counter_list->len; i++) {
        struct ct_counter *kept = g_ptr_array_index(window->counter_list, i);

        kept->when_ns = window->begin_ns;
        CT_WINDOW_TELL(window, counter, kept);
    }
}

static void free_name(void *data)
{
    struct name *name = data;

    g_free((char *)name->name.name);
    g_free(name);
}

static void thread_name(struct ct_consumer *consumer,
                        const struct ct_thread_name *told)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_window_key key = {
        (uint64_t)(int64_t)(told->is_process_name ? 0 : told->tid), told->pid,
        told->is_process_name};
    struct name *name;

    if (window->is_open) {
        CT_WINDOW_TELL(window, thread_name, told);
        return;
    }
    name = g_hash_table_lookup(window->names, &key);
    if (!name) {
        name = g_new0(struct name, 1);
        name->key = key;
        g_hash_table_insert(window->names, &name->key, name);
        g_ptr_array_add(window->name_list, name);
    }
    g_free((char *)name->name.name);
    name->name = *told;
    name->name.name = g_strdup(told->name);
}

static void tell_names(struct ct_window *window)
{
    for (unsigned i = 0; i < window->name_list->len; i++) {
        const struct name *name = g_ptr_array_index(window->name_list, i);

        CT_WINDOW_TELL(window, thread_name, &name->name);
    }
}

/* --- lives --------------------------------------------------------------- */

static void life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_life cut = *life;

    if (!window->is_open) {
        ct_window_forget_stacks(window, life);
        return;
    }
    cut.request = ct_window_number(window, life->request);
    if (cut.begin_ns < window->begin_ns) {
        cut.begin_ns = window->begin_ns;
        cut.end_ns = MAX(cut.end_ns, cut.begin_ns);
        cut.begin_known = false;
    }
    CT_WINDOW_TELL(window, life, &cut);
}

/* --- instants ------------------------------------------------------------- */

static void edge(struct ct_consumer *consumer, const struct ct_edge *edge)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_edge numbered = *edge;

    if (window->is_open && edge->from_ns > window->begin_ns) {
        numbered.request = ct_window_number(window, edge->request);
        CT_WINDOW_TELL(window, edge, &numbered);
    }
}

static void lock(struct ct_consumer *consumer, const struct ct_lock_event *lock)
{
    struct ct_window *window = ct_window_of(consumer);

    if (window->is_open) {
        CT_WINDOW_TELL(window, lock, lock);
    }
}

static void gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_gap cut = *gap;

    if (window->is_open && gap->to_ns > window->begin_ns) {
        cut.from_ns = MAX(cut.from_ns, window->begin_ns);
        CT_WINDOW_TELL(window, gap, &cut);
    }
}

static void event(struct ct_consumer *consumer, const struct ct_record *record)
{
    struct ct_window *window = ct_window_of(consumer);

    if (window->is_open) {
        CT_WINDOW_TELL(window, event, record);
    }
}

static void alive(struct ct_consumer *consumer, const struct ct_alive *alive)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_alive numbered = *alive;

    numbered.request = ct_window_number(window, alive->request);
    numbered.by_request = ct_window_number(window, alive->by_request);
    CT_WINDOW_TELL(window, alive, &numbered);
}

static bool finish(struct ct_consumer *consumer,
                   const struct ct_summary *summary, GError **error)
{
    struct ct_window *window = ct_window_of(consumer);
    struct ct_summary cut = *summary;
    bool good = true;

    cut.begin_ns = window->begin_ns;
    for (unsigned i = 0; window->inner[i]; i++) {
        struct ct_consumer *inner = window->inner[i];

        if (inner->finish && !inner->finish(inner, &cut, good ? error : NULL)) {
            good = false;
        }
    }
    return good;
}

/* --- the window ----------------------------------------------------------- */

/* Asks the pass for what anybody wants, and for what that needs. */
static void ask(struct ct_window *window)
{
    struct ct_consumer *asks = &window->consumer;

    asks->request_began = request_began;
    asks->request = request_ended;
    asks->finish = finish;
    for (unsigned i = 0; window->inner[i]; i++) {
        const struct ct_consumer *inner = window->inner[i];

        if (inner->slice || inner->slice_began) {
            asks->slice_began = slice_began;
            asks->slice = slice_ended;
        }
        if (inner->own_stack) {
            asks->own_stack = ct_window_own_stack;
            asks->life = life; /* what has ended need not be kept */
        }
        asks->edge = inner->edge ? edge : asks->edge;
        asks->lock = inner->lock ? lock : asks->lock;
        asks->counter = inner->counter ? counter : asks->counter;
        asks->thread_name =
            inner->thread_name ? thread_name : asks->thread_name;
        asks->life = inner->life ? life : asks->life;
        asks->gap = inner->gap ? gap : asks->gap;
        asks->event = inner->event ? event : asks->event;
        asks->alive = inner->alive ? alive : asks->alive;
        asks->wants_origins |= inner->wants_origins;
        asks->wants_blame |= inner->wants_blame;
    }
}

struct ct_window *ct_window_new(struct ct_consumer *const consumers[])
{
    struct ct_window *window = g_new0(struct ct_window, 1);

    window->inner = consumers;
    window->told[0] = &window->consumer;
    ask(window);
    window->requests = g_hash_table_new(NULL, NULL);
    window->threads = g_hash_table_new_full(ct_window_hash, ct_window_equal,
                                            NULL, free_thread);
    window->thread_list = g_ptr_array_new();
    window->counters =
        g_hash_table_new_full(ct_window_hash, ct_window_equal, g_free, g_free);
    window->counter_list = g_ptr_array_new();
    window->names =
        g_hash_table_new_full(ct_window_hash, ct_window_equal, NULL, free_name);
    window->name_list = g_ptr_array_new();
    window->stacks = ct_window_stacks_new();
    window->numbers =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    window->segments = g_array_new(FALSE, FALSE, sizeof(struct ct_segment));
    window->ran = g_array_new(FALSE, FALSE, sizeof(struct ct_ran));
    window->path_segments =
        g_array_new(FALSE, FALSE, sizeof(struct ct_path_segment));
    return window;
}

void ct_window_free(struct ct_window *window)
{
    if (!window) {
        return;
    }
    g_array_unref(window->path_segments);
    g_array_unref(window->ran);
    g_array_unref(window->segments);
    g_hash_table_unref(window->numbers);
    g_hash_table_unref(window->stacks);
    g_ptr_array_unref(window->name_list);
    g_hash_table_unref(window->names);
    g_ptr_array_unref(window->counter_list);
    g_hash_table_unref(window->counters);
    g_ptr_array_unref(window->thread_list);
    g_hash_table_unref(window->threads);
    g_hash_table_unref(window->requests);
    g_free(window);
}

struct ct_consumer *const *ct_window_consumers(const struct ct_window *window)
{
    return window->told;
}

void ct_window_open(struct ct_window *window, int64_t begin_ns)
{
    window->begin_ns = begin_ns;
    window->is_open = true;
    tell_names(window);
    tell_requests(window);
    tell_slices(window);
    tell_counters(window);
    ct_window_tell_stacks(window);
}

bool ct_window_is_open(const struct ct_window *window)
{
    return window->is_open;
}
