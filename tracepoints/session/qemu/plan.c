/* SPDX-License-Identifier: MIT */
/*
 * plan.c - from a QEMU and its arguments to a recording
 *
 * Our options stand in front of all others: there every one of the programs
 * takes them, qemu-img only there.  What the user gave stays as it is.
 *
 * The log goes to a regular file, whoever reads it: a pipe whose reader died
 * would end QEMU, one whose reader is stopped would stop it.
 */
#include "session/qemu/plan.h"

#include <string.h>

#include "session/output/note.h"

/* What the analysis reads, as patterns: versions differ in names. */
static const char *const usual[] = {
    "qemu_aio_coroutine_enter",
    "qemu_coroutine_yield",
    "qemu_coroutine_terminate",
    "aio_co_schedule*",
    "reentrant_aio",
    "run_poll_handlers_*",
    "poll_grow",
    "poll_shrink",
    "poll_add",
    "poll_remove",
    "thread_pool_*",
    "qemu_co_mutex_*",
    "blk_co_*",
    "blk_root_*",
    "bdrv_co_*",
    "bdrv_open_common",
    "qcow2_writev_*",
    "qcow2_pwrite_zeroes*",
    "file_copy_file_range",
    "luring_*",
    "laio_*",
    "nbd_trip",
    "nbd_receive_request",
    "nbd_co_receive_*",
    "nbd_co_send_*",
    "nbd_send_request",
    "nbd_receive_*",
    "nbd_blk_aio_*",
    "job_*",
    "block_job_*",
    "mirror_*",
    "commit_*",
    "stream_*",
    "backup_*",
    "block_copy_*",
    "virtio_blk_*",
    "pci_nvme_io_cmd*",
    "pci_nvme_read",
    "pci_nvme_write*",
    "pci_nvme_rw*",
    "pci_nvme_enqueue_req_completion",
    "dma_blk_*",
    "dma_complete",
    NULL,
};

/* An option that does not go together with a recording. */
struct refused {
    unsigned kinds;    /* bits by enum ct_qemu_kind */
    const char *name;  /* "--daemonize" */
    size_t shortest;   /* abbreviations from this length on; 0: none */
    const char *value; /* only if its value has this; NULL: in any case */
    const char *why;
};

#define SYSTEM  (1u << CT_QEMU_SYSTEM)
#define NBD     (1u << CT_QEMU_NBD)
#define STORAGE (1u << CT_QEMU_STORAGE_DAEMON)
#define ALL     ((1u << CT_QEMU_KINDS) - 1)

#define DAEMON     "the recording ends with the program: leave it in the foreground"
#define DEVICE     "it would serve the device from the background: give it -v, too"
#define OTHER_FILE "QEMU has one trace log, and the recording needs it"
#define NO_TIMES   "the log would have no times"
#define BY_THREAD  "the recording needs one log of all threads"

static const struct refused refused[] = {
    {SYSTEM, "-daemonize", 0, NULL, DAEMON},
    {SYSTEM, "--daemonize", 0, NULL, DAEMON},
    {STORAGE, "--daemonize", 4, NULL, DAEMON},
    {NBD, "--fork", 0, NULL, DAEMON},
    {NBD, "-c", 2, NULL, DEVICE},
    {NBD, "--connect", 4, NULL, DEVICE},
    {SYSTEM, "-D", 0, NULL, OTHER_FILE},
    {SYSTEM, "--D", 0, NULL, OTHER_FILE},
    {SYSTEM, "-trace", 0, "file=", OTHER_FILE},
    {SYSTEM, "--trace", 0, "file=", OTHER_FILE},
    {ALL & ~SYSTEM, "-T", 0, "file=", OTHER_FILE},
    {ALL & ~SYSTEM, "--trace", 4, "file=", OTHER_FILE},
    {SYSTEM, "-msg", 0, "timestamp=off", NO_TIMES},
    {SYSTEM, "--msg", 0, "timestamp=off", NO_TIMES},
    {SYSTEM, "-d", 0, "tid", BY_THREAD},
    {SYSTEM, "--d", 0, "tid", BY_THREAD},
};

