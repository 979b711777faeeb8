/* SPDX-License-Identifier: MIT */
/*
 * record.c - one recording of a QEMU, by its log or by LTTng-UST
 *
 *   1. ask the program what it is; make a plan (plan.c)
 *   2. LTTng-UST: an ordinary recording with other events
 *   3. log: output, reader if QEMU writes no times, program; until it ends,
 *      pass signals on; count; cotrace.json
 *
 * A guest is worth more than its trace: nothing that happens to this process
 * or to the reader ends or stops QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct/pre.h"
#include "ct/session.h"

#include "session/launch.h"
#include "session/output/note.h"
#include "session/output/place.h"
#include "session/preload.h"
#include "session/qemu/plan.h"
#include "session/qemu/program.h"
#include "session/qemu/reader.h"
#include "session/signals.h"

#define BLOCK_BYTES (256 * 1024)

struct recording {
    const struct ct_session_config *config;
    char *program; /* path */
    struct ct_qemu_program qemu;
    struct ct_qemu_plan plan;
    char *output;
    bool made;
    char *log;
    struct ct_signals signals;
    struct ct_qemu_reader reader;
    bool reads; /* the reader runs */
    int read_error;
    struct ct_launch launch;
    int status; /* of the program, as waitpid() tells */
    struct ct_note note;
    struct ct_session_qemu note_qemu;
    const char *bare; /* why there is no more than the log; NULL: wanted so */
};

static bool fail(GError **error, enum ct_session_error code, const char *name,
                 int reason)
{
    g_set_error(error, CT_SESSION_ERROR, (int)code, "%s: %s", name,
                g_strerror(-reason));
    return false;
}

/* --- set-up --------------------------------------------------------------- */

static int make_log(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    return file < 0 || close(file) ? -errno : 0;
}

static bool prepare_files(struct recording *recording, GError **error)
{
    g_autofree char *stamps =
        g_build_filename(recording->output, CT_QEMU_STAMPS, NULL);
    int ret = make_log(recording->log);

    if (!ret && recording->plan.needs_stamps) {
        ret = ct_qemu_reader_start(&recording->reader, recording->log, stamps);
        recording->reads = !ret;
    }
    return !ret ||
           fail(error, CT_SESSION_ERROR_OUTPUT, recording->config->output, ret);
}

static bool prepare_output(struct recording *recording, GError **error)
{
    const struct ct_session_config *config = recording->config;

    recording->output =
        ct_place_output(config->output, &recording->made, error);
    if (!recording->output ||
        !ct_qemu_plan_make(&recording->qemu, config->argv, config->qemu,
                           recording->output, false, &recording->plan, error)) {
        return false;
    }
    recording->log = g_build_filename(recording->output, CT_QEMU_LOG, NULL);
    recording->note_qemu = (struct ct_session_qemu){
        .version = recording->qemu.version,
        .clock = recording->plan.needs_stamps ? "reader" : "program",
        .events = recording->plan.events,
    };
    recording->note = (struct ct_note){
        .program = recording->program,
        .argv = config->argv,
        .events = config->qemu,
        .begin_ns = g_get_real_time() * 1000,
        .qemu = &recording->note_qemu,
    };
    int ret = ct_note_claim(recording->output, &recording->note);
    if (ret == -EEXIST) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT,
                    "%s: another recording writes to it", config->output);
        g_clear_pointer(&recording->output, g_free); /* not ours */
        return false;
    }
    return !ret || fail(error, CT_SESSION_ERROR_OUTPUT, config->output, ret);
}

static bool start_program(struct recording *recording, GError **error)
{
    g_auto(GStrv) environment = g_get_environ();

    if (!ct_launch_fork(&recording->launch, recording->program,
                        recording->plan.argv, environment,
                        &recording->signals.before, error)) {
        return false;
    }
    recording->note.pid = recording->launch.pid;
    return ct_launch_go(&recording->launch, recording->config->argv[0], error);
}

/* --- while it runs -------------------------------------------------------- */

/* A reader that ended by itself is waited for at once, so that its pid stays
 * its own for as long as it is used. */
static void look_after_reader(struct recording *recording)
{
    int status;

    if (recording->reads &&
        waitpid(recording->reader.pid, &status, WNOHANG) > 0) {
        recording->reads = false;
        recording->read_error =
            WIFEXITED(status) ? -WEXITSTATUS(status) : -EOWNERDEAD;
        (void)close(recording->reader.life);
    }
}

static void follow_program(struct recording *recording)
{
    while (waitpid(recording->launch.pid, &recording->status, WNOHANG) == 0) {
        struct pollfd ready = {.fd = recording->signals.fd, .events = POLLIN};

        (void)poll(&ready, 1, -1);
        ct_signals_pass_on(&recording->signals, recording->launch.pid);
        look_after_reader(recording);
    }
}

/* --- the end -------------------------------------------------------------- */

/* The backend `simple` writes a binary file, which begins like this. */
static bool is_binary(const char *block, ssize_t n)
{
    return n >= (ssize_t)sizeof(uint64_t) && !memcmp(block,
                                                     "\xff\xff\xff\xff"
                                                     "\xff\xff\xff\xff",
                                                     sizeof(uint64_t));
}

/* Lines of the log; false: it can't be read. */
static bool count_lines(const char *path, uint64_t *ret_lines,
                        bool *ret_is_binary)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *block = g_malloc(BLOCK_BYTES);
    ssize_t n = -1;

    *ret_lines = 0;
    *ret_is_binary = false;
    for (bool first = true;
         file >= 0 && ((n = read(file, block, BLOCK_BYTES)) > 0 ||
                       (n < 0 && errno == EINTR));
         first = first && n < 0) {
        *ret_is_binary = *ret_is_binary || (first && is_binary(block, n));
        const char *end = block + MAX(n, 0);
        const char *at = block;

        while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
            at++;
            ++*ret_lines;
        }
    }
    g_free(block);
    if (file >= 0) {
        (void)close(file);
    }
    return n == 0;
}

