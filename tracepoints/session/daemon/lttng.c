/* SPDX-License-Identifier: MIT */
/*
 * lttng.c - one session through liblttng-ctl
 *
 * Buffers are per user, not per process: a recording's children write into the
 * same buffers, and after a kill in the middle of an event the daemon can tell
 * that data is missing.
 *
 * How large: a buffer must hold what its CPU records while the consumer is off
 * the CPU or waits for the disk.  By default the largest of a few sizes that
 * leaves half of /dev/shm free (a container often has 64 MiB).
 *
 * The loaded files (lttng_ust_statedump, lttng_ust_lib) are always recorded:
 * without them an address has no name.  So are stack_frames,
 * request_kind and state_*, which say what the other events mean.
 *
 * Our events say themselves which process and thread tell them; others do with
 * contexts, which are a channel's and cost a quarter of an event.  So where
 * nothing is asked for but ours, the loaded files have a channel of their own.
 * Patterns of others may meet the same events, and an event is recorded once a
 * channel: then all go into one.
 */
#include "session/daemon/lttng.h"

#include <lttng/lttng.h>
#include <string.h>
#include <unistd.h>

#include "session/daemon/shm.h"

#define CHANNEL               "cotrace"
#define FILES_CHANNEL         "files"
#define FILES_SUBBUFS         4
#define FILES_SUBBUF_BYTES    (UINT64_C(128) << 10)
#define DEFAULT_SUBBUFS       8
#define DEFAULT_SUBBUF_BYTES  (UINT64_C(4) << 20)
#define SMALLEST_SUBBUF_BYTES (UINT64_C(64) << 10)
#define SWITCH_TIMER_US       1000000
#define OURS                  "cotrace:"
#define NO_GROUP              "cotrace: no group"

/* liblttng-ctl prints what it returns as well; it has this switch, but no
 * header that declares it, and a version may hide it. */
extern int lttng_opt_quiet __attribute__((weak));

static const char *const always[] = {
    "cotrace:stack_frames",
    "cotrace:request_kind",
    "cotrace:state_*",
};
static const char *const files[] = {
    "lttng_ust_statedump:*",
    "lttng_ust_lib:*",
    "lttng_ust_dl:*",
};

void ct_lttng_init(void)
{
    if (&lttng_opt_quiet) {
        lttng_opt_quiet = 1;
    }
    /* A member of the tracing group would be sent to the system-wide daemon
     * whatever LTTNG_HOME says. */
    (void)lttng_set_tracing_group(NO_GROUP);
}

bool ct_lttng_is_served(void)
{
    return lttng_session_daemon_alive() == 1;
}

static int failed(char **ret_reason, const char *what, int code)
{
    *ret_reason = g_strdup_printf("LTTng: %s: %s", what, lttng_strerror(code));
    return -1;
}

static struct lttng_handle *open_session(const char *session)
{
    struct lttng_domain domain = {
        .type = LTTNG_DOMAIN_UST,
        .buf_type = LTTNG_BUFFER_PER_UID,
    };

    return lttng_create_handle(session, &domain);
}

/* UST makes a buffer for every CPU that may ever come up. */
static uint64_t fitting_bytes(unsigned n_subbufs)
{
    uint64_t room = ct_shm_free_bytes() / 2;
    uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
    uint64_t bytes = DEFAULT_SUBBUF_BYTES;

    while (bytes > SMALLEST_SUBBUF_BYTES && bytes * n_subbufs * cpus > room) {
        bytes /= 2;
    }
    return bytes;
}

static int add_channel(struct lttng_handle *handle, const char *name,
                       uint64_t subbuf_bytes, unsigned n_subbufs,
                       char **ret_reason)
{
    struct lttng_channel *channel = lttng_channel_create(&handle->domain);
    uint64_t need =
        subbuf_bytes * n_subbufs * (uint64_t)sysconf(_SC_NPROCESSORS_CONF);

    if (!channel) {
        return failed(ret_reason, "channel", -LTTNG_ERR_NOMEM);
    }
    if (need > ct_shm_free_bytes()) {
        lttng_channel_destroy(channel);
        *ret_reason = g_strdup_printf(
            "the buffers need %" G_GUINT64_FORMAT
            " bytes of /dev/shm, and it has %" G_GUINT64_FORMAT " free",
            need, ct_shm_free_bytes());
        return -1;
    }
    g_strlcpy(channel->name, name, sizeof(channel->name));
    channel->enabled = 1;
    channel->attr.overwrite = 0;
    channel->attr.subbuf_size = subbuf_bytes;
    channel->attr.num_subbuf = n_subbufs;
    channel->attr.switch_timer_interval = SWITCH_TIMER_US;
    (void)lttng_channel_set_monitor_timer_interval(channel, 0);

    int code = lttng_enable_channel(handle, channel);
    lttng_channel_destroy(channel);
    return code < 0 ? failed(ret_reason, "channel", code) : 0;
}