static bool fail(GError **error, const char *format, const char *a,
                 const char *b) __attribute__((format(printf, 2, 0)));

static bool fail(GError **error, const char *format, const char *a,
                 const char *b)
{
    g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_PROGRAM, format, a,
                b);
    return false;
}

/* --- arguments that were given -------------------------------------------- */

static bool has_item(const char *list, const char *item)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);

    for (char **part = parts; *part; part++) {
        if (g_str_has_suffix(item, "=") ? g_str_has_prefix(*part, item)
                                        : !strcmp(*part, item)) {
            return true;
        }
    }
    return false;
}

/* Is it this option?  *ret_value: what is written behind it, NULL: nothing. */
static bool is_option(const struct refused *one, const char *word,
                      const char **ret_value)
{
    const char *equals =
        g_str_has_prefix(word, "--") ? strchr(word, '=') : NULL;
    size_t length = equals ? (size_t)(equals - word) : strlen(word);

    *ret_value = equals ? equals + 1 : NULL;
    if (one->shortest && length >= one->shortest &&
        !strncmp(word, one->name, length)) {
        return true;
    }
    if (one->value && strlen(one->name) == 2 &&
        g_str_has_prefix(word, one->name) && word[2]) {
        *ret_value = word + 2; /* -Tenable=x */
        return true;
    }
    return length == strlen(one->name) && !strncmp(word, one->name, length);
}

static bool has_word(char *const *argv, const char *a, const char *b)
{
    return g_strv_contains((const char *const *)argv, a) ||
           g_strv_contains((const char *const *)argv, b);
}

/* Where only the log would be in the way, or its times, or not even that. */
static bool is_harmless(const struct refused *one, enum ct_qemu_way way,
                        char *const *argv)
{
    if (!strcmp(one->why, DEVICE)) {
        return has_word(argv, "-v", "--verbose");
    }
    return !strcmp(one->why, NO_TIMES)
               ? way != CT_QEMU_WAY_LOG
               : way == CT_QEMU_WAY_UST && strcmp(one->why, DAEMON) != 0;
}

static bool judge(const struct ct_qemu_program *program, char *const *argv,
                  enum ct_qemu_way way, GError **error)
{
    for (unsigned i = 1; argv[0] && argv[i]; i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(refused); j++) {
            const struct refused *one = &refused[j];
            const char *value;

            if (!(one->kinds & 1u << program->kind) ||
                !is_option(one, argv[i], &value) ||
                is_harmless(one, way, argv)) {
                continue;
            }
            bool is_next = !value && one->value && argv[i + 1];

            value = value ? value : argv[i + 1];
            if (!one->value || (value && has_item(value, one->value))) {
                g_autofree char *given = g_strconcat(
                    argv[i], is_next ? " " : "", is_next ? value : "", NULL);

                return fail(error, "can't record with %s: %s", given, one->why);
            }
        }
    }
    return true;
}

/* --- events --------------------------------------------------------------- */

/* Appends the program's events that match. */
static bool add_events(GString *text, const struct ct_qemu_program *program,
                       const char *pattern, GHashTable *added)
{
    GPatternSpec *spec = g_pattern_spec_new(pattern);
    bool any = false;

    for (char **event = program->events; *event; event++) {
        if (g_pattern_spec_match_string(spec, *event)) {
            any = true;
            if (g_hash_table_add(added, *event)) {
                g_string_append_printf(text, "%s\n", *event);
            }
        }
    }
    g_pattern_spec_free(spec);
    return any;
}

/* Both ways refuse what the program does not have: it would record nothing,
 * and say so too late. */
