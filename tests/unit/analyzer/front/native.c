/* SPDX-License-Identifier: MIT */
/*
 * native.c - one decoder, what it is given, and what it makes of that in words
 */
#include "native.h"

static struct ct_decoder *decoder;

static void tell(GString *out, const struct ct_step *step)
{
    g_string_append(out, out->len ? "; " : "");
    switch (step->kind) {
    case CT_STEP_CO_CREATE:
        g_string_append_printf(out, "create %d of %d", (int)step->subject,
                               (int)step->fn);
        break;
    case CT_STEP_CO_ENTER:
        g_string_append_printf(out, "enter %d from %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_CO_YIELD:
        g_string_append_printf(out, "yield %d to %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_CO_TERMINATE:
        g_string_append_printf(out, "end %d%s", (int)step->subject,
                               step->certainty == CT_UNKNOWN ? " lost" : "");
        break;
    case CT_STEP_THREAD_NAME:
        g_string_append_printf(out, "name %s", step->name);
        break;
    case CT_STEP_THREAD_STACK:
        g_string_append(out, "here");
        break;
    case CT_STEP_WORK_SUBMIT:
        g_string_append_printf(out, "submit %d by %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_SPAWN_REQUEST:
        g_string_append_printf(out, "ask %d", (int)step->value);
        break;
    case CT_STEP_BH_SCHEDULE:
        g_string_append_printf(out, "bh %d", (int)step->subject);
        break;
    case CT_STEP_BH_RUN_BEGIN:
        g_string_append_printf(out, "bh %d begins", (int)step->subject);
        break;
    case CT_STEP_BH_RUN_END:
        g_string_append_printf(out, "bh %d ends", (int)step->subject);
        break;
    case CT_STEP_THREAD_CREATE:
        g_string_append_printf(out, "thread %d", (int)step->subject);
        break;
    case CT_STEP_THREAD_START:
        g_string_append_printf(out, "thread %d starts", (int)step->subject);
        break;
    case CT_STEP_THREAD_EXIT:
        g_string_append_printf(out, "thread %d exits", (int)step->subject);
        break;
    case CT_STEP_WORKER_CREATE:
        g_string_append_printf(out, "worker %d is the %d.", (int)step->subject,
                               (int)step->value);
        break;
    case CT_STEP_WORKER_START:
        g_string_append_printf(out, "worker %d starts", (int)step->subject);
        break;
    case CT_STEP_WORKER_EXIT:
        g_string_append_printf(out, "worker %d %s", (int)step->subject,
                               step->reason == CT_EXIT_REASON_FAILED ? "failed"
                                                                     : "exits");
        break;
    case CT_STEP_WORK_BEGIN:
        g_string_append_printf(out, "begin %d in %d", (int)step->subject,
                               (int)step->object);
        break;
    case CT_STEP_WORK_END:
        g_string_append_printf(out, "finish %d ret %d", (int)step->subject,
                               step->ret);
        break;
    case CT_STEP_WORK_COMPLETE:
        g_string_append_printf(out, "complete %d", (int)step->subject);
        break;
    case CT_STEP_WORK_FILE:
    case CT_STEP_CO_FILE:
        g_string_append_printf(out, "%d at %s", (int)step->subject, step->name);
        break;
    case CT_STEP_CO_WAKE:
        g_string_append_printf(out, "wake %d", (int)step->subject);
        break;
    case CT_STEP_FD_WAKE:
        g_string_append_printf(out, "write to %d", (int)step->value);
        break;
    case CT_STEP_FD_WOKEN:
        g_string_append_printf(out, "woken by %d", (int)step->value);
        break;
    default:
        g_assert_not_reached();
    }
    if (step->stack) {
        g_string_append_printf(out, " at %d", (int)step->stack);
    }
    if (step->tid != 7) {
        g_string_append_printf(out, " on %d", step->tid);
    }
}

unsigned gives(const struct ct_record *record,
               struct ct_step ret_steps[CT_DECODE_MAX])
{
    return ct_decode(decoder, record, ret_steps);
}

void decodes(const struct ct_record *record, const char *want)
{
    struct ct_step steps[CT_DECODE_MAX];
    GString *got = g_string_new(NULL);
    unsigned n = gives(record, steps);

    g_assert_cmpuint(n, <=, CT_DECODE_MAX);
    for (unsigned i = 0; i < n; i++) {
        tell(got, &steps[i]);
    }
    g_assert_cmpstr(got->str, ==, want);
    g_string_free(got, TRUE);
}

void set(struct ct_record *record, unsigned field, uint64_t value)
{
    record->values[field] = (struct ct_value){.u = value, .present = true};
}

void begin(void)
{
    decoder = ct_decoder_new();
}

void end(void)
{
    g_clear_pointer(&decoder, ct_decoder_free);
}

void set_fd(struct ct_record *record, unsigned field, int64_t fd)
{
    record->values[field] = (struct ct_value){.i = fd, .present = true};
}

void is_on(int32_t tid, uint64_t base)
{
    struct ct_record record = {.event = CT_EV_NATIVE_HERE, .tid = tid};

    set(&record, CT_FLD_NATIVE_HERE_BASE, base);
    decodes(&record, "");
}

void prints(const char *text, uint64_t stack, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_LINE, .tid = 7};

    record.values[CT_FLD_NATIVE_LINE_TEXT] =
        (struct ct_value){.s = text, .present = true};
    set(&record, CT_FLD_NATIVE_LINE_STACK, stack);
    decodes(&record, want);
}

void set_held(struct ct_record *record, unsigned field, const uint64_t held[2])
{
    record->values[field] =
        (struct ct_value){.v = held, .len = 2, .present = true};
}

/* A thread is made by somebody who holds that. */
void makes_thread(int32_t tid, uint64_t id, uint64_t holds, const char *want)
{
    const uint64_t held[] = {0xdead0, holds};
    struct ct_record native = {.event = CT_EV_NATIVE_THREAD, .tid = tid};
    struct ct_record create = {.event = CT_EV_THREAD_CREATE, .tid = tid};

    set(&native, CT_FLD_NATIVE_THREAD_THREAD, id);
    set_held(&native, CT_FLD_NATIVE_THREAD_HELD, held);
    decodes(&native, "");
    set(&create, CT_FLD_THREAD_CREATE_THREAD, id);
    decodes(&create, want);
}

void thread_does(int event, int32_t tid, uint64_t id, const char *want)
{
    struct ct_record record = {.event = event, .tid = tid};

    set(&record, 0, id);
    decodes(&record, want);
}

void reads(int32_t tid, uint64_t holds, uint64_t also, const char *want)
{
    const uint64_t held[] = {holds, also};
    struct ct_record record = {.event = CT_EV_NATIVE_IO_BEGIN, .tid = tid};

    set_held(&record, CT_FLD_NATIVE_IO_BEGIN_HELD, held);
    decodes(&record, want);
}

void has_read(int32_t tid, int64_t ret, const char *want)
{
    struct ct_record record = {.event = CT_EV_NATIVE_IO_END, .tid = tid};

    set(&record, CT_FLD_NATIVE_IO_END_RET, (uint64_t)ret);
    decodes(&record, want);
}
