/* SPDX-License-Identifier: MIT */
/*
 * session.c - one recording, from the first check to the last clean-up
 *
 *   1. what can be checked without a trace: program, daemon, output
 *   2. keeper (daemon and control process), then session, channel, events
 *   3. fork; the session is started before the program runs its first
 *      instruction; exec
 *   4. until the program ends: pass signals on
 *   5. stop, bounded: as long as the trace grows we wait; QUIET_MS without
 *      growth, and it is cut off
 *   6. keeper ends everything; count; cotrace.json
 *
 * Until exec has succeeded, a failure leaves nothing behind; after that the
 * recording has a result, if only that it is not complete.
 *
 * This process never calls LTTng: it waits on the wires, the signals and a
 * clock only, so nothing that LTTng does can keep it from answering a signal.
 *
 * Signals: what a terminal sends reached the program, too (it is in the same
 * process group); what somebody sends to this process alone is passed on.
 */
#include "ct/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct/pre.h"

#include "session/output/count.h"
#include "session/daemon/daemon.h"
#include "session/keeper/keeper.h"
#include "session/launch.h"
#include "session/output/note.h"
#include "session/output/place.h"
#include "session/preload.h"
#include "session/keeper/wire.h"
#include "session/signals.h"

#define SETUP_MS       20000
#define QUIET_MS       2000 /* stopping without any growth */
#define HURRY_MS       500  /* for the session to be dropped */
#define TICK_MS        20   /* how often growth is looked at */
#define PATIENCE_MS    2000 /* for daemons whose work is done */
#define NO_PATIENCE_MS 200  /* for daemons that are stuck */
#define NO_STATUS      (-1)

G_DEFINE_QUARK(ct - session - error, ct_session_error)

struct recording {
    const struct ct_session_config *config;
    char *program;
    char *daemon;
    char *output;
    char *home;
    char *session; /* name */
    bool made;     /* the output directory was made here */

    struct ct_signals signals;

    struct ct_keeper keeper;
    bool kept; /* the keeper runs */
    enum ct_keeper_mode mode;
    char *unwritten; /* why the trace could not be written */
    char *broken;    /* why the daemons ended in mid-recording */

    struct ct_preload preload; /* what the program's file says of that */
    struct ct_launch launch;
    int status;      /* of the program, as waitpid() tells; NO_STATUS */
    int interrupted; /* a signal that came before the program was started */

    struct ct_note note;
};

static void fail(GError **error, enum ct_session_error code, const char *reason)
{
    g_set_error_literal(error, CT_SESSION_ERROR, (int)code, reason);
}

/* --- set-up --------------------------------------------------------------- */

/* Wait for the answer on one wire; whatever comes between ends the set-up. */
static bool await_answer(struct recording *recording, int wire,
                         enum ct_wire wanted, struct ct_wire_message *ret,
                         GError **error)
{
    struct pollfd ready[] = {
        {.fd = wire, .events = POLLIN},
        {.fd = recording->signals.fd, .events = POLLIN},
    };
    int64_t until = g_get_monotonic_time() + SETUP_MS * INT64_C(1000);

    for (;;) {
        bool sent_here;
        int64_t left = (until - g_get_monotonic_time()) / 1000;

        if (left <= 0) {
            fail(error, CT_SESSION_ERROR_DAEMON,
                 "lttng-sessiond does not answer");
            return false;
        }
        (void)poll(ready, G_N_ELEMENTS(ready), (int)left);
        recording->interrupted =
            ct_signals_next(&recording->signals, &sent_here);
        if (recording->interrupted) {
            g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_INTERRUPTED,
                        "ended by signal %d (%s) before %s was started",
                        recording->interrupted,
                        strsignal(recording->interrupted),
                        recording->config->argv[0]);
            return false;
        }
        if (ct_wire_receive(wire, ret, 0)) {
            continue;
        }
        if (ret->kind == wanted) {
            return true;
        }
        fail(error,
             wire == recording->keeper.wire ? CT_SESSION_ERROR_DAEMON
                                            : CT_SESSION_ERROR_LTTNG,
             ret->text[0] ? ret->text : "the session daemon ended");
        return false;
    }
}

static bool ask(struct recording *recording, enum ct_wire what, int number,
                GError **error)
{
    struct ct_wire_message message;

    (void)ct_wire_send(recording->keeper.control, what, number, NULL);
    return await_answer(recording, recording->keeper.control, CT_WIRE_DONE,
                        &message, error);
}

