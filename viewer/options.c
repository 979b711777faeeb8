/* SPDX-License-Identifier: MIT */
/*
 * options.c - what a view can be asked: options and parameters, as text
 *
 * A new option: a bit, a field of the settings, a line in the table.
 */
#include "views.h"

#include <errno.h>

#include "render/narrow.h"

/* Names alone take some of a file. */
#define SPLIT_LEAST (UINT64_C(1) << 20)

static bool parse_number(const char *value, uint64_t greatest,
                         uint64_t *ret_number, GError **error)
{
    char *end = NULL;
    uint64_t number;

    errno = 0;
    number = g_ascii_strtoull(value, &end, 10);
    if (!g_ascii_isdigit(value[0]) || *end) {
        g_set_error(error, CT_VIEW_ERROR, 0, "'%s' is not a number", value);
        return false;
    }
    if (errno || number > greatest) {
        g_set_error(error, CT_VIEW_ERROR, 0, "%s is too great", value);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool set_json(struct ct_settings *settings, const char *value,
                     GError **error)
{
    settings->json = true;
    return true;
}

static bool set_all(struct ct_settings *settings, const char *value,
                    GError **error)
{
    settings->all = true;
    return true;
}

static bool set_blame(struct ct_settings *settings, const char *value,
                      GError **error)
{
    settings->blame = true;
    return true;
}

static bool set_critical(struct ct_settings *settings, const char *value,
                         GError **error)
{
    settings->critical_path = true;
    return true;
}

static bool set_layer(struct ct_settings *settings, const char *value,
                      GError **error)
{
    if (!*value) {
        g_set_error(error, CT_VIEW_ERROR, 0, "the layer has an empty name");
        return false;
    }
    g_free(settings->layer);
    settings->layer = g_strdup(value);
    return true;
}

static bool set_sort(struct ct_settings *settings, const char *value,
                     GError **error)
{
    if (!strcmp(value, "start")) {
        settings->sort = CT_SORT_START;
    } else if (!strcmp(value, "latency")) {
        settings->sort = CT_SORT_LATENCY;
    } else {
        g_set_error(error, CT_VIEW_ERROR, 0,
                    "'%s' is neither 'start' nor 'latency'", value);
        return false;
    }
    return true;
}

static bool set_limit(struct ct_settings *settings, const char *value,
                      GError **error)
{
    settings->has_limit = true;
    return parse_number(value, UINT64_MAX, &settings->limit, error);
}

static bool set_of(struct ct_settings *settings, enum ct_backtrace_of of,
                   const char *value, GError **error)
{
    if (settings->has_of) {
        g_set_error(error, CT_VIEW_ERROR, 0,
                    "only one entity can be asked for");
        return false;
    }
    settings->has_of = true;
    settings->of = of;
    return parse_number(value, UINT64_MAX, &settings->id, error);
}

static bool set_request(struct ct_settings *settings, const char *value,
                        GError **error)
{
    return set_of(settings, CT_BACKTRACE_REQUEST, value, error);
}

static bool set_coroutine(struct ct_settings *settings, const char *value,
                          GError **error)
{
    return set_of(settings, CT_BACKTRACE_COROUTINE, value, error);
}

static bool set_worker(struct ct_settings *settings, const char *value,
                       GError **error)
{
    return set_of(settings, CT_BACKTRACE_WORKER, value, error);
}

static bool set_work(struct ct_settings *settings, const char *value,
                     GError **error)
{
    return set_of(settings, CT_BACKTRACE_WORK, value, error);
}

bool ct_option_number(int64_t *ret_number, const char *value, GError **error)
{
    uint64_t number;

    if (!parse_number(value, INT64_MAX, &number, error)) {
        return false;
    }
    *ret_number = (int64_t)number;
    return true;
}

static bool set_at(struct ct_settings *settings, const char *value,
                   GError **error)
{
    return ct_option_number(&settings->at_ns, value, error);
}

static bool set_block(struct ct_settings *settings, const char *value,
                      GError **error)
{
    return ct_option_number(&settings->block_ns, value, error);
}

static bool set_stuck(struct ct_settings *settings, const char *value,
                      GError **error)
{
    return ct_option_number(&settings->stuck_ns, value, error);
}

static bool set_begin(struct ct_settings *settings, const char *value,
                      GError **error)
{
    settings->place.span.has_begin = true;
    return ct_option_number(&settings->place.span.begin_ns, value, error);
}

static bool set_end(struct ct_settings *settings, const char *value,
                    GError **error)
{
    settings->place.span.has_end = true;
    return ct_option_number(&settings->place.span.end_ns, value, error);
}

static bool set_spawns(struct ct_settings *settings, const char *value,
                       GError **error)
{
    return ct_option_number(&settings->spawns, value, error);
}

static bool set_idles(struct ct_settings *settings, const char *value,
                      GError **error)
{
    return ct_option_number(&settings->idles, value, error);
}

static bool set_tracing(struct ct_settings *settings, const char *value,
                        GError **error)
{
    return ct_option_number(&settings->tracing, value, error);
}

static bool set_pid(struct ct_settings *settings, const char *value,
                    GError **error)
{
    uint64_t number;

    if (!parse_number(value, INT32_MAX, &number, error)) {
        return false;
    }
    settings->pid = (int32_t)number;
    return true;
}

/* "3,17": numbers of requests */
static bool set_only(struct ct_settings *settings, const char *value,
                     GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);

    if (!words[0]) {
        g_set_error(error, CT_VIEW_ERROR, 0, "'' is not a number");
        return false;
    }
    if (!settings->only) {
        settings->only = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    }
    for (unsigned i = 0; words[i]; i++) {
        uint64_t number;

        if (!parse_number(words[i], UINT64_MAX, &number, error)) {
            return false;
        }
        g_array_append_val(settings->only, number);
    }
    return true;
}

static bool set_slowest(struct ct_settings *settings, const char *value,
                        GError **error)
{
    if (!parse_number(value, CT_NARROW_MAX, &settings->slowest, error)) {
        return false;
    }
    if (!settings->slowest) {
        g_set_error(error, CT_VIEW_ERROR, 0, "0 are none");
        return false;
    }
    return true;
}

bool ct_option_bytes(uint64_t *ret_bytes, const char *value, GError **error)
{
    static const char units[] = "KMG";
    size_t length = strlen(value);
    const char *unit =
        length ? strchr(units, g_ascii_toupper(value[length - 1])) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    g_autofree char *number = g_strndup(value, unit ? length - 1 : length);

    if (!parse_number(number, UINT64_MAX >> shift, ret_bytes, error)) {
        return false;
    }
    *ret_bytes <<= shift;
    return true;
}

static bool set_split(struct ct_settings *settings, const char *value,
                      GError **error)
{
    if (!ct_option_bytes(&settings->split_bytes, value, error)) {
        return false;
    }
    if (settings->split_bytes < SPLIT_LEAST) {
        g_set_error(error, CT_VIEW_ERROR, 0, "%s is less than 1M", value);
        return false;
    }
    return true;
}

static bool set_path(struct ct_settings *settings, const char *value,
                     GError **error)
{
    if (!*value) {
        g_set_error(error, CT_VIEW_ERROR, 0, "the file has an empty name");
        return false;
    }
    g_free(settings->path);
    settings->path = g_strdup(value);
    return true;
}

static bool set_format(struct ct_settings *settings, const char *value,
                       GError **error)
{
    const struct ct_view *view = ct_view_find(value);

    if (!view || !view->suffix) {
        g_set_error(error, CT_VIEW_ERROR, 0, "no such format: '%s'", value);
        return false;
    }
    g_free(settings->format);
    settings->format = g_strdup(value);
    return true;
}

/* Of the process: names are the same for all that it shows. */
static bool set_debug_dir(struct ct_settings *settings, const char *value,
                          GError **error)
{
    ct_symbols_debug_dirs(value);
    return true;
}

const struct ct_option ct_options[] = {
    {CT_OPTION_REQUEST, "request", NULL, 0, "ID",
     "of a request, by its number in 'cotrace requests'", set_request},
    {CT_OPTION_COROUTINE, "coroutine", NULL, 0, "ID", "of a coroutine",
     set_coroutine},
    {CT_OPTION_WORKER, "worker", NULL, 0, "TID", "of a worker thread",
     set_worker},
    {CT_OPTION_WORK, "work", NULL, 0, "ID", "of a work item", set_work},
    {CT_OPTION_AT, "at", NULL, 0, "NS",
     "at this instant, in ns from the trace's first event", set_at},
    {CT_OPTION_SPAN, "begin", NULL, 0, "NS",
     "only what comes after it, in ns from the first event", set_begin},
    {CT_OPTION_SPAN, "end", NULL, 0, "NS", "only what comes before it",
     set_end},
    {CT_OPTION_LIMITS, "block", NULL, 0, "NS",
     "point at nothing that held something up for less (10000000)", set_block},
    {CT_OPTION_LIMITS, "stuck", NULL, 0, "NS",
     "nor at a wait at the trace's end that is shorter (100000000)", set_stuck},
    {CT_OPTION_LIMITS, "spawns", NULL, 0, "N",
     "nor at fewer workers that were made again at once (16)", set_spawns},
    {CT_OPTION_LIMITS, "idles", NULL, 0, "N",
     "nor at fewer wake-ups for nothing (100)", set_idles},
    {CT_OPTION_LIMITS, "tracing", NULL, 0, "PERCENT",
     "nor at tracing that took a smaller part of the time (25)", set_tracing},
    {CT_OPTION_PID, "pid", NULL, 0, "PID",
     "in this process, where several have such an id", set_pid},
    {CT_OPTION_ALL, "all", NULL, 0, NULL, "requests inside of others too",
     set_all},
    {CT_OPTION_BLAME, "blame", NULL, 0, NULL,
     "what went on while a request waited: who held it up", set_blame},
    {CT_OPTION_CRITICAL, "critical-path", "critical_path", 0, NULL,
     "where a request waits for others, what those were doing", set_critical},
    {CT_OPTION_LAYER, "layer", NULL, 0, "LAYER",
     "only requests that came in by this interface", set_layer},
    {CT_OPTION_SORT, "sort", NULL, 0, "ORDER",
     "start (default), or latency: the slowest first", set_sort},
    {CT_OPTION_LIMIT, "limit", NULL, 0, "N", "at most so many", set_limit},
    {CT_OPTION_NARROW, "request", NULL, 0, "ID,...",
     "only these requests, and all that touched them", set_only},
    {CT_OPTION_NARROW, "slowest", NULL, 0, "N",
     "only the N slowest, and all that touched them", set_slowest},
    {CT_OPTION_SPLIT, "split", NULL, 0, "SIZE",
     "several files, FILE-1 ..., none larger than SIZE (100M)", set_split},
    {CT_OPTION_DEBUG, "debug-dir", "debug_dir", 0, "DIR",
     "where debug information is looked for first (DIR:DIR)", set_debug_dir},
    {CT_OPTION_PATH, "output", "path", 'o', "FILE",
     "file to write, as a whole; '-' is standard output", set_path},
    {CT_OPTION_FORMAT, "format", NULL, 0, "FORMAT",
     "instead of what FILE's suffix says", set_format},
    {CT_OPTION_JSON, "json", NULL, 0, NULL, "JSON instead of text", set_json},
    {0, NULL, NULL, 0, NULL, NULL, NULL},
};

void ct_settings_init(struct ct_settings *settings)
{
    *settings = (struct ct_settings){.at_ns = -1,
                                     .block_ns = -1,
                                     .stuck_ns = -1,
                                     .spawns = -1,
                                     .idles = -1,
                                     .tracing = -1};
}

void ct_settings_fini(struct ct_settings *settings)
{
    if (settings->only) {
        g_array_unref(settings->only);
    }
    g_free(settings->layer);
    g_free(settings->path);
    g_free(settings->format);
}

bool ct_settings_set(struct ct_settings *settings, const struct ct_view *view,
                     const char *name, const char *value, GError **error)
{
    for (const struct ct_option *option = ct_options; option->name; option++) {
        if ((strcmp(option->name, name) != 0 &&
             g_strcmp0(option->parameter, name) != 0) ||
            !(view->options & option->bit)) {
            continue;
        }
        if (!option->argument == !value) {
            if (option->set(settings, value, error)) {
                return true;
            }
            g_prefix_error(error, "%s: ", name);
            return false;
        }
        g_set_error(error, CT_VIEW_ERROR, 0,
                    value ? "%s takes no value" : "%s needs a value", name);
        return false;
    }
    g_set_error(error, CT_VIEW_ERROR, 0, "%s: %s takes no such option", name,
                view->name);
    return false;
}

bool ct_settings_check(const struct ct_settings *settings, GError **error)
{
    const struct ct_span *span = &settings->place.span;

    if (span->has_begin && span->has_end && span->begin_ns >= span->end_ns) {
        g_set_error(error, CT_VIEW_ERROR, 0, "begin: not before --end");
        return false;
    }
    if (settings->only && settings->slowest) {
        g_set_error(error, CT_VIEW_ERROR, 0,
                    "slowest: does not go with --request");
        return false;
    }
    if (settings->at_ns >= 0 &&
        ((span->has_begin && settings->at_ns < span->begin_ns) ||
         (span->has_end && settings->at_ns > span->end_ns))) {
        g_set_error(error, CT_VIEW_ERROR, 0,
                    "at: not between --begin and --end");
        return false;
    }
    return true;
}