static bool choose_events(const struct ct_qemu_program *program,
                          const char *patterns, struct ct_qemu_plan *plan,
                          GError **error)
{
    g_auto(GStrv) given = patterns ? g_strsplit(patterns, ",", -1) : NULL;
    const char *const *list = given ? (const char *const *)given : usual;
    g_autoptr(GHashTable) added = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) ust = g_string_new(NULL);

    for (const char *const *pattern = list; *pattern; pattern++) {
        if (add_events(text, program, *pattern, added)) {
            g_string_append_printf(ust, "%sqemu:%s", ust->len ? "," : "",
                                   *pattern);
        } else if (given) {
            return fail(error,
                        "--qemu=%s: this QEMU (%s) has no such trace "
                        "event",
                        *pattern, program->version);
        }
    }
    plan->events = g_strdup(text->str);
    plan->patterns = g_strdup(ust->str);
    return true;
}

/* --- the plan ------------------------------------------------------------- */

/* A comma ends a value unless it is doubled. */
static char *trace_value(const char *output)
{
    g_auto(GStrv) parts = g_strsplit(output, ",", -1);
    g_autofree char *place = g_strjoinv(",,", parts);

    return g_strdup_printf("events=%s/" CT_NOTE_EVENTS ",file=%s/" CT_QEMU_LOG,
                           place, place);
}

static char **log_argv(const struct ct_qemu_program *program, char *const *argv,
                       const char *output)
{
    GPtrArray *words = g_ptr_array_new();
    bool is_system = program->kind == CT_QEMU_SYSTEM;

    g_ptr_array_add(words, g_strdup(argv[0]));
    g_ptr_array_add(words, g_strdup(is_system ? "-trace" : "--trace"));
    g_ptr_array_add(words, trace_value(output));
    if (is_system) {
        g_ptr_array_add(words, g_strdup("-msg"));
        g_ptr_array_add(words, g_strdup("timestamp=on"));
    }
    for (unsigned i = 1; argv[i]; i++) {
        g_ptr_array_add(words, g_strdup(argv[i]));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

/* Without a file the log is standard error, where no line arrives. */
static char **preload_argv(const struct ct_qemu_program *program,
                           char *const *argv, const char *patterns)
{
    GPtrArray *words = g_ptr_array_new();
    bool is_system = program->kind == CT_QEMU_SYSTEM;
    g_auto(GStrv) list = g_strsplit(patterns, ",", -1);

    g_ptr_array_add(words, g_strdup(argv[0]));
    for (char **pattern = list; *pattern; pattern++) {
        g_ptr_array_add(words, g_strdup(is_system ? "-trace" : "--trace"));
        g_ptr_array_add(
            words, g_strdup_printf("enable=%s", *pattern + strlen("qemu:")));
    }
    for (unsigned i = 1; argv[i]; i++) {
        g_ptr_array_add(words, g_strdup(argv[i]));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

bool ct_qemu_plan_make(const struct ct_qemu_program *program, char *const *argv,
                       const char *patterns, const char *output, bool preloads,
                       struct ct_qemu_plan *ret_plan, GError **error)
{
    struct ct_qemu_plan plan = {
        .way = program->has_ust ? CT_QEMU_WAY_UST
               : preloads       ? CT_QEMU_WAY_PRELOAD
                                : CT_QEMU_WAY_LOG,
    };

    if (!judge(program, argv, plan.way, error) ||
        !choose_events(program, patterns, &plan, error)) {
        return false;
    }
    if (plan.way == CT_QEMU_WAY_LOG) {
        plan.needs_stamps = program->kind != CT_QEMU_SYSTEM;
        plan.argv = log_argv(program, argv, output);
    } else if (plan.way == CT_QEMU_WAY_PRELOAD) {
        plan.argv = preload_argv(program, argv, plan.patterns);
    } else {
        plan.argv = g_strdupv((char **)argv);
    }
    *ret_plan = plan;
    return true;
}

void ct_qemu_plan_fini(struct ct_qemu_plan *plan)
{
    g_clear_pointer(&plan->argv, g_strfreev);
    g_clear_pointer(&plan->patterns, g_free);
    g_clear_pointer(&plan->events, g_free);
}
