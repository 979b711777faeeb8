/* SPDX-License-Identifier: MIT */
/*
 * ct/session.h - one recording, from outside the traced program
 *
 * Model:    configure -> ct_session_record(): private daemon, session,
 *           channels, events, program, bounded stop, clean-up -> result.
 * Threads:  one recording at a time a process, which has one thread then: the
 *           call forks helpers that own the daemons and speak with them.  It
 *           takes over the signals that end a process, and restores them.
 * Memory:   strings in the configuration are borrowed for the call; the
 *           result's are freed by ct_session_result_fini().
 * Errors:   GError, domain CT_SESSION_ERROR, one line without the program's
 *           name in front; nothing is printed, nothing half-made stays behind.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_H
#define CT_SESSION_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CT_SESSION_ERROR ct_session_error_quark()
GQuark ct_session_error_quark(void);

enum ct_session_error {
    CT_SESSION_ERROR_PROGRAM, /* does not exist, can't be executed */
    CT_SESSION_ERROR_OUTPUT,  /* the directory can't be made or is not empty */
    CT_SESSION_ERROR_DAEMON,  /* no session daemon could be had */
    CT_SESSION_ERROR_LTTNG,   /* LTTng refused something */
    CT_SESSION_ERROR_INTERRUPTED, /* a signal came before the program ran */
};

/* What is noted of a QEMU. */
struct ct_session_qemu {
    const char *version; /* as it told */
    const char *clock;   /* whose times: "exact", "program", "reader" */
    const char *events;  /* that were switched on, a name a line */
};

struct ct_session_config {
    const char *output;    /* directory to make; must not exist or be empty */
    char *const *argv;     /* program and arguments, NULL-terminated */
    const char *events;    /* comma-separated patterns within provider cotrace
                              ("*"; NULL: everything) */
    uint64_t subbuf_bytes; /* 0: default; a power of two */
    unsigned n_subbufs;    /* 0: default; a power of two */
    const char *provider;  /* path of libcotrace-provider.so; NULL: the
                              program finds its own */
    const char *qemu;      /* ct_session_record_qemu(): comma-separated patterns
                              of QEMU's events; NULL: what is analysed */
    const struct ct_session_qemu *of_qemu; /* NULL: it is none; set by
                              ct_session_record_qemu() */
    bool outlives;       /* the program goes on if this process is killed */
    const char *preload; /* path of libcotrace-preload.so, for a program
                            without tracepoints; NULL: nothing is preloaded */
};

struct ct_session_result {
    uint64_t events;    /* recorded */
    uint64_t own;       /* of them the program's: LTTng tells of loaded files */
    uint64_t discarded; /* lost because the buffers were full */
    bool counted;       /* the two numbers are known */
    bool complete;      /* every buffer was taken over whole */
    int exit_status;    /* of the program, 128+N if signal N ended it */
    bool has_tracepoints; /* its file says so; looked at only with a preload */
    char *not_recorded;   /* what could not be recorded and why, or NULL */
};

/**
 * ct_session_record() - run a program and record it
 * @config:     see there; borrowed
 * @ret_result: set only on success
 * @error:      set only on failure
 *
 * Runs the program with this process's standard streams, environment and
 * working directory.  Signals that were sent to this process alone go on to
 * the program (a terminal sends its own to both); the call returns when the
 * program has ended and the trace is complete, or, when LTTng makes no
 * progress, at most 5 s after the program's end with complete == false.
 * If this process is killed, the program gets SIGTERM, and the helpers end the
 * daemons.  @output gets a note about the recording, see docs/RECORDING.md.
 * Pre:    [session-record/argv] a program; [session-record/output] a name.
 * Return: true; false with @error set if the program was not started or could
 * not be recorded at all (then @output is not left behind).
 */
bool ct_session_record(const struct ct_session_config *config,
                       struct ct_session_result *ret_result, GError **error);

/**
 * ct_session_record_qemu() - run a QEMU and record its own trace events
 *
 * By LTTng-UST if it was built with that, then `events` is not used; else by
 * its trace log, with times of a process that looks on where QEMU writes none.
 * The program is run with a few more arguments, and before that to be asked
 * what it is.  It goes on whatever happens to this process.
 * Everything else as ct_session_record().
 * Pre:    [session-record-qemu/argv], [session-record-qemu/output]
 */
bool ct_session_record_qemu(const struct ct_session_config *config,
                            struct ct_session_result *ret_result,
                            GError **error);

void ct_session_result_fini(struct ct_session_result *result);

#endif
