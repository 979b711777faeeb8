/* SPDX-License-Identifier: MIT */
/*
 * program.c - asks a QEMU what it is and which trace events it has
 *
 * A program that is no QEMU may do anything when it is run, so it gets nothing
 * to read, one process group of its own, and a few seconds.
 */
#include "session/qemu/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS  10000
#define ANSWER_MAX (4 << 20)

/* How each begins its first line; the version stands behind it. */
static const char *const titles[CT_QEMU_KINDS] = {
    [CT_QEMU_SYSTEM] = "QEMU emulator version ",
    [CT_QEMU_IO] = "qemu-io version ",
    [CT_QEMU_IMG] = "qemu-img version ",
    [CT_QEMU_NBD] = "qemu-nbd ",
    [CT_QEMU_STORAGE_DAEMON] = "qemu-storage-daemon version ",
};

static bool refuse(GError **error, const char *name, const char *why)
{
    g_set_error(error, CT_SESSION_ERROR, CT_SESSION_ERROR_PROGRAM, "%s: %s",
                name, why);
    return false;
}

/* --- understanding -------------------------------------------------------- */

static bool parse_version(const char *text, struct ct_qemu_program *program)
{
    for (unsigned i = 0; i < CT_QEMU_KINDS; i++) {
        if (g_str_has_prefix(text, titles[i])) {
            const char *number = text + strlen(titles[i]);

            if (g_str_has_prefix(number, "version ")) {
                number += strlen("version ");
            }
            size_t length = strspn(number, "0123456789.");
            program->kind = (enum ct_qemu_kind)i;
            program->version = g_strndup(number, length);
            return length > 0;
        }
    }
    return false;
}

static bool is_event(const char *line)
{
    return *line &&
           !line[strspn(line, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_")];
}

/* A name a line; what is said around them is passed over. */
static char **parse_events(const char *text)
{
    char **lines = g_strsplit(text, "\n", -1);
    unsigned n = 0;

    for (unsigned i = 0; lines[i]; i++) {
        g_strstrip(lines[i]);
        if (is_event(lines[i])) {
            lines[n++] = lines[i];
        } else {
            g_free(lines[i]);
        }
    }
    lines[n] = NULL;
    return lines;
}

bool ct_qemu_program_parse(const char *name, const char *version,
                           const char *events,
                           struct ct_qemu_program *ret_program, GError **error)
{
    struct ct_qemu_program program = {0};

    if (!parse_version(version, &program)) {
        ct_qemu_program_fini(&program);
        return refuse(error, name,
                      "is none of the QEMU programs that --qemu knows (asked "
                      "by --version)");
    }
    program.events = parse_events(events);
    if (!program.events[0]) {
        ct_qemu_program_fini(&program);
        return refuse(error, name,
                      "has no trace events (asked by -trace "
                      "help)");
    }
    *ret_program = program;
    return true;
}

void ct_qemu_program_fini(struct ct_qemu_program *program)
{
    g_clear_pointer(&program->version, g_free);
    g_clear_pointer(&program->events, g_strfreev);
}

/* --- asking --------------------------------------------------------------- */

static _Noreturn void child(const char *path, char *const argv[], int out)
{
    int null = open("/dev/null", O_RDWR);

    (void)setpgid(0, 0);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0) {
        _exit(127);
    }
    (void)execvp(path, argv);
    _exit(127);
}

/* Return: all that comes within the time; the end of it is on its own. */
static char *collect(int from)
{
    int64_t until = g_get_monotonic_time() + ANSWER_MS * INT64_C(1000);
    GString *text = g_string_new(NULL);
    struct pollfd ready = {.fd = from, .events = POLLIN};

    while (text->len < ANSWER_MAX) {
        char part[4096];
        int64_t left_ms = (until - g_get_monotonic_time()) / 1000;

        if (left_ms <= 0 ||
            (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR)) {
            break;
        }
        if (!ready.revents) {
            continue;
        }
        ssize_t length = read(from, part, sizeof(part));
        if (length <= 0) {
            break;
        }
        g_string_append_len(text, part, length);
    }
    return g_string_free(text, FALSE);
}

/* Return: what it printed, NULL: it could not be run. */
static char *run(const char *path, const char *name, const char *first,
                 const char *second)
{
    char *argv[] = {(char *)name, (char *)first, (char *)second, NULL};
    int out[2];

    if (pipe2(out, O_CLOEXEC)) {
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(path, argv, out[1]);
    }
    (void)close(out[1]);
    char *text = pid > 0 ? collect(out[0]) : NULL;
    (void)close(out[0]);
    if (pid > 0) {
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL); /* before its setpgid() */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return text;
}

bool ct_qemu_program_ask(const char *path, const char *name,
                         struct ct_qemu_program *ret_program, GError **error)
{
    g_autofree char *version = run(path, name, "--version", NULL);
    g_autofree char *events = NULL;

    if (!version) {
        return refuse(error, name, g_strerror(errno));
    }
    if (*version) {
        events = run(path, name, "--trace", "help");
    }
    if (!ct_qemu_program_parse(name, version, events ? events : "", ret_program,
                               error)) {
        return false;
    }
    ret_program->has_ust = ct_qemu_links_ust(path);
    return true;
}
