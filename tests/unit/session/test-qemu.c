/* SPDX-License-Identifier: MIT */
/*
 * test-qemu.c - what a QEMU says of itself over its versions, how it is then
 * run, and the looks at its log
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/output/place.h"
#include "session/qemu/plan.h"
#include "session/qemu/program.h"
#include "session/qemu/reader.h"

#include "lib/tap.h"

static char *folder;

/* --- programs ------------------------------------------------------------ */

#define EVENTS                                                             \
    "qemu_coroutine_yield\nblk_co_preadv\nthread_pool_submit\nvm_stop\n\n" \
    "This list of names of trace points may be incomplete\n"

static const struct {
    const char *answer;
    enum ct_qemu_kind kind;
    const char *version;
} versions[] = {
    {"QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11+deb11u3)\nCopyright",
     CT_QEMU_SYSTEM, "5.2.0"},
    {"QEMU emulator version 6.2.0\n", CT_QEMU_SYSTEM, "6.2.0"},
    {"QEMU emulator version 7.2.22 (Debian 1:7.2)\n", CT_QEMU_SYSTEM, "7.2.22"},
    {"QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)\n",
     CT_QEMU_SYSTEM, "8.2.2"},
    {"QEMU emulator version 9.1.50 (v9.1.0-1-gabcdef)\n", CT_QEMU_SYSTEM,
     "9.1.50"},
    {"QEMU emulator version 10.0.2\n", CT_QEMU_SYSTEM, "10.0.2"},
    {"qemu-io version 7.2.22 (Debian)\n", CT_QEMU_IO, "7.2.22"},
    {"qemu-img version 5.1.0\n", CT_QEMU_IMG, "5.1.0"},
    {"qemu-nbd 6.0.0 (Debian)\nWritten by", CT_QEMU_NBD, "6.0.0"},
    {"qemu-nbd version 10.0.0\n", CT_QEMU_NBD, "10.0.0"},
    {"qemu-storage-daemon version 5.2.0\n", CT_QEMU_STORAGE_DAEMON, "5.2.0"},
};

static void test_versions(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        struct ct_qemu_program program;
        g_autoptr(GError) error = NULL;

        tap_check(ct_qemu_program_parse("q", versions[i].answer, EVENTS,
                                        &program, &error));
        tap_equal(program.kind, versions[i].kind);
        tap_check(!strcmp(program.version, versions[i].version));
        tap_equal(g_strv_length(program.events), 4);
        ct_qemu_program_fini(&program);
    }
}

static void test_not_qemu(void)
{
    const char *const answers[][2] = {
        {"ls (GNU coreutils) 9.1\n", EVENTS},
        {"", EVENTS},
        {"qemu-io version \n", EVENTS},
        {"qemu-io version 7.2.22\n", "No trace here.\n"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        struct ct_qemu_program program;
        g_autoptr(GError) error = NULL;

        tap_check(!ct_qemu_program_parse("q", answers[i][0], answers[i][1],
                                         &program, &error));
        tap_check(
            g_error_matches(error, CT_SESSION_ERROR, CT_SESSION_ERROR_PROGRAM));
    }
}

static char *script(const char *name, const char *text)
{
    char *path = g_build_filename(folder, name, NULL);

    tap_check(g_file_set_contents(path, text, -1, NULL));
    tap_check(!g_chmod(path, 0755));
    return path;
}

/* A program that is asked; it must not get our input, nor print. */
static void test_ask(void)
{
    g_autofree char *path = script(
        "asked", "#!/bin/sh\n"
                 "read -r line && exit 1\n"
                 "echo noise >&2\n"
                 "case \"$*\" in\n"
                 "--version) echo qemu-img version 8.0.1 ;;\n"
                 "'--trace help') echo aio_co_schedule; echo blk_co_preadv ;;\n"
                 "*) exit 1 ;;\n"
                 "esac\n");
    struct ct_qemu_program program = {0};
    g_autoptr(GError) error = NULL;

    tap_check(ct_qemu_program_ask(path, "asked", &program, &error));
    tap_equal(program.kind, CT_QEMU_IMG);
    tap_equal(g_strv_length(program.events), 2);
    tap_check(!program.has_ust);
    ct_qemu_program_fini(&program);
    tap_check(!ct_qemu_links_ust("/does/not/exist"));
    tap_check(!ct_qemu_links_ust(path));
    tap_check(!ct_qemu_links_ust("/proc/self/exe"));
}

/* --- plans --------------------------------------------------------------- */

static const char *const events[] = {"qemu_coroutine_yield",
                                     "thread_pool_submit",
                                     "thread_pool_submit_aio",
                                     "blk_co_preadv",
                                     "vm_stop",
                                     NULL};

static bool plan(enum ct_qemu_kind kind, bool has_ust, const char *line,
                 const char *patterns, struct ct_qemu_plan *ret_plan,
                 GError **error)
{
    const struct ct_qemu_program program = {.kind = kind,
                                            .version = (char *)"9.0",
                                            .events = (char **)events,
                                            .has_ust = has_ust};
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);

    return ct_qemu_plan_make(&program, argv, patterns, "/o,p", false, ret_plan,
                             error);
}

