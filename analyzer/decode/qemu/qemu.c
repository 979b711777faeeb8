/* SPDX-License-Identifier: MIT */
/*
 * qemu.c - QEMU's events: which room they belong to, and where they happened
 *
 * The rooms are asked in turn; an event that none of them acts on says
 * nothing, except that its coroutine did something else last.
 */
#include "decode/qemu/qemu.h"

#include "decode/qemu/qemu_int.h"
#include "decode/step_of.h"

struct ct_qemu {
    GHashTable *processes; /* pid -> struct ct_qemu_process (owner) */
    struct ct_qemu_process *last;
    bool has_workers; /* of one of them */
};

static void on_ended(struct ct_generation *life, void *data)
{
    ct_qemu_sched_ended(data, ct_qemu_co(life));
}

static void free_queue(gpointer queue)
{
    g_queue_free(queue);
}

static struct ct_qemu_process *new_process(int32_t pid)
{
    struct ct_qemu_process *process = g_new0(struct ct_qemu_process, 1);

    process->pid = pid;
    process->lives = ct_lives_new(sizeof(struct ct_qemu_co), on_ended, process);
    process->works =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    process->mutexes =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, free_queue);
    process->calm = g_hash_table_new(g_direct_hash, g_direct_equal);
    process->nodes =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    process->frames =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    process->stacks = g_hash_table_new(g_direct_hash, g_direct_equal);
    process->open = g_hash_table_new(g_direct_hash, g_direct_equal);
    process->ios = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    process->fronts =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return process;
}

static void free_process(gpointer data)
{
    struct ct_qemu_process *process = data;

    ct_qemu_workers_free(process->workers);
    ct_lives_free(process->lives);
    g_hash_table_unref(process->works);
    g_hash_table_unref(process->mutexes);
    g_hash_table_unref(process->calm);
    g_hash_table_unref(process->nodes);
    g_hash_table_unref(process->open);
    g_hash_table_unref(process->frames);
    g_hash_table_unref(process->stacks);
    g_hash_table_unref(process->ios);
    g_queue_clear(&process->pending);
    g_hash_table_unref(process->fronts);
    g_free(process);
}

struct ct_qemu *ct_qemu_new(void)
{
    struct ct_qemu *qemu = g_new0(struct ct_qemu, 1);

    qemu->processes = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
                                            free_process);
    return qemu;
}

void ct_qemu_free(struct ct_qemu *qemu)
{
    if (qemu) {
        g_hash_table_unref(qemu->processes);
        g_free(qemu);
    }
}

static struct ct_qemu_process *process_of(struct ct_qemu *qemu, int32_t pid)
{
    if (!qemu->last || qemu->last->pid != pid) {
        qemu->last = g_hash_table_lookup(qemu->processes, GINT_TO_POINTER(pid));
        if (!qemu->last) {
            qemu->last = new_process(pid);
            g_hash_table_insert(qemu->processes, GINT_TO_POINTER(pid),
                                qemu->last);
        }
    }
    return qemu->last;
}

struct ct_step *ct_qemu_step(struct ct_qemu_event *event,
                             enum ct_step_kind kind)
{
    struct ct_step *step = &event->steps[event->n++];

    *step = ct_step_of(event->record, kind,
                       event->lane ? event->lane->tid : event->record->tid);
    return step;
}

static unsigned decode(struct ct_qemu *qemu, const struct ct_record *record,
                       uint64_t stack, struct ct_step *ret_steps)
{
    struct ct_qemu_event event = {
        .process = process_of(qemu, record->pid),
        .record = record,
        .stack = stack,
        .steps = ret_steps,
    };

    event.process->is_doubted = false;
    ct_lives_sweep(event.process->lives);
    if (ct_qemu_sched(&event)) {
        return event.n;
    }
    event.lane = ct_lives_lane(event.process->lives, record->tid, NULL);
    event.co = ct_qemu_co(ct_lives_top(event.process->lives, event.lane));
    if (!event.co && record->tid <= 0) {
        event.co = ct_qemu_co(ct_lives_only(event.process->lives));
        event.lane = event.co ? event.co->life.lane : event.lane;
    }
    ct_qemu_wakers_else(&event);
    if (ct_qemu_polling(&event)) {
        return event.n;
    }
    if (event.co && event.co->last != CT_LAST_SCHEDULE) {
        event.co->last = CT_LAST_OTHER;
    }
    ct_qemu_requests(&event);
    ct_qemu_devices(&event);
    return event.n;
}

unsigned ct_qemu_decode(struct ct_qemu *qemu, const struct ct_record *record,
                        struct ct_step *ret_steps)
{
    return decode(qemu, record, 0, ret_steps);
}

void ct_qemu_doubt(struct ct_qemu *qemu)
{
    GHashTableIter all;
    void *value;

    g_hash_table_iter_init(&all, qemu->processes);
    while (g_hash_table_iter_next(&all, NULL, &value)) {
        struct ct_qemu_process *process = value;

        if (process->is_doubted) {
            continue; /* nothing was heard since */
        }
        process->is_doubted = true;
        ct_lives_doubt(process->lives);
        g_hash_table_remove_all(process->mutexes);
        g_hash_table_remove_all(process->calm);
        process->doubts++;
    }
}

/* The kinds of which a stack belongs to the step's own thread. */
static bool has_stack(enum ct_step_kind kind)
{
    return kind == CT_STEP_CO_CREATE || kind == CT_STEP_CO_ENTER ||
           kind == CT_STEP_CO_YIELD || kind == CT_STEP_CO_SCHEDULE ||
           kind == CT_STEP_CO_WAKE || kind == CT_STEP_WORK_SUBMIT ||
           kind == CT_STEP_REQUEST_BEGIN;
}

/* Real stacks instead of layers. */
unsigned ct_qemu_decode_line(struct ct_qemu *qemu,
                             const struct ct_record *record, uint64_t stack,
                             struct ct_step *ret_steps)
{
    struct ct_qemu_process *process = process_of(qemu, record->pid);
    unsigned n, kept = 0;

    if (!process->workers) {
        process->workers = ct_qemu_workers_new();
        qemu->has_workers = true;
    }
    n = decode(qemu, record, stack, ret_steps);
    for (unsigned i = 0; i < n; i++) {
        struct ct_step *step = &ret_steps[i];

        if (step->kind == CT_STEP_STACK || step->kind == CT_STEP_FRAME_NAME) {
            continue;
        }
        if (has_stack(step->kind)) {
            step->stack = stack;
        }
        ret_steps[kept++] = *step;
    }
    return kept;
}

bool ct_qemu_decode_native(struct ct_qemu *qemu, const struct ct_files *files,
                           const struct ct_record *record,
                           struct ct_step *ret_steps, unsigned *ret_n)
{
    struct ct_qemu_process *process =
        g_hash_table_lookup(qemu->processes, GINT_TO_POINTER(record->pid));
    struct ct_qemu_event event = {
        .process = process,
        .files = files,
        .record = record,
        .steps = ret_steps,
    };

    if (!process || !process->workers ||
        (!ct_qemu_calls(&event) && !ct_qemu_workers_see(&event))) {
        return false;
    }
    *ret_n = event.n;
    return true;
}

bool ct_qemu_has_workers(const struct ct_qemu *qemu)
{
    return qemu->has_workers;
}
