/* SPDX-License-Identifier: MIT */
/*
 * record.c - `cotrace record`: options, names, and what is said at the end
 *
 * The recording itself is ct_session_record().  stdout is the program's alone;
 * what record has to say goes to stderr, after the program has ended.
 */
#include <errno.h>
#include <getopt.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ct/session.h"

#include "cotrace.h"
#include "out/inert.h"
#include "views.h"

#define COMMAND     "record"
#define PAGE_BYTES  4096
#define MAX_SUBBUFS 65536
#define NAME_TRIES  1000
#define PROVIDER    "libcotrace-provider.so"
#define PRELOAD     "libcotrace-preload.so"

static const char usage[] =
    "usage: cotrace record [OPTION...] [--] PROGRAM [ARG...]\n"
    "\n"
    "Runs PROGRAM and records the cotrace events of it and its children.\n"
    "\n"
    "  -o, --output=DIR       directory to make for the trace, or an empty "
    "one\n"
    "                         (default: cotrace-PROGRAM-DATE-TIME)\n"
    "      --events=PATTERN,...\n"
    "                         record only events that match (default: *);\n"
    "                         PROVIDER:PATTERN for other LTTng-UST providers\n"
    "      --qemu[=PATTERN,...]\n"
    "                         PROGRAM is QEMU, qemu-io, qemu-img, qemu-nbd or\n"
    "                         qemu-storage-daemon: record its own trace "
    "events\n"
    "                         (default: those that cotrace reads), with "
    "stacks\n"
    "      --no-preload       with --qemu: its log alone, nothing is "
    "preloaded\n"
    "      --preload          PROGRAM has no tracepoints: record what it does "
    "with\n"
    "                         threads, ucontext and siglongjmp coroutines,\n"
    "                         blocking I/O and waits, with stacks\n"
    "      --subbuf-size=SIZE size of a buffer's parts, a power of two; K, M "
    "and\n"
    "                         G are understood (default: what /dev/shm has "
    "room\n"
    "                         for, 4M at most)\n"
    "      --subbufs=N        parts of a buffer, a power of two (default: 8)\n"
    "  -h, --help             this text\n"
    "\n"
    "No daemon and no set-up is needed; what record starts, it ends.\n"
    "Ctrl-C goes to PROGRAM, and record waits for it.\n"
    "\n"
    "Exit status: PROGRAM's; 128+N if signal N ended it; 2 if it could not be\n"
    "started or not be recorded at all.\n";

struct options {
    struct ct_session_config config;
    bool qemu;
    char *made; /* output directory that was named and made here */
    bool preload, no_preload;
};

static bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

static bool are_patterns(const char *text)
{
    g_auto(GStrv) patterns = g_strsplit(text, ",", -1);

    for (char **pattern = patterns; *pattern; pattern++) {
        if (!**pattern ||
            strspn(*pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz"
                             "0123456789_-.:*") != strlen(*pattern)) {
            return false;
        }
    }
    return *patterns != NULL;
}

enum {
    OPTION_EVENTS = CT_OPTION_LONG,
    OPTION_HELP,
    OPTION_NO_PRELOAD,
    OPTION_OUTPUT,
    OPTION_PRELOAD,
    OPTION_QEMU,
    OPTION_SUBBUF_SIZE,
    OPTION_SUBBUFS,
};