/* Something takes the lines: no file, and a pattern a word. */
static void test_preloads(void)
{
    struct ct_qemu_program program = {.kind = CT_QEMU_IO,
                                      .version = (char *)"9.0",
                                      .events = (char **)events};
    char *argv[] = {(char *)"qemu-io", (char *)"disk", NULL};
    struct ct_qemu_plan made;

    tap_check(ct_qemu_plan_make(&program, argv, "blk_*,vm_stop", "/o", true,
                                &made, NULL));
    g_autofree char *line = g_strjoinv(" ", made.argv);
    tap_check(made.way == CT_QEMU_WAY_PRELOAD && !made.needs_stamps);
    tap_check(!strcmp(line, "qemu-io --trace enable=blk_* --trace "
                            "enable=vm_stop disk"));
    ct_qemu_plan_fini(&made);

    /* The times of the log are not needed; the log, though, is. */
    char *times[] = {(char *)"kvm", (char *)"-msg", (char *)"timestamp=off",
                     NULL};
    char *place[] = {(char *)"kvm", (char *)"-D", (char *)"log", NULL};

    program.kind = CT_QEMU_SYSTEM;
    tap_check(
        ct_qemu_plan_make(&program, times, "vm_stop", "/o", true, &made, NULL));
    ct_qemu_plan_fini(&made);
    tap_check(!ct_qemu_plan_make(&program, place, "vm_stop", "/o", true, &made,
                                 NULL));
}