static bool prepare_output(struct recording *recording, GError **error)
{
    const struct ct_session_config *config = recording->config;

    recording->output =
        ct_place_output(config->output, &recording->made, error);
    if (!recording->output) {
        return false;
    }
    recording->note = (struct ct_note){
        .program = recording->program,
        .argv = config->argv,
        .events = config->of_qemu ? config->qemu : config->events,
        .qemu = config->of_qemu,
        .begin_ns = g_get_real_time() * 1000,
    };
    int ret = ct_note_claim(recording->output, &recording->note);
    if (ret) {
        g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_OUTPUT, "%s: %s",
                    config->output,
                    ret == -EEXIST ? "another recording writes to it"
                                   : g_strerror(-ret));
        if (ret == -EEXIST) {
            g_clear_pointer(&recording->output, g_free); /* not ours */
        }
        return false;
    }
    return true;
}

static bool start_keeper(struct recording *recording, GError **error)
{
    const struct ct_session_config *config = recording->config;
    struct ct_wire_message message;
    const char *const names[] = {"home", "namespace", "shared"};

    recording->home = ct_place_home(error);
    if (!recording->home) {
        return false;
    }
    recording->session = g_path_get_basename(recording->home);
    const struct ct_lttng_plan plan = {
        .session = recording->session,
        .output = recording->output,
        .events = config->events,
        .subbuf_bytes = config->subbuf_bytes,
        .n_subbufs = config->n_subbufs,
    };
    int ret = ct_keeper_start(&recording->keeper, recording->daemon,
                              recording->home, &plan);
    if (ret) {
        fail(error, CT_SESSION_ERROR_DAEMON, g_strerror(-ret));
        ct_place_remove(recording->home);
        return false;
    }
    recording->kept = true;
    if (!await_answer(recording, recording->keeper.wire, CT_WIRE_READY,
                      &message, error)) {
        return false;
    }
    recording->mode = ct_keeper_ready(&recording->keeper, &message);
    recording->note.daemon = names[recording->mode];
    return true;
}

static bool start_program(struct recording *recording, GError **error)
{
    const struct ct_session_config *config = recording->config;
    const char *home =
        recording->mode == CT_KEEPER_SHARED ? NULL : recording->home;
    const char *preload =
        config->preload && !ct_preload_harms(&recording->preload)
            ? config->preload
            : NULL;
    g_auto(GStrv) environment =
        ct_launch_environment(home, config->provider, preload);

    if (!ct_launch_fork(&recording->launch, recording->program, config->argv,
                        environment, &recording->signals.before, error)) {
        return false;
    }
    recording->note.pid = recording->launch.pid;
    if (!ask(recording, CT_WIRE_START, recording->launch.pid, error)) {
        ct_launch_give_up(&recording->launch);
        return false;
    }
    (void)ct_wire_send(recording->keeper.wire, CT_WIRE_WATCH, 0, NULL);
    return ct_launch_go(&recording->launch, config->argv[0], error);
}

/* --- while it runs -------------------------------------------------------- */

static void take_word_of_keeper(struct recording *recording)
{
    struct ct_wire_message message;

    if (recording->broken ||
        ct_wire_receive(recording->keeper.wire, &message, 0)) {
        return;
    }
    recording->broken = g_strdup(message.kind == CT_WIRE_BROKEN
                                     ? message.text
                                     : "cotrace-keeper ended before the end");
}

static void follow_program(struct recording *recording)
{
    while (waitpid(recording->launch.pid, &recording->status, WNOHANG) == 0) {
        struct pollfd ready[] = {
            {.fd = recording->signals.fd, .events = POLLIN},
            {.fd = recording->broken ? -1 : recording->keeper.wire,
             .events = POLLIN},
        };

        (void)poll(ready, G_N_ELEMENTS(ready), -1);
        ct_signals_pass_on(&recording->signals, recording->launch.pid);
        if (ready[1].revents) {
            take_word_of_keeper(recording);
        }
    }
}

/* --- the stop ------------------------------------------------------------- */

/* Wait for the answer to STOP for as long as the trace grows. */
static bool stop_session(struct recording *recording)
{
    int wire = recording->keeper.control;
    uint64_t bytes = ct_place_bytes(recording->output);
    int64_t growth = g_get_monotonic_time();
    int64_t hurried = 0;

    (void)ct_wire_send(wire, CT_WIRE_STOP, 0, NULL);
    for (;;) {
        struct ct_wire_message message;
        bool sent_here;

        if (!ct_wire_receive(wire, &message, TICK_MS)) {
            return message.kind == CT_WIRE_DONE && message.number;
        }
        int64_t now = g_get_monotonic_time();
        uint64_t grown = ct_place_bytes(recording->output);
        if (grown != bytes) {
            bytes = grown;
            growth = now;
        }
        /* A signal now is somebody who does not want to wait. */
        bool quiet = now - growth > QUIET_MS * INT64_C(1000) ||
                     ct_signals_next(&recording->signals, &sent_here);
        if (!hurried && quiet) {
            (void)ct_wire_send(wire, CT_WIRE_HURRY, 0, NULL);
            hurried = now;
        }
        if (hurried && now - hurried > HURRY_MS * INT64_C(1000)) {
            return false;
        }
    }
}

