/* SPDX-License-Identifier: MIT */
/*
 * clock.c - when a trace's clock was zero
 *
 * LTTng writes it in one number: offset = NANOSECONDS SINCE 1970.  Where the
 * wall clock is behind the monotonic one (a machine without a battery, a clock
 * that was set, a restored container) that number is negative, and
 * libbabeltrace2 (2.0.4) takes only offset_s with a sign: it refuses the trace.
 * ct_ctf_layout_respelled() says the same in both numbers, -3600000000001 as
 * offset_s = -3601 and offset = 999999999.  No longer needed where
 * libbabeltrace2 reads a negative offset.
 */
#include "clock.h"

#define NS_PER_S INT64_C(1000000000)

/* Return: is it a number that we can have? */
static bool read_signed(struct ct_tsdl *tsdl, int64_t *ret_value)
{
    bool is_negative = ct_tsdl_take(tsdl, "-");
    uint64_t value = ct_tsdl_number(tsdl);

    return is_negative ? !__builtin_sub_overflow(0, value, ret_value)
                       : !__builtin_add_overflow(0, value, ret_value);
}

/*
 * Only of nanoseconds, and of the only clock.  A clock without a frequency has
 * that of nanoseconds; but libbabeltrace2 (2.0.4) divides by it all the same,
 * and takes the process with it.
 */
void ct_ctf_clock_read(struct ct_tsdl *tsdl, const char *text,
                       struct ct_ctf_layout *layout)
{
    struct ct_ctf_clock clock = {.is_known = layout->n_clocks++ == 0};
    uint64_t hz = 0;
    int64_t s = 0;
    int64_t ns = 0;
    bool has_s = false;
    const char *name;

    ct_tsdl_expect(tsdl, "{");
    while ((name = ct_tsdl_setting(tsdl))) {
        if (strcmp(name, "freq") == 0) {
            hz = ct_tsdl_number(tsdl);
        } else if (strcmp(name, "offset_s") == 0) {
            clock.is_known &= read_signed(tsdl, &s);
            has_s = true;
        } else if (strcmp(name, "offset") == 0) {
            clock.text_at = (size_t)(tsdl->at - text) - strlen(tsdl->word);
            clock.is_known &= read_signed(tsdl, &ns);
            clock.text_end = (size_t)(tsdl->at - text) - strlen(tsdl->word);
        } else {
            ct_tsdl_skip_value(tsdl);
        }
        ct_tsdl_expect(tsdl, ";");
    }
    if (hz == 0) {
        ct_tsdl_fail(tsdl, "a clock without a frequency");
    }
    clock.is_known = clock.is_known && hz == NS_PER_S &&
                     !__builtin_mul_overflow(s, NS_PER_S, &clock.zero_ns) &&
                     !__builtin_add_overflow(clock.zero_ns, ns, &clock.zero_ns);
    clock.is_respelled = clock.is_known && ns < 0 && !has_s;
    layout->clock = clock;
}

char *ct_ctf_layout_respelled(const struct ct_ctf_layout *layout,
                              const char *text)
{
    const struct ct_ctf_clock *clock = &layout->clock;
    int64_t s = clock->zero_ns / NS_PER_S;
    int64_t ns = clock->zero_ns % NS_PER_S;

    if (!clock->is_respelled) {
        return NULL;
    }
    if (ns < 0) {
        s--;
        ns += NS_PER_S;
    }
    return g_strdup_printf(
        "%.*s%" G_GINT64_FORMAT ";\n\toffset_s = %" G_GINT64_FORMAT "%s",
        (int)clock->text_at, text, ns, s, text + clock->text_end);
}

bool ct_ctf_layout_since_1970(const struct ct_ctf_layout *layout,
                              uint64_t clock, int64_t *ret_ns)
{
    return layout->clock.is_known &&
           !__builtin_add_overflow(layout->clock.zero_ns, clock, ret_ns);
}

uint64_t ct_ctf_layout_clock(const struct ct_ctf_layout *layout, int64_t ns)
{
    uint64_t clock;

    if (!layout->clock.is_known) {
        return UINT64_MAX;
    }
    return __builtin_sub_overflow(ns, layout->clock.zero_ns, &clock) ? 0
                                                                     : clock;
}