static int add_contexts(struct lttng_handle *handle, const char *channel,
                        char **ret_reason)
{
    static const enum lttng_event_context_type wanted[] = {
        LTTNG_EVENT_CONTEXT_VPID,
        LTTNG_EVENT_CONTEXT_VTID,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        struct lttng_event_context context = {.ctx = wanted[i]};
        int code = lttng_add_context(handle, &context, NULL, channel);
        if (code < 0) {
            return failed(ret_reason, "context", code);
        }
    }
    return 0;
}

static int add_event(struct lttng_handle *handle, const char *channel,
                     const char *pattern, char **ret_reason)
{
    struct lttng_event *event = lttng_event_create();
    int code = -LTTNG_ERR_NOMEM;

    if (event) {
        event->type = LTTNG_EVENT_TRACEPOINT;
        event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
        event->loglevel = -1;
        if (g_strlcpy(event->name, pattern, sizeof(event->name)) >=
            sizeof(event->name)) {
            code = -LTTNG_ERR_INVALID;
        } else {
            code = lttng_enable_event_with_exclusions(handle, event, channel,
                                                      NULL, 0, NULL);
        }
        lttng_event_destroy(event);
    }
    /* Two patterns of the user may be the same. */
    return code < 0 && code != -LTTNG_ERR_UST_EVENT_ENABLED
               ? failed(ret_reason, pattern, code)
               : 0;
}

static int add_events(struct lttng_handle *handle, const char *channel,
                      const char *const *patterns, size_t n, char **ret_reason)
{
    int ret = 0;

    for (size_t i = 0; i < n && !ret; i++) {
        ret = add_event(handle, channel, patterns[i], ret_reason);
    }
    return ret;
}

/* PROVIDER:EVENT; ours if the user names no provider.  Return: the caller's. */
static GStrv full_patterns(const char *events, bool *ret_all_ours)
{
    GStrv patterns = g_strsplit(events ? events : "*", ",", -1);

    *ret_all_ours = true;
    for (char **pattern = patterns; *pattern; pattern++) {
        if (!strchr(*pattern, ':')) {
            char *full = g_strconcat(OURS, *pattern, NULL);
            g_free(*pattern);
            *pattern = full;
        }
        *ret_all_ours = *ret_all_ours && g_str_has_prefix(*pattern, OURS);
    }
    return patterns;
}

static int add_all(struct lttng_handle *handle,
                   const struct ct_lttng_plan *plan, char **ret_reason)
{
    unsigned n_subbufs = plan->n_subbufs ? plan->n_subbufs : DEFAULT_SUBBUFS;
    uint64_t bytes =
        plan->subbuf_bytes ? plan->subbuf_bytes : fitting_bytes(n_subbufs);
    bool all_ours;
    g_auto(GStrv) patterns = full_patterns(plan->events, &all_ours);
    const char *others = all_ours ? FILES_CHANNEL : CHANNEL;
    int ret = add_channel(handle, CHANNEL, bytes, n_subbufs, ret_reason);

    if (!ret && all_ours) {
        bytes = MIN(FILES_SUBBUF_BYTES, fitting_bytes(FILES_SUBBUFS));
        ret = add_channel(handle, FILES_CHANNEL, bytes, FILES_SUBBUFS,
                          ret_reason);
    }
    if (!ret) {
        ret = add_contexts(handle, others, ret_reason);
    }
    if (!ret) {
        ret =
            add_events(handle, others, files, G_N_ELEMENTS(files), ret_reason);
    }
    if (!ret) {
        ret = add_events(handle, CHANNEL, always, G_N_ELEMENTS(always),
                         ret_reason);
    }
    if (!ret) {
        ret = add_events(handle, CHANNEL, (const char *const *)patterns,
                         g_strv_length(patterns), ret_reason);
    }
    return ret;
}