static const struct option long_options[] = {
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"qemu", optional_argument, NULL, OPTION_QEMU},
    {"no-preload", no_argument, NULL, OPTION_NO_PRELOAD},
    {"preload", no_argument, NULL, OPTION_PRELOAD},
    {"subbuf-size", required_argument, NULL, OPTION_SUBBUF_SIZE},
    {"subbufs", required_argument, NULL, OPTION_SUBBUFS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int parse_one(int option, const char *value, struct options *options)
{
    struct ct_session_config *config = &options->config;
    uint64_t number;

    switch (option) {
    case 'o':
    case OPTION_OUTPUT:
        config->output = value;
        break;
    case OPTION_EVENTS:
        if (!are_patterns(value)) {
            return ct_usage_error(COMMAND,
                                  "--events=%s: not a list of patterns", value);
        }
        config->events = value;
        break;
    case OPTION_QEMU:
        if (value && !are_patterns(value)) {
            return ct_usage_error(COMMAND, "--qemu=%s: not a list of patterns",
                                  value);
        }
        options->qemu = true;
        config->qemu = value;
        break;
    case OPTION_NO_PRELOAD:
        options->no_preload = true;
        options->preload = false;
        break;
    case OPTION_PRELOAD:
        options->preload = true;
        options->no_preload = false;
        break;
    case OPTION_SUBBUF_SIZE:
        if (!ct_option_bytes(&number, value, NULL) ||
            !is_power_of_two(number) || number < PAGE_BYTES) {
            return ct_usage_error(
                COMMAND, "--subbuf-size=%s: not a power of two from 4K on",
                value);
        }
        config->subbuf_bytes = number;
        break;
    case OPTION_SUBBUFS:
        if (!ct_option_bytes(&number, value, NULL) ||
            !is_power_of_two(number) || number < 2 || number > MAX_SUBBUFS) {
            return ct_usage_error(
                COMMAND, "--subbufs=%s: not a power of two from 2 to %d", value,
                MAX_SUBBUFS);
        }
        config->n_subbufs = (unsigned)number;
        break;
    }
    return CT_EXIT_OK;
}

/* A fresh directory here, made at once so that nobody else takes the name. */
static int name_output(struct options *options)
{
    g_autofree char *program = g_path_get_basename(options->config.argv[0]);
    time_t now = time(NULL);
    struct tm local;
    char stamp[32] = "";

    if (localtime_r(&now, &local)) {
        (void)strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &local);
    }
    for (unsigned i = 1; i < NAME_TRIES; i++) {
        g_autofree char *name =
            i == 1 ? g_strdup_printf("cotrace-%s-%s", program, stamp)
                   : g_strdup_printf("cotrace-%s-%s-%u", program, stamp, i);
        if (!mkdir(name, 0777)) {
            options->made = g_steal_pointer(&name);
            options->config.output = options->made;
            return CT_EXIT_OK;
        }
        if (errno != EEXIST) {
            return ct_error("%s: %s", name, g_strerror(errno));
        }
    }
    return ct_error("cotrace-%s-%s: all names are taken", program, stamp);
}

/* Beside the command: in the build directory, or where it was installed.  NULL
 * if it is in neither. */
static char *find_library(const char *built, const char *installed,
                          const char *name)
{
    const char *const places[] = {built, installed, name};
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);

    if (!self) {
        return NULL;
    }
    g_autofree char *folder = g_path_get_dirname(self);
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_build_filename(folder, places[i], NULL);
        char *found = realpath(path, NULL);
        if (found) {
            return found;
        }
    }
    return NULL;
}

/* NULL: the program looks for it by itself. */
static char *find_provider(void)
{
    return getenv("COTRACE_PROVIDER")
               ? NULL
               : find_library("../tracepoints/provider/" PROVIDER,
                              "../" CT_LIBDIR "/cotrace/" PROVIDER, PROVIDER);
}

/* What the loader can be told by LD_PRELOAD; NULL, and why if it @is_needed. */
static char *find_preload(bool is_needed)
{
    char *path = find_library("../tracepoints/preload/" PRELOAD,
                              "../" CT_LIBDIR "/cotrace/" PRELOAD, PRELOAD);

    if (!is_needed) {
        if (path && strpbrk(path, ": ")) {
            g_clear_pointer(&path, free);
        }
    } else if (!path) {
        (void)ct_error(PRELOAD " is not there: is it installed?");
    } else if (strpbrk(path, ": ")) {
        (void)ct_error("%s: the loader can't preload from a path with a colon "
                       "or a blank",
                       path);
        g_clear_pointer(&path, free);
    }
    return path;
}