static char *unrecorded(const struct recording *recording)
{
    if (!recording->read_error) {
        return recording->bare ? g_strdup_printf("stacks and worker threads: "
                                                 "%s; its log was recorded",
                                                 recording->bare)
                               : NULL;
    }
    return g_strdup_printf(
        "times from some line on: %s; all lines are in %s/" CT_QEMU_LOG,
        recording->read_error == -EOWNERDEAD ? "the reader was killed"
        : recording->read_error == -ESTALE
            ? "the log was cut while it was written"
            : g_strerror(-recording->read_error),
        recording->config->output);
}

static void finish(struct recording *recording,
                   struct ct_session_result *ret_result)
{
    uint64_t lines;
    bool is_simple;

    if (recording->reads) {
        recording->read_error = ct_qemu_reader_stop(&recording->reader);
        recording->reads = false;
    }
    bool whole = count_lines(recording->log, &lines, &is_simple);
    if (is_simple) { /* has times, and events that nobody counted */
        recording->read_error = 0;
        recording->note_qemu.clock = "exact";
    }
    *ret_result = (struct ct_session_result){
        .events = lines,
        .own = lines,
        .counted = whole && !is_simple,
        .complete = whole && !recording->read_error,
        .exit_status = ct_launch_exit_status(recording->status),
        .not_recorded = unrecorded(recording),
    };
    recording->note.end_ns = g_get_real_time() * 1000;
    recording->note.result = ret_result;
    int ret = ct_note_write(recording->output, &recording->note);
    if (ret && !ret_result->not_recorded) {
        ret_result->not_recorded =
            g_strdup_printf("%s: %s", CT_NOTE_NAME, g_strerror(-ret));
    }
}

static bool record_log(struct recording *recording,
                       struct ct_session_result *ret_result, GError **error)
{
    bool occupied[STDERR_FILENO + 1];

    ct_streams_occupy(occupied);
    ct_signals_take(&recording->signals);
    recording->signals.before.outlives = true;
    bool done = prepare_output(recording, error) &&
                prepare_files(recording, error) &&
                start_program(recording, error);
    if (done) {
        follow_program(recording);
        finish(recording, ret_result);
    }
    if (recording->reads) {
        (void)ct_qemu_reader_stop(&recording->reader);
    }
    if (!done && recording->output) {
        ct_place_abandon(recording->output, recording->made);
    }
    ct_signals_give_back(&recording->signals);
    ct_streams_free(occupied);
    return done;
}

/* By LTTng: QEMU's own events, or the lines of its log, with stacks. */
static bool record_ust(const struct recording *recording, bool preloads,
                       struct ct_session_result *ret_result, GError **error)
{
    struct ct_session_config config = *recording->config;
    struct ct_qemu_plan plan;

    if (!ct_qemu_plan_make(&recording->qemu, config.argv, config.qemu, "",
                           preloads, &plan, error)) {
        return false;
    }
    const struct ct_session_qemu told = {recording->qemu.version, "exact",
                                         plan.events};
    config.of_qemu = &told;
    if (plan.way == CT_QEMU_WAY_PRELOAD) {
        config.argv = plan.argv;
        (void)g_setenv("COTRACE_LINES", "only", TRUE);
    } else {
        config.events = plan.patterns;
        config.preload = NULL; /* it tells all by itself */
    }
    config.outlives = true;
    bool done = ct_session_record(&config, ret_result, error);
    ct_qemu_plan_fini(&plan);
    return done;
}

/* The program was not started, and its log needs no LTTng. */
static bool is_without_lttng(const GError *reason)
{
    return g_error_matches(reason, CT_SESSION_ERROR, CT_SESSION_ERROR_DAEMON) ||
           g_error_matches(reason, CT_SESSION_ERROR, CT_SESSION_ERROR_LTTNG);
}

bool ct_session_record_qemu(const struct ct_session_config *config,
                            struct ct_session_result *ret_result,
                            GError **error)
{
    struct recording recording = {.config = config};

    ct_pre("session-record-qemu/argv", config->argv && config->argv[0]);
    ct_pre("session-record-qemu/output", config->output);
    recording.program = ct_launch_find(config->argv[0], error);
    bool done = recording.program &&
                ct_qemu_program_ask(recording.program, config->argv[0],
                                    &recording.qemu, error);
    if (done) {
        struct ct_preload preload;
        ct_preload_look(recording.program, &preload);
        g_autofree char *refusal =
            config->preload ? ct_preload_why_not(&preload) : NULL;
        bool preloads = config->preload && !refusal && !recording.qemu.has_ust;
        g_autoptr(GError) reason = NULL;
        if (recording.qemu.has_ust) {
            done = record_ust(&recording, false, ret_result, error);
        } else if (preloads &&
                   record_ust(&recording, true, ret_result, &reason)) {
            done = true;
        } else if (!reason || is_without_lttng(reason)) {
            recording.bare = reason ? reason->message : refusal;
            done = record_log(&recording, ret_result, error);
        } else {
            g_propagate_error(error, g_steal_pointer(&reason));
            done = false;
        }
    }
    ct_qemu_plan_fini(&recording.plan);
    ct_qemu_program_fini(&recording.qemu);
    g_free(recording.program);
    g_free(recording.output);
    g_free(recording.log);
    return done;
}
