/* SPDX-License-Identifier: MIT */
/*
 * Have two runs anything to compare?
 *
 * A program is known by the name of its file, without directories: another
 * build, another place and another machine are the same program.  The kernel
 * keeps the first NAME_BYTES of it, so that is what is compared.  A trace that
 * lost the name, or never had one, may be of any program; then it is what the
 * runs did that has to have something in common.
 */
#include "answer/diff/programs.h"

#include <string.h>

#include "ct/trace.h"

#define NAME_BYTES 15
#define NAMES_TOLD 4

static const char *name_of(const struct ct_shared *shared,
                           const struct ct_program *program)
{
    return ct_words_text(&shared->words, program->name);
}

static bool is_known(const struct ct_run_result *run)
{
    return run->n_programs > 0 && run->programs[0].name != 0;
}

static bool has_same_program(const struct ct_compare *compare)
{
    const struct ct_run_result *a = compare->run[CT_DIFF_A];
    const struct ct_run_result *b = compare->run[CT_DIFF_B];

    for (uint32_t i = 0; i < a->n_programs; i++) {
        for (uint32_t k = 0; k < b->n_programs; k++) {
            if (strncmp(name_of(compare->shared, &a->programs[i]),
                        name_of(compare->shared, &b->programs[k]),
                        NAME_BYTES) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* "'a', 'b' and 2 more" */
static char *list_programs(const struct ct_compare *compare,
                           enum ct_diff_side side)
{
    const struct ct_run_result *run = compare->run[side];
    GString *text = g_string_new(NULL);

    for (uint32_t i = 0; i < MIN(run->n_programs, NAMES_TOLD); i++) {
        g_string_append_printf(text, "%s'%s'", i ? ", " : "",
                               name_of(compare->shared, &run->programs[i]));
    }
    if (run->n_programs > NAMES_TOLD) {
        g_string_append_printf(text, " and %u more",
                               run->n_programs - NAMES_TOLD);
    }
    return g_string_free(text, FALSE);
}

static const char *events_of(const struct ct_run_result *run)
{
    static const char *const words[CT_TOLD_INS] = {
        [CT_TOLD_IN_OURS] = "cotrace's events",
        [CT_TOLD_IN_QEMU] = "QEMU's events",
        [CT_TOLD_IN_QEMU_ALONE] = "QEMU's events, without its workers",
        [CT_TOLD_IN_QEMU_WORKERS] = "QEMU's events, with its workers",
    };

    return words[run->programs[0].told_in];
}

static bool has_same_events(const struct ct_compare *compare)
{
    const struct ct_run_result *a = compare->run[CT_DIFF_A];
    const struct ct_run_result *b = compare->run[CT_DIFF_B];

    if (!a->n_programs || !b->n_programs) {
        return true;
    }
    enum ct_told_in one = a->programs[0].told_in;
    enum ct_told_in other = b->programs[0].told_in;
    bool is_open = one == CT_TOLD_IN_QEMU || other == CT_TOLD_IN_QEMU;

    return one == other ||
           (is_open && one != CT_TOLD_IN_OURS && other != CT_TOLD_IN_OURS);
}

/* --- what they did ---------------------------------------------------- */

/* Callbacks of the runtime are in all runs, and what has no name may be
 * anything. */
static bool is_telling(const struct ct_compare *compare,
                       const struct ct_label *label)
{
    const struct ct_words *words = &compare->shared->words;

    return !ct_label_is_loose(label) &&
           (label->request != 0 ||
            (label->what != 0 &&
             strcmp(ct_words_text(words, label->what), "?") != 0));
}

/* What two runs of one program have in common, whatever they were asked to do.
 */
static bool has_common_class(const struct ct_compare *compare)
{
    struct ct_interned classes; /* of A */
    bool is_found = false, has_any = false;

    ct_interned_init(&classes, 4 * sizeof(uint32_t));
    for (unsigned side = 0; side < CT_DIFF_SIDES; side++) {
        has_any = false;
        for (uint32_t i = 0; i < compare->n_labels; i++) {
            const struct ct_label *label = ct_shared_label(compare->shared, i);
            uint32_t key[] = {label->kind, label->what, label->request,
                              label->parent};
            if (!(compare->seen[i] & 1u << side) ||
                !is_telling(compare, label)) {
                continue;
            }
            has_any = true;
            if (side == CT_DIFF_A) {
                ct_interned_get(&classes, key);
            } else {
                is_found |= ct_interned_has(&classes, key);
            }
        }
        if (!has_any) {
            break;
        }
    }
    ct_interned_fini(&classes);
    return is_found || !has_any;
}

/* The first that says what a run is about. */
static char *describe(const struct ct_compare *compare, enum ct_diff_side side)
{
    for (uint32_t i = 0; i < compare->run[side]->n; i++) {
        uint32_t label = compare->labels[side][i];
        if (is_telling(compare, ct_shared_label(compare->shared, label))) {
            return ct_label_class(compare->shared, label);
        }
    }
    return g_strdup("no request");
}

/* --- the verdict ------------------------------------------------------ */

static bool refuse(GError **error, const char *a, const char *b,
                   const char *what)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_QUERY,
                "nothing to compare: the first run %s, the second %s%s", a, b,
                what);
    return false;
}

static bool refuse_programs(const struct ct_compare *compare, GError **error)
{
    g_autofree char *a = list_programs(compare, CT_DIFF_A);
    g_autofree char *b = list_programs(compare, CT_DIFF_B);
    g_autofree char *first = g_strdup_printf("is of the program %s", a);
    g_autofree char *second = g_strdup_printf("of %s", b);

    return refuse(error, first, second,
                  " (--any-program compares them all the same)");
}

static bool refuse_events(const struct ct_compare *compare, GError **error)
{
    g_autofree char *first =
        g_strdup_printf("is told in %s", events_of(compare->run[CT_DIFF_A]));
    g_autofree char *second =
        g_strdup_printf("in %s", events_of(compare->run[CT_DIFF_B]));

    return refuse(error, first, second,
                  " (--any-program compares them all the same)");
}

static bool refuse_classes(const struct ct_compare *compare, GError **error)
{
    g_autofree char *a = describe(compare, CT_DIFF_A);
    g_autofree char *b = describe(compare, CT_DIFF_B);
    g_autofree char *first = g_strdup_printf("has '%s' and the like", a);
    g_autofree char *second = g_strdup_printf("'%s'", b);
    bool is_same = is_known(compare->run[CT_DIFF_A]) &&
                   is_known(compare->run[CT_DIFF_B]) &&
                   has_same_program(compare);

    return refuse(error, first, second,
                  is_same ? ", and neither has any of the other's; were they "
                            "asked to do the same?"
                          : ", and neither has any of the other's; are they of "
                            "the same program?");
}

bool ct_programs_check(const struct ct_compare *compare, bool is_any,
                       GError **error)
{
    if (!is_any && is_known(compare->run[CT_DIFF_A]) &&
        is_known(compare->run[CT_DIFF_B]) && !has_same_program(compare)) {
        return refuse_programs(compare, error);
    }
    if (!is_any && !has_same_events(compare)) {
        return refuse_events(compare, error);
    }
    if (compare->kept + compare->moved + compare->unknown == 0 ||
        (!compare->is_lossy && !has_common_class(compare))) {
        return refuse_classes(compare, error);
    }
    return true;
}