/* One line on stderr; file names in it can't play with the terminal. */
static void say(const char *text)
{
    GString *line = g_string_new("cotrace: ");

    ct_inert_append(line, text);
    g_string_append_c(line, '\n');
    (void)!fwrite(line->str, 1, line->len, stderr);
    (void)fflush(stderr);
    g_string_free(line, TRUE);
}

static void tell(const struct options *options,
                 const struct ct_session_result *result)
{
    const struct ct_session_config *config = &options->config;
    g_autofree char *output = ct_typed_path(config->output);
    g_autofree char *numbers =
        result->counted ? g_strdup_printf("%" G_GUINT64_FORMAT
                                          " events, %" G_GUINT64_FORMAT " lost",
                                          result->events, result->discarded)
                        : g_strdup("an unknown number of events");
    g_autofree char *first =
        g_strdup_printf("recorded %s, in %s", numbers, output);
    /* What a program tells that knows nothing of us has no requests. */
    bool has_requests =
        !config->preload || options->qemu || result->has_tracepoints;
    g_autofree char *next =
        g_strdup_printf("next: cotrace %s %s",
                        has_requests ? "requests" : "coroutines", output);

    if (result->discarded) {
        ct_warning("events were lost because the buffers were full: larger "
                   "ones (--subbuf-size, --subbufs) or fewer events (--events) "
                   "help");
    }
    if (result->not_recorded) {
        ct_warning("not recorded: %s", result->not_recorded);
    }
    if (!result->complete) {
        ct_warning("the trace is not complete");
    }
    if (result->counted && result->complete && !result->own) {
        ct_warning(options->qemu
                       ? "%s told nothing: is it built with the trace backend "
                         "log or ust?"
                   : config->preload
                       ? "%s recorded nothing"
                       : "%s recorded nothing: it has none of cotrace's "
                         "tracepoints (--qemu is for a QEMU, --preload for "
                         "any other program)",
                   config->argv[0]);
    }
    say(first);
    if (!result->counted || result->own) {
        say(next);
    }
}

static int run(struct options *options)
{
    struct ct_session_result result;
    g_autoptr(GError) error = NULL;

    g_autofree char *provider = find_provider();
    options->config.provider = provider;
    /* A QEMU's log can be had without. */
    g_autofree char *preload = options->preload ? find_preload(true)
                               : options->qemu && !options->no_preload
                                   ? find_preload(false)
                                   : NULL;
    options->config.preload = preload;
    if (options->preload && !preload) {
        return CT_EXIT_ERROR;
    }
    if (!options->config.output && name_output(options)) {
        return CT_EXIT_ERROR;
    }
    bool done = options->qemu
                    ? ct_session_record_qemu(&options->config, &result, &error)
                    : ct_session_record(&options->config, &result, &error);
    if (!done) {
        if (options->made) {
            (void)rmdir(options->made);
        }
        return ct_error("%s", error->message);
    }
    tell(options, &result);
    int status = result.exit_status;
    ct_session_result_fini(&result);
    return status;
}

int ct_command_record(int argc, char **argv)
{
    struct options options = {0};
    int option;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, "+:o:h", long_options, NULL)) !=
           -1) {
        if (option == 'h' || option == OPTION_HELP) {
            fputs(usage, stdout);
            return ct_told();
        }
        if (option == '?' || option == ':') {
            return ct_option_error(COMMAND, argv, option);
        }
        if (parse_one(option, optarg, &options)) {
            return CT_EXIT_ERROR;
        }
    }
    if (optind >= argc) {
        return ct_usage_error(COMMAND, "no program given");
    }
    if (options.qemu && options.config.events) {
        return ct_usage_error(COMMAND, "--events is for cotrace's own events: "
                                       "give --qemu the patterns");
    }
    if (options.no_preload && !options.qemu) {
        return ct_usage_error(COMMAND, "--no-preload is for --qemu: else "
                                       "nothing is preloaded by itself");
    }
    options.config.argv = argv + optind;
    int status = run(&options);
    g_free(options.made);
    return status;
}
