/* SPDX-License-Identifier: MIT */
/*
 * main.c - cotrace-io: reads and writes disk images by script, as qemu-io does
 *
 * Options, and the two ways in which its context can be run:
 *
 *   --loop=poll   main() opens the image and runs the commands; what waits
 *                 calls aio_poll()
 *   --loop=glib   the context is a source of the default GMainContext; main()
 *                 calls g_main_loop_run(), in which a bottom half opens the
 *                 image and a coroutine runs the commands
 *
 * Options of qemu-io that would change what is done, and are not here, are
 * refused by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/io/io.h"
#include "workloads/options.h"

struct options {
    GPtrArray *commands; /* NULL-terminated when complete; borrowed strings */
    GPtrArray *faults;   /* the same */
    BlockOptions block;
    const char *filename;
    bool is_glib;
    bool is_iothread;
    bool is_shared;
};

struct program {
    struct io_session io;
    char **commands;
    const char *filename;
    GMainLoop *loop;
};

static const char usage_text[] =
    "usage: cotrace-io [options] [-c COMMAND].. [IMAGE]\n"
    "       cotrace-io bench [options] IMAGE\n"
    "\n"
    "Reads and writes a disk image as the commands say; without -c they are\n"
    "lines of standard input.  `cotrace-io -c help` lists them.\n"
    "\n"
    "  -c, --cmd COMMAND    a command and its arguments; may be repeated\n"
    "  -f, --format FORMAT  raw or qcow2; default: by the file's beginning\n"
    "  -r, --read-only      open the image for reading only\n"
    "      --loop=LOOP      who runs the context: poll (aio_poll, the "
    "default)\n"
    "                       or glib (g_main_loop_run)\n"
    "      --iothread       run requests in a thread of their own\n"
    "  -i, --aio MODE       threads (the default), native or io_uring\n"
    "  -t, --cache MODE     writeback, none, writethrough, directsync or "
    "unsafe\n"
    "  -d, --discard MODE   unmap (the default), or ignore: discards do "
    "nothing\n"
    "      --fault RULE     what the file does wrong: write@3=ENOSPC fails "
    "the\n"
    "                       third write, read@2+=EIO every read from the\n"
    "                       second on, read@1=short:512 comes in two parts;\n"
    "                       read, write, flush, discard, truncate; may be "
    "repeated\n"
    "  -n, --nocache        as -t none\n"
    "  -k, --native-aio     as -i native\n"
    "  -U, --force-share    with -r only; always the case\n"
    "  -h, --help           this text\n"
    "  -V, --version\n";

enum long_option {
    OPTION_LOOP = 256,
    OPTION_IOTHREAD,
    OPTION_FAULT,
    OPTION_OBJECT,
    OPTION_IMAGE_OPTS,
};

static const struct option long_options[] = {
    {"cmd", required_argument, NULL, 'c'},
    {"format", required_argument, NULL, 'f'},
    {"read-only", no_argument, NULL, 'r'},
    {"loop", required_argument, NULL, OPTION_LOOP},
    {"iothread", no_argument, NULL, OPTION_IOTHREAD},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"aio", required_argument, NULL, 'i'},
    {"cache", required_argument, NULL, 't'},
    {"discard", required_argument, NULL, 'd'},
    {"force-share", no_argument, NULL, 'U'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"snapshot", no_argument, NULL, 's'},
    {"nocache", no_argument, NULL, 'n'},
    {"copy-on-read", no_argument, NULL, 'C'},
    {"misalign", no_argument, NULL, 'm'},
    {"native-aio", no_argument, NULL, 'k'},
    {"trace", required_argument, NULL, 'T'},
    {"object", required_argument, NULL, OPTION_OBJECT},
    {"image-opts", no_argument, NULL, OPTION_IMAGE_OPTS},
    {0},
};

