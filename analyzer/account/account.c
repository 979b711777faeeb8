/* SPDX-License-Identifier: MIT */
/*
 * From changes to requests: one record a request, from its begin to its end.
 *
 * The model keeps a pointer to the record with its own request (the change's
 * slot), so that the many changes of a request cost no look-up.  Records that
 * ended are used again, with their arrays.  Every request is checked when it
 * ends: its segments must be contiguous and add up to its latency.
 */
#include "account/account.h"

#include <stdlib.h>

#include <glib.h>

#include "account/blame.h"
#include "account/segments.h"
#include "ct/pre.h"
#include "ct/span.h"

enum { KEPT_CAPACITY = 1024 }; /* of the arrays of a record that waits */

struct record {
    struct ct_request request;
    struct ct_segments segments;
    struct ct_blamed blamed;
    uint64_t *coroutines;
    unsigned coroutines_capacity;
    int32_t *workers;
    unsigned workers_capacity;
    void **slot;
    struct record *next, *prev; /* open ones in a ring; free ones by next */
};

struct ct_account {
    struct record open; /* ring of the open ones */
    struct record *free;
    struct ct_blame *blame; /* NULL: not wanted */
    struct record *ended;   /* handed over by the last call */
    bool aborts;
    int64_t error_ns; /* of what is taken */
    uint64_t bad_sums;
};

/* The path is the same time, cut otherwise. */
static bool is_path_whole(const struct ct_request *request)
{
    int64_t at_ns = request->begin_ns;

    for (unsigned i = 0; i < request->n_path; i++) {
        const struct ct_segment *segment = &request->path[i].segment;
        if (segment->begin_ns != at_ns || segment->end_ns <= at_ns) {
            return false;
        }
        at_ns = segment->end_ns;
    }
    return !request->path || at_ns == request->end_ns;
}

bool ct_request_check(const struct ct_request *request)
{
    int64_t at_ns = request->begin_ns;
    uint64_t sum_ns = 0;

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        if (segment->begin_ns != at_ns || segment->end_ns <= at_ns ||
            (segment->state == CT_STATE_UNKNOWN) !=
                (segment->certainty == CT_UNKNOWN)) {
            return false;
        }
        sum_ns += (uint64_t)segment->end_ns - (uint64_t)segment->begin_ns;
        at_ns = segment->end_ns;
    }
    return at_ns == request->end_ns &&
           sum_ns == (uint64_t)request->end_ns - (uint64_t)request->begin_ns &&
           is_path_whole(request);
}

void ct_account_error(struct ct_account *account, int64_t error_ns)
{
    account->error_ns = error_ns;
}

struct ct_account *ct_account_new(bool blames)
{
    struct ct_account *account = g_new0(struct ct_account, 1);

    account->open.next = account->open.prev = &account->open;
    account->blame = blames ? ct_blame_new() : NULL;
    account->aborts = getenv("COTRACE_CHECK") != NULL;
    return account;
}

static void free_record(struct record *record)
{
    ct_segments_fini(&record->segments);
    ct_blamed_fini(&record->blamed);
    g_free(record->coroutines);
    g_free(record->workers);
    g_free(record);
}

static void recycle(struct ct_account *account, struct record *record)
{
    if (record->segments.capacity > KEPT_CAPACITY ||
        record->blamed.ran.capacity > KEPT_CAPACITY ||
        record->blamed.behind.capacity > KEPT_CAPACITY ||
        record->blamed.critical.whole_capacity > KEPT_CAPACITY ||
        record->coroutines_capacity > KEPT_CAPACITY ||
        record->workers_capacity > KEPT_CAPACITY) {
        free_record(record);
        return;
    }
    record->next = account->free;
    account->free = record;
}

void ct_account_free(struct ct_account *account)
{
    if (!account) {
        return;
    }
    if (account->ended) {
        ct_origin_unref(account->ended->request.origin);
        free_record(account->ended);
    }
    while (account->open.next != &account->open) {
        struct record *record = account->open.next;
        account->open.next = record->next;
        ct_origin_unref(record->request.origin);
        free_record(record);
    }
    while (account->free) {
        struct record *record = account->free;
        account->free = record->next;
        free_record(record);
    }
    ct_blame_free(account->blame);
    g_free(account);
}

void ct_account_meanwhile(struct ct_account *account,
                          const struct ct_change *change)
{
    ct_blame_change(account->blame, change);
}

enum ct_state ct_account_state(const struct ct_situation *situation)
{
    struct ct_segment segment;

    ct_segments_rule(situation, &segment);
    return segment.state;
}

uint64_t ct_account_bad_sums(const struct ct_account *account)
{
    return account->bad_sums;
}

static struct record *begin(struct ct_account *account,
                            const struct ct_request_change *change)
{
    struct record *record = account->free;

    if (record) {
        account->free = record->next;
    } else {
        record = g_new0(struct record, 1);
    }
    record->request = (struct ct_request){
        .number = change->number,
        .parent = change->begin.parent,
        .parent_id = change->begin.parent_id,
        .id = change->begin.id,
        .pid = change->begin.pid,
        .tid = change->begin.tid,
        .layer = change->begin.layer,
        .op = change->begin.op,
        .node = change->begin.node,
        .offset = change->begin.offset,
        .bytes = change->begin.bytes,
        .range_unknown = change->begin.range_unknown,
        .flags = change->begin.flags,
        .begin_known = change->begin.begin_known,
        .begin_told = change->begin.begin_told,
        .begin_ns = change->when_ns,
        .end_ns = change->when_ns,
        .begin_error_ns = account->error_ns,
        .stack = change->begin.stack,
        .origin = ct_origin_ref(change->begin.origin),
        .coroutines = record->coroutines,
        .workers = record->workers,
    };
    record->segments.error_ns = account->error_ns;
    ct_segments_begin(&record->segments, change->when_ns);
    record->next = &account->open;
    record->prev = account->open.prev;
    record->prev->next = record;
    account->open.prev = record;
    record->slot = change->slot;
    *change->slot = record;
    if (account->blame) {
        record->blamed.pid = change->begin.pid;
        record->blamed.number = change->number;
        record->blamed.parent = change->begin.parent;
        record->blamed.segments = &record->segments;
        ct_blame_begin(account->blame, &record->blamed);
    }
    return record;
}