static void test_plans(void)
{
    static const struct {
        enum ct_qemu_kind kind;
        const char *given, *run;
        bool needs_stamps;
    } cases[] = {
        {CT_QEMU_IMG, "qemu-img convert a b",
         "qemu-img --trace events=/o,,p/qemu.events,file=/o,,p/qemu.log "
         "convert a b",
         true},
        {CT_QEMU_SYSTEM, "kvm -m 1 -D", NULL, false},
        {CT_QEMU_SYSTEM, "kvm -m 1 -trace enable=vm_stop",
         "kvm -trace events=/o,,p/qemu.events,file=/o,,p/qemu.log -msg "
         "timestamp=on -m 1 -trace enable=vm_stop",
         false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ct_qemu_plan made;
        g_autoptr(GError) error = NULL;
        bool good =
            plan(cases[i].kind, false, cases[i].given, NULL, &made, &error);

        tap_equal(good, cases[i].run != NULL);
        if (good) {
            g_autofree char *run = g_strjoinv(" ", made.argv);

            tap_check(!strcmp(run, cases[i].run));
            tap_equal(made.needs_stamps, cases[i].needs_stamps);
            /* both names of the pool's event are there, vm_stop is not read */
            tap_check(!strcmp(made.events,
                              "qemu_coroutine_yield\nthread_pool_submit\n"
                              "thread_pool_submit_aio\nblk_co_preadv\n"));
            ct_qemu_plan_fini(&made);
        }
    }
}

static void test_patterns(void)
{
    struct ct_qemu_plan made;
    g_autoptr(GError) error = NULL;

    tap_check(plan(CT_QEMU_IO, false, "qemu-io", "vm_*,thread_*", &made, NULL));
    tap_check(!strcmp(made.events, "vm_stop\nthread_pool_submit\n"
                                   "thread_pool_submit_aio\n"));
    ct_qemu_plan_fini(&made);
    tap_check(!plan(CT_QEMU_IO, false, "qemu-io", "vm_*,no*", &made, &error));
    tap_check(strstr(error->message, "no*"));

    tap_check(plan(CT_QEMU_IO, true, "qemu-io -r a", "vm_*", &made, NULL));
    tap_check(!strcmp(made.patterns, "qemu:vm_*"));
    tap_equal(g_strv_length(made.argv), 3);
    tap_check(!made.needs_stamps);
    ct_qemu_plan_fini(&made);
}

static void test_refusals(void)
{
    static const struct {
        enum ct_qemu_kind kind;
        const char *line;
        bool log, ust; /* is it recorded? */
    } cases[] = {
        {CT_QEMU_SYSTEM, "q -daemonize", false, false},
        {CT_QEMU_SYSTEM, "q --daemonize", false, false},
        {CT_QEMU_SYSTEM, "q -D log", false, true},
        {CT_QEMU_SYSTEM, "q -d int", true, true},
        {CT_QEMU_SYSTEM, "q -d int,tid", false, true},
        {CT_QEMU_SYSTEM, "q -trace enable=a*,file=b", false, true},
        {CT_QEMU_SYSTEM, "q -trace enable=a*", true, true},
        {CT_QEMU_SYSTEM, "q -msg timestamp=off", false, true},
        {CT_QEMU_SYSTEM, "q -msg guest-name=on", true, true},
        {CT_QEMU_IO, "q -T file=x", false, true},
        {CT_QEMU_IO, "q -Tfile=x", false, true},
        {CT_QEMU_IO, "q -Tenable=x", true, true},
        {CT_QEMU_IO, "q --tra=file=x", false, true},
        {CT_QEMU_IMG, "q --trace enable=x,file=y convert", false, true},
        {CT_QEMU_IMG, "q convert -D", true, true},
        {CT_QEMU_NBD, "q --fork a", false, false},
        {CT_QEMU_NBD, "q -c /dev/nbd0 a", false, false},
        {CT_QEMU_NBD, "q -v -c /dev/nbd0 a", true, true},
        {CT_QEMU_NBD, "q --format raw a", true, true},
        {CT_QEMU_STORAGE_DAEMON, "q --daemon", false, false},
        {CT_QEMU_STORAGE_DAEMON, "q --device x", true, true},
    };

    for (size_t i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        bool ust = i % 2;
        bool want = ust ? cases[i / 2].ust : cases[i / 2].log;
        struct ct_qemu_plan made;
        bool good =
            plan(cases[i / 2].kind, ust, cases[i / 2].line, NULL, &made, NULL);

        tap_equal(good, want);
        if (good != want) {
            printf("# %s, ust %d\n", cases[i / 2].line, ust);
        }
        if (good) {
            ct_qemu_plan_fini(&made);
        }
    }
}

/* --- the reader ---------------------------------------------------------- */

#define LINES 400

static void write_all(int fd, const char *text)
{
    tap_equal(write(fd, text, strlen(text)), strlen(text));
}

static int64_t now_ns(void)
{
    return g_get_real_time() * 1000;
}

/* Until so many bytes are written down, which the reader does when it has
 * nothing else to do. */
static void await_stamps(const char *path, uint64_t wanted)
{
    for (uint64_t bytes = 0; bytes < wanted;) {
        g_autofree char *text = NULL;

        bytes = 0;
        tap_check(g_file_get_contents(path, &text, NULL, NULL));
        for (char *at = strchr(text, '\n'); at && at[1];
             at = strchr(at + 1, '\n')) {
            bytes += g_ascii_strtoull(at + 1, NULL, 10);
        }
        (void)sched_yield();
    }
}

/* Every line is stamped after it was written, and its bound reaches back to a
 * time when it was not there. */
static void test_reader(void)
{
    g_autofree char *log = g_build_filename(folder, "log", NULL);
    g_autofree char *stamps = g_build_filename(folder, "stamps", NULL);
    g_autofree char *text = NULL;
    struct ct_qemu_reader reader;
    int64_t before_ns[LINES], after_ns[LINES];
    uint64_t written = 0;
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    tap_equal(ct_qemu_reader_start(&reader, log, stamps), 0);
    for (unsigned i = 0; i < LINES; i++) {
        g_autofree char *line = g_strdup_printf("line %u\n", i);

        if (i % 50 == 0) {
            await_stamps(stamps, written); /* so that it rests */
        }
        before_ns[i] = now_ns();
        write_all(fd, line);
        written += strlen(line);
        after_ns[i] = now_ns();
    }
    (void)close(fd);
    tap_equal(ct_qemu_reader_stop(&reader), 0);
    tap_check(g_file_get_contents(stamps, &text, NULL, NULL));

    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int64_t when_ns = 0, slack_ns = 2000000; /* the clock is set now and then */
    uint64_t bytes = 0, end = 0;
    unsigned next = 0;

    tap_equal(sscanf(lines[0], "cotrace-stamps 1 %" SCNd64, &when_ns), 1);
    for (char **at = lines + 1; *at && **at; at++) {
        uint64_t more;
        int64_t later_ns, bound_ns;

        tap_equal(sscanf(*at, "%" SCNu64 " %" SCNd64 " %" SCNd64, &more,
                         &later_ns, &bound_ns),
                  3);
        bytes += more;
        when_ns += later_ns;
        tap_check(bound_ns >= 0);
        while (next < LINES) {
            g_autofree char *line = g_strdup_printf("line %u\n", next);

            if (end + strlen(line) > bytes) {
                break;
            }
            end += strlen(line);
            tap_check(when_ns + slack_ns >= before_ns[next]);
            tap_check(when_ns - bound_ns - slack_ns <= after_ns[next]);
            next++;
        }
    }
    tap_equal(next, LINES);
    tap_equal(bytes, end);
}

static void test_reader_killed(void)
{
    g_autofree char *log = g_build_filename(folder, "log2", NULL);
    g_autofree char *stamps = g_build_filename(folder, "stamps2", NULL);
    struct ct_qemu_reader reader;
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    tap_equal(ct_qemu_reader_start(&reader, log, stamps), 0);
    tap_equal(kill(reader.pid, SIGKILL), 0);
    write_all(fd, "goes on\n");
    (void)close(fd);
    tap_equal(ct_qemu_reader_stop(&reader), -EOWNERDEAD);
    /* never a second one over the first */
    tap_equal(ct_qemu_reader_start(&reader, log, stamps), -EEXIST);
    tap_equal(ct_qemu_reader_start(&reader, "/does/not/exist", stamps),
              -ENOENT);
}

/* A log that gets shorter has no places any more. */
static void test_reader_cut(void)
{
    g_autofree char *log = g_build_filename(folder, "log3", NULL);
    g_autofree char *stamps = g_build_filename(folder, "stamps3", NULL);
    struct ct_qemu_reader reader;
    siginfo_t info;
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    write_all(fd, "one\ntwo\n");
    tap_equal(ct_qemu_reader_start(&reader, log, stamps), 0);
    await_stamps(stamps, 8);
    tap_equal(ftruncate(fd, 0), 0);
    /* it ends by itself */
    tap_equal(waitid(P_PID, (id_t)reader.pid, &info, WEXITED | WNOWAIT), 0);
    tap_equal(ct_qemu_reader_stop(&reader), -ESTALE);
    (void)close(fd);
}

int main(void)
{
    folder = g_dir_make_tmp("cotrace-test-XXXXXX", NULL);
    tap_run("versions 5 to 10 say what they are", test_versions);
    tap_run("what is no QEMU", test_not_qemu);
    tap_run("a program is asked", test_ask);
    tap_run("plans", test_plans);
    tap_run("lines that something takes", test_preloads);
    tap_run("patterns", test_patterns);
    tap_run("what can't be recorded", test_refusals);
    tap_run("looks at a log", test_reader);
    tap_run("a reader that is killed", test_reader_killed);
    tap_run("a log that gets shorter", test_reader_cut);
    ct_place_remove(folder);
    g_free(folder);
    return tap_end();
}