int ct_lttng_create(const struct ct_lttng_plan *plan, char **ret_reason)
{
    struct lttng_session_descriptor *wanted =
        lttng_session_descriptor_local_create(plan->session, plan->output);

    if (!wanted) {
        return failed(ret_reason, plan->output, -LTTNG_ERR_INVALID);
    }
    int code = (int)lttng_create_session_ext(wanted);
    lttng_session_descriptor_destroy(wanted);
    if (code != LTTNG_OK) {
        return failed(ret_reason, "session", -code);
    }

    struct lttng_handle *handle = open_session(plan->session);
    if (!handle) {
        return failed(ret_reason, "session", -LTTNG_ERR_NOMEM);
    }
    int ret = add_all(handle, plan, ret_reason);
    lttng_destroy_handle(handle);
    return ret;
}

int ct_lttng_limit(const char *session, pid_t pid, char **ret_reason)
{
    struct lttng_process_attr_tracker_handle *tracker = NULL;
    int code = (int)lttng_session_get_tracker_handle(
        session, LTTNG_DOMAIN_UST, LTTNG_PROCESS_ATTR_VIRTUAL_PROCESS_ID,
        &tracker);

    if (code != LTTNG_OK) {
        return failed(ret_reason, "process tracker", -code);
    }
    bool set = lttng_process_attr_tracker_handle_set_tracking_policy(
                   tracker, LTTNG_TRACKING_POLICY_INCLUDE_SET) ==
                   LTTNG_PROCESS_ATTR_TRACKER_HANDLE_STATUS_OK &&
               lttng_process_attr_virtual_process_id_tracker_handle_add_pid(
                   tracker, pid) == LTTNG_PROCESS_ATTR_TRACKER_HANDLE_STATUS_OK;
    lttng_process_attr_tracker_handle_destroy(tracker);
    return set ? 0 : failed(ret_reason, "process tracker", -LTTNG_ERR_UNK);
}

int ct_lttng_start(const char *session, char **ret_reason)
{
    int code = lttng_start_tracing(session);

    return code < 0 ? failed(ret_reason, "start", code) : 0;
}

int ct_lttng_stop(const char *session, char **ret_reason)
{
    int code = lttng_stop_tracing_no_wait(session);

    return code < 0 && code != -LTTNG_ERR_TRACE_ALREADY_STOPPED
               ? failed(ret_reason, "stop", code)
               : 0;
}

int ct_lttng_is_pending(const char *session)
{
    return lttng_data_pending(session);
}

struct lttng_destruction_handle *ct_lttng_destroy(const char *session)
{
    struct lttng_destruction_handle *destruction = NULL;

    return lttng_destroy_session_ext(session, &destruction) == LTTNG_OK
               ? destruction
               : NULL;
}

int ct_lttng_is_destroyed(struct lttng_destruction_handle *destruction,
                          int timeout_ms)
{
    enum lttng_error_code result;

    switch (
        lttng_destruction_handle_wait_for_completion(destruction, timeout_ms)) {
    case LTTNG_DESTRUCTION_HANDLE_STATUS_TIMEOUT:
        return 0;
    case LTTNG_DESTRUCTION_HANDLE_STATUS_COMPLETED:
        return lttng_destruction_handle_get_result(destruction, &result) ==
                           LTTNG_DESTRUCTION_HANDLE_STATUS_OK &&
                       result == LTTNG_OK
                   ? 1
                   : -1;
    default:
        return -1;
    }
}

void ct_lttng_forget(struct lttng_destruction_handle *destruction)
{
    lttng_destruction_handle_destroy(destruction);
}

int ct_lttng_sessions(const char *but)
{
    struct lttng_session *sessions = NULL;
    int n = lttng_list_sessions(&sessions);
    int counted = n < 0 ? -1 : 0;

    for (int i = 0; i < n; i++) {
        counted += strncmp(sessions[i].name, but, strlen(but)) != 0;
    }
    free(sessions);
    return counted;
}