static void add_coroutine(struct ct_account *account, struct record *record,
                          uint64_t coroutine)
{
    struct ct_request *request = &record->request;

    if (account->blame) {
        ct_blame_serves(account->blame, &record->blamed, coroutine);
    }

    if (request->n_coroutines &&
        record->coroutines[request->n_coroutines - 1] == coroutine) {
        return;
    }
    if (request->n_coroutines == record->coroutines_capacity) {
        record->coroutines_capacity = MAX(4, record->coroutines_capacity * 2);
        record->coroutines =
            g_renew(uint64_t, record->coroutines, record->coroutines_capacity);
        request->coroutines = record->coroutines;
    }
    record->coroutines[request->n_coroutines++] = coroutine;
}

static void add_worker(struct record *record, int32_t tid)
{
    struct ct_request *request = &record->request;

    for (unsigned i = 0; i < request->n_workers; i++) {
        if (record->workers[i] == tid) {
            return;
        }
    }
    if (request->n_workers == record->workers_capacity) {
        record->workers_capacity = MAX(4, record->workers_capacity * 2);
        record->workers =
            g_renew(int32_t, record->workers, record->workers_capacity);
        request->workers = record->workers;
    }
    record->workers[request->n_workers++] = tid;
}

/* Between which bounds its latency lies. */
static void set_latency(struct ct_request *request,
                        const struct ct_request_change *change)
{
    bool is_exact = change->end.end_known && !change->end.is_bound;
    int64_t sure_ns = change->end.is_bound ? request->begin_ns
                      : is_exact           ? request->end_ns
                                           : change->end.sure_ns;

    sure_ns = MIN(sure_ns, request->end_ns);
    request->latency_min_ns =
        MAX(ct_add_ns(sure_ns - request->begin_ns, -request->end_error_ns), 0);
    request->has_latency_max =
        (request->begin_known || request->begin_told) && !change->end.is_open;
    request->latency_max_ns =
        request->has_latency_max
            ? ct_add_ns(request->end_ns - request->begin_ns,
                        request->begin_error_ns)
            : 0;
}

static void end(struct ct_account *account, struct record *record,
                const struct ct_request_change *change)
{
    struct ct_request *request = &record->request;

    ct_segments_end(&record->segments, change->when_ns);
    request->end_ns = change->when_ns;
    request->end_error_ns = account->error_ns;
    request->has_ret = change->end.has_ret;
    request->ret = change->end.ret;
    request->end_known = change->end.end_known;
    request->end_bound = change->end.is_bound;
    request->end_tid = change->end.tid;
    request->complete = request->begin_known && request->end_known;
    set_latency(request, change);
    request->segments = record->segments.v;
    request->n_segments = record->segments.n;
    if (account->blame) {
        ct_blame_look(account->blame, &record->blamed, change->when_ns, true);
        request->n_path = ct_blame_end(account->blame, &record->blamed,
                                       change->when_ns, request->coroutines,
                                       request->n_coroutines, &request->path);
        request->ran = record->blamed.ran.v;
    }
    if (!ct_request_check(request)) {
        ct_pre("account-end/sum-is-the-latency", !account->aborts);
        account->bad_sums++;
    }
    record->prev->next = record->next;
    record->next->prev = record->prev;
    *record->slot = NULL;
    account->ended = record;
}

struct ct_account_result ct_account_take(struct ct_account *account,
                                         const struct ct_change *change)
{
    const struct ct_request_change *what = &change->request;
    struct ct_account_result result = {0};

    if (account->ended) {
        ct_origin_unref(account->ended->request.origin);
        recycle(account, account->ended);
        account->ended = NULL;
    }
    if (change->kind < CT_CHANGE_REQUEST_BEGIN) {
        return result;
    }
    if (change->kind == CT_CHANGE_REQUEST_BEGIN) {
        result.began = &begin(account, what)->request;
        return result;
    }
    struct record *record = *what->slot;
    ct_pre("account-take/open",
           record && record->request.number == what->number);
    record->segments.error_ns = account->error_ns;
    switch (change->kind) {
    case CT_CHANGE_REQUEST_COROUTINE:
        add_coroutine(account, record, what->coroutine);
        break;
    case CT_CHANGE_REQUEST_WORKER:
        add_worker(record, what->worker_tid);
        break;
    case CT_CHANGE_REQUEST_SITUATION:
        ct_segments_change(&record->segments, what->when_ns, &what->situation);
        break;
    case CT_CHANGE_REQUEST_WAKER:
        ct_segments_waker(&record->segments, what->waker.coroutine,
                          what->waker.request);
        break;
    case CT_CHANGE_REQUEST_UNSURE:
        ct_segments_unsure(&record->segments, what->doubt.from_ns,
                           what->when_ns);
        break;
    default:
        end(account, record, what);
        result.ended = &record->request;
        return result;
    }
    if (account->blame) {
        ct_blame_look(account->blame, &record->blamed, what->when_ns, false);
    }
    return result;
}
