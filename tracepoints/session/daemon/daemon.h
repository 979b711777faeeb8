/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/daemon.h - a session daemon of our own
 *
 * Model:    as a user it lives in a home of its own (LTTNG_HOME).  Root's has
 *           fixed paths, so it gets a mount namespace with an empty
 *           /run/lttng and an empty /dev/shm; the program stays outside and
 *           finds the daemon's socket in the home as well.
 * Threads:  the keeper, single-threaded.
 * Errors:   as each function says.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_DAEMON_DAEMON_H
#define CT_SESSION_DAEMON_DAEMON_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Where LTTng keeps everything when it runs as root; compiled into it. */
#define CT_DAEMON_ROOT_DIR "/var/run/lttng"

/** ct_daemon_find() - path of lttng-sessiond (g_free), or NULL */
char *ct_daemon_find(GError **error);

/**
 * ct_daemon_isolate() - a mount namespace with empty places for root's daemon
 * @output:   where the trace is written, absolute; reached as before
 * @home:     see ct_place_home(); likewise
 * @ret_mark: an open descriptor to be given to ct_daemon_unisolate()
 * Return: false if it is not allowed here.
 */
bool ct_daemon_isolate(const char *output, const char *home, int *ret_mark);

/** ct_daemon_unisolate() - remove what ct_daemon_isolate() made outside of the
 * namespace, if no other recording uses it */
void ct_daemon_unisolate(int mark);

/**
 * ct_daemon_start() - start the private daemon
 * @home:  see ct_place_home()
 * It sends SIGUSR1 to the caller when it serves; its output goes to a log.
 * It ends with the caller, and leads a process group with its consumer.
 * Return: its pid, or -errno.
 */
pid_t ct_daemon_start(const char *path, const char *home);

/** ct_daemon_last_words() - the last error in its log (g_free), or NULL */
char *ct_daemon_last_words(const char *home);

/** ct_daemon_write_failure() - why the consumer could not write the trace
 * (g_free), or NULL if it could */
char *ct_daemon_write_failure(const char *home);

/**
 * ct_daemon_spawn() - run a program in the background of this process
 * @home: LTTNG_HOME for it, and where its log goes; NULL: neither
 * @log:  name of the log in @home, NULL: nowhere
 * Return: its pid, or -errno.
 */
pid_t ct_daemon_spawn(const char *path, const char *const argv[],
                      const char *home, const char *log);

#endif