static bool is_one_of(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

static bool unsupported(const char *option, const char *value)
{
    fprintf(stderr, "cotrace-io: %s%s%s is not supported\n", option,
            value != NULL ? " " : "", value != NULL ? value : "");
    return false;
}

static bool take_option(struct options *o, int letter)
{
    static const char *const loops[] = {"poll", "glib", NULL};

    switch (letter) {
    case 'c':
        g_ptr_array_add(o->commands, optarg);
        return true;
    case 'f':
        o->block.format = optarg;
        return true;
    case OPTION_LOOP:
        o->is_glib = strcmp(optarg, "glib") == 0;
        return is_one_of(optarg, loops) || unsupported("--loop", optarg);
    case OPTION_IOTHREAD:
        o->is_iothread = true;
        return true;
    case OPTION_FAULT:
        g_ptr_array_add(o->faults, optarg);
        return true;
    case 'i':
        return io_parse_engine(optarg, &o->block) ||
               unsupported("--aio", optarg);
    case 't':
        return io_parse_cache(optarg, &o->block) ||
               unsupported("--cache", optarg);
    case 'd':
        return io_parse_discard(optarg, &o->block) ||
               unsupported("--discard", optarg);
    case 'r':
        o->block.is_writable = false;
        return true;
    case 'U':
        o->is_shared = true;
        return true;
    case 's':
        return unsupported("--snapshot", NULL);
    case 'n':
        return io_parse_cache("none", &o->block);
    case 'C':
        return unsupported("--copy-on-read", NULL);
    case 'm':
        return unsupported("--misalign", NULL);
    case 'k':
        return io_parse_engine("native", &o->block);
    case 'T':
        return unsupported("--trace", NULL);
    case OPTION_OBJECT:
        return unsupported("--object", NULL);
    case OPTION_IMAGE_OPTS:
        return unsupported("--image-opts", NULL);
    default:
        g_assert_not_reached();
    }
}

/* Return: true: go on; false: *ret_status is the program's */
static bool parse_options(struct options *o, int argc, char **argv,
                          enum io_status *ret_status)
{
    int letter;

    *ret_status = IO_BAD_INPUT;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":hVc:d:f:rsnCmki:t:T:U",
                                 long_options, NULL)) != -1) {
        if (letter == '?' || letter == ':') {
            option_refused("cotrace-io", long_options, argv, letter);
            return false;
        }
        if (letter == 'h' || letter == 'V') {
            fputs(letter == 'h' ? usage_text : "cotrace-io " CT_VERSION "\n",
                  stdout);
            *ret_status = IO_OK;
            return false;
        }
        if (!take_option(o, letter)) {
            return false;
        }
    }
    opterr = 1; /* for the commands, as qemu-io's */
    if (argc - optind > 1) {
        fputs("cotrace-io: more than one image\n", stderr);
        return false;
    }
    o->filename = argv[optind]; /* or NULL */
    g_ptr_array_add(o->commands, NULL);
    if (o->faults->len > 0) {
        g_ptr_array_add(o->faults, NULL);
        o->block.faults = (const char *const *)o->faults->pdata;
    }
    return true;
}

/* --- --loop=poll --------------------------------------------------------- */

static void run_polling(struct program *p)
{
    if (p->filename == NULL || io_session_open(&p->io, p->filename)) {
        io_script_run(&p->io, p->commands);
    }
}

/* --- --loop=glib --------------------------------------------------------- */

static void coroutine_fn script_entry(void *opaque)
{
    struct program *p = opaque;

    aio_co_reschedule_self(p->io.blk_ctx);
    io_script_run(&p->io, p->commands);
    aio_co_reschedule_self(p->io.ctx);
    g_main_loop_quit(p->loop);
}

static void start_bh(void *opaque)
{
    struct program *p = opaque;

    if (p->filename == NULL || io_session_open(&p->io, p->filename)) {
        aio_co_enter(p->io.ctx, coroutine_create(script_entry, p));
    } else {
        g_main_loop_quit(p->loop);
    }
}

static void run_main_loop(struct program *p)
{
    guint source = aio_context_attach(p->io.ctx, NULL);

    p->loop = g_main_loop_new(NULL, FALSE);
    aio_bh_schedule_oneshot(p->io.ctx, start_bh, p);
    g_main_loop_run(p->loop);
    g_main_loop_unref(p->loop);
    g_source_remove(source);
}

/* --- the end ------------------------------------------------------------- */

static void check_output(struct program *p)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "cotrace-io: can't write to standard output\n");
        p->io.status = IO_BAD_INPUT;
    }
}

int main(int argc, char **argv)
{
    struct options o = {
        .commands = g_ptr_array_new(),
        .faults = g_ptr_array_new(),
        .block = {.is_writable = true, .has_discard = true},
    };
    struct program p = {0};
    IOThread *iothread = NULL;
    g_autoptr(GError) error = NULL;

    if (argc > 1 && strcmp(argv[1], "bench") == 0) {
        g_ptr_array_free(o.commands, TRUE);
        g_ptr_array_free(o.faults, TRUE);
        return io_bench(argc - 1, argv + 1);
    }

    if (!parse_options(&o, argc, argv, &p.io.status)) {
        goto out;
    }
    p.commands = (char **)o.commands->pdata;
    p.filename = o.filename;
    p.io = (struct io_session){
        .options = o.block, .is_shared = o.is_shared, .status = IO_OK};
    p.io.ctx = aio_context_new("main", &error);
    if (p.io.ctx != NULL && o.is_iothread) {
        iothread = iothread_new("iothread", &error);
    }
    if (error != NULL) {
        fprintf(stderr, "cotrace-io: %s\n", error->message);
        p.io.status = IO_BAD_INPUT;
        goto out_context;
    }
    p.io.blk_ctx =
        iothread != NULL ? iothread_get_aio_context(iothread) : p.io.ctx;

    aio_context_set_current(p.io.ctx);
    if (o.is_glib) {
        run_main_loop(&p);
    } else {
        run_polling(&p);
    }
    aio_context_set_current(NULL);
    check_output(&p);
    if (iothread != NULL) {
        iothread_free(iothread);
    }
out_context:
    aio_context_unref(p.io.ctx);
out:
    g_ptr_array_free(o.commands, TRUE);
    g_ptr_array_free(o.faults, TRUE);
    return p.io.status;
}