static void say_unrecorded(struct recording *recording,
                           struct ct_session_result *result)
{
    g_autofree char *refusal = recording->config->preload
                                   ? ct_preload_why_not(&recording->preload)
                                   : NULL;

    if (recording->unwritten) {
        result->not_recorded =
            g_strdup_printf("what did not fit: %s: %s",
                            recording->config->output, recording->unwritten);
    } else if (recording->broken) {
        result->not_recorded = g_strdup(recording->broken);
    } else if (refusal) {
        result->not_recorded =
            g_strdup_printf("%s: %s, so nothing can be preloaded into it",
                            recording->program, refusal);
    } else if (result->has_tracepoints) {
        result->not_recorded = g_strdup_printf(
            "what --preload adds: %s has tracepoints of its own, which tell "
            "alone",
            recording->program);
    } else if (recording->mode == CT_KEEPER_SHARED) {
        result->not_recorded = g_strdup(
            "children of the program (no mount namespace is allowed here, so "
            "the system-wide session daemon served)");
    }
}

static void finish(struct recording *recording,
                   struct ct_session_result *ret_result)
{
    bool whole = stop_session(recording);

    take_word_of_keeper(recording);
    recording->unwritten =
        ct_keeper_end(&recording->keeper, whole ? PATIENCE_MS : NO_PATIENCE_MS);
    recording->kept = false;

    struct ct_count count;
    ct_count_trace(recording->output, &count);
    *ret_result = (struct ct_session_result){
        .events = count.events,
        .own = count.own,
        .discarded = count.discarded,
        .counted = count.known,
        .complete = whole && !recording->broken && !recording->unwritten &&
                    !count.damaged,
        .exit_status = ct_launch_exit_status(recording->status),
        .has_tracepoints =
            recording->config->preload && recording->preload.has_tracepoints,
    };
    say_unrecorded(recording, ret_result);
    recording->note.end_ns = g_get_real_time() * 1000;
    recording->note.result = ret_result;
    int ret = ct_note_write(recording->output, &recording->note);
    if (ret && !ret_result->not_recorded) {
        ret_result->not_recorded =
            g_strdup_printf("%s: %s", CT_NOTE_NAME, g_strerror(-ret));
    }
}

static bool record(struct recording *recording,
                   struct ct_session_result *ret_result, GError **error)
{
    recording->program = ct_launch_find(recording->config->argv[0], error);
    if (!recording->program) {
        return false;
    }
    ct_preload_look(recording->program, &recording->preload);
    recording->daemon = ct_daemon_find(error);
    if (!recording->daemon || !prepare_output(recording, error) ||
        !start_keeper(recording, error) ||
        !ask(recording, CT_WIRE_CREATE, 0, error) ||
        !start_program(recording, error)) {
        return false;
    }
    follow_program(recording);
    finish(recording, ret_result);
    return true;
}

bool ct_session_record(const struct ct_session_config *config,
                       struct ct_session_result *ret_result, GError **error)
{
    struct recording recording = {.config = config, .status = NO_STATUS};
    bool occupied[STDERR_FILENO + 1];

    ct_pre("session-record/argv", config->argv && config->argv[0]);
    ct_pre("session-record/output", config->output);
    ct_streams_occupy(occupied);
    ct_signals_take(&recording.signals);
    recording.signals.before.outlives = config->outlives;
    bool done = record(&recording, ret_result, error);
    if (recording.kept) {
        g_free(ct_keeper_end(&recording.keeper, NO_PATIENCE_MS));
    }
    if (!done && recording.output) {
        ct_place_abandon(recording.output, recording.made);
    }
    ct_signals_give_back(&recording.signals);
    ct_streams_free(occupied);
    g_free(recording.program);
    g_free(recording.daemon);
    g_free(recording.output);
    g_free(recording.home);
    g_free(recording.session);
    g_free(recording.broken);
    g_free(recording.unwritten);
    return done;
}

void ct_session_result_fini(struct ct_session_result *result)
{
    g_clear_pointer(&result->not_recorded, g_free);
}
