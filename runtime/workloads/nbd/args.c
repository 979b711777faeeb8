/* SPDX-License-Identifier: MIT */
/*
 * args.c - the command line of cotrace-nbd
 *
 * Options are qemu-nbd's.  Those that would change what is served, and are not
 * here, are refused by name.
 */
#include "workloads/nbd/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/options.h"

static const char usage_text[] =
    "usage: cotrace-nbd (-k SOCKET | -p PORT) [options] IMAGE\n"
    "\n"
    "Serves a disk image to NBD clients, until its last client has gone or\n"
    "SIGTERM, SIGINT or SIGHUP tells it to finish.\n"
    "\n"
    "  -k, --socket PATH       listen on a unix socket\n"
    "  -p, --port PORT         listen on a TCP port\n"
    "  -b, --bind HOST         of that address (default: 127.0.0.1)\n"
    "  -x, --export-name NAME  what clients ask for (default: no name)\n"
    "  -D, --description TEXT  told to clients that ask\n"
    "  -e, --shared N          serve N clients at a time (1); 0: any number\n"
    "  -t, --persistent        stay when the last client has gone\n"
    "  -r, --read-only\n"
    "  -f, --format FORMAT     raw or qcow2; default: by the file's beginning\n"
    "      --cache MODE        writeback (the default), none, writethrough,\n"
    "                          directsync or unsafe\n"
    "  -n, --nocache           --cache none\n"
    "      --aio MODE          threads (the default), io_uring, or (with\n"
    "                          --cache none or directsync) native\n"
    "      --discard MODE      unmap, or ignore (the default): trims do "
    "nothing\n"
    "      --iothread          serve in a thread of its own\n"
    "      --fault RULE        what the file does wrong, as for cotrace-io\n"
    "      --pid-file FILE     written when clients can connect\n"
    "  -h, --help              this text\n"
    "  -V, --version\n";

enum long_option {
    OPTION_CACHE = 256,
    OPTION_AIO,
    OPTION_DISCARD,
    OPTION_IOTHREAD,
    OPTION_FAULT,
    OPTION_PID_FILE,
    OPTION_REFUSED, /* the first of those that are refused by name */
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 'k'},
    {"port", required_argument, NULL, 'p'},
    {"bind", required_argument, NULL, 'b'},
    {"export-name", required_argument, NULL, 'x'},
    {"description", required_argument, NULL, 'D'},
    {"shared", required_argument, NULL, 'e'},
    {"persistent", no_argument, NULL, 't'},
    {"read-only", no_argument, NULL, 'r'},
    {"format", required_argument, NULL, 'f'},
    {"nocache", no_argument, NULL, 'n'},
    {"cache", required_argument, NULL, OPTION_CACHE},
    {"aio", required_argument, NULL, OPTION_AIO},
    {"discard", required_argument, NULL, OPTION_DISCARD},
    {"iothread", no_argument, NULL, OPTION_IOTHREAD},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"pid-file", required_argument, NULL, OPTION_PID_FILE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"offset", required_argument, NULL, OPTION_REFUSED},
    {"snapshot", no_argument, NULL, OPTION_REFUSED},
    {"load-snapshot", required_argument, NULL, OPTION_REFUSED},
    {"connect", required_argument, NULL, OPTION_REFUSED},
    {"disconnect", no_argument, NULL, OPTION_REFUSED},
    {"list", no_argument, NULL, OPTION_REFUSED},
    {"fork", no_argument, NULL, OPTION_REFUSED},
    {"verbose", no_argument, NULL, OPTION_REFUSED},
    {"bitmap", required_argument, NULL, OPTION_REFUSED},
    {"allocation-depth", no_argument, NULL, OPTION_REFUSED},
    {"detect-zeroes", required_argument, NULL, OPTION_REFUSED},
    {"image-opts", no_argument, NULL, OPTION_REFUSED},
    {"object", required_argument, NULL, OPTION_REFUSED},
    {"tls-creds", required_argument, NULL, OPTION_REFUSED},
    {"tls-hostname", required_argument, NULL, OPTION_REFUSED},
    {"tls-authz", required_argument, NULL, OPTION_REFUSED},
    {"selinux-label", required_argument, NULL, OPTION_REFUSED},
    {"trace", required_argument, NULL, OPTION_REFUSED},
    {0},
};

/* qemu-nbd's short ones among the refused. */
static const struct {
    char letter;
    const char *name;
} refused_letters[] = {
    {'o', "offset"},  {'s', "snapshot"},   {'l', "load-snapshot"},
    {'c', "connect"}, {'d', "disconnect"}, {'L', "list"},
    {'v', "verbose"}, {'B', "bitmap"},     {'A', "allocation-depth"},
    {'T', "trace"},
};

static bool refuse(const char *option, const char *value)
{
    fprintf(stderr, "cotrace-nbd: --%s%s%s is not supported\n", option,
            value != NULL ? " " : "", value != NULL ? value : "");
    return false;
}

static bool take_number(const char *option, const char *text, int min, int max,
                        int *ret_number)
{
    char *end;

    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < min ||
        number > max) {
        fprintf(stderr, "cotrace-nbd: --%s %s: not a number from %d to %d\n",
                option, text, min, max);
        return false;
    }
    *ret_number = (int)number;
    return true;
}

static bool take_cache(BlockOptions *block, const char *mode)
{
    return blk_parse_cache_mode(mode, block) == 0 || refuse("cache", mode);
}

static bool take_discard(BlockOptions *block, const char *mode)
{
    static const char *const modes[] = {"unmap", "on", "ignore", "off", NULL};

    block->has_discard = strcmp(mode, "unmap") == 0 || strcmp(mode, "on") == 0;
    return g_strv_contains(modes, mode) || refuse("discard", mode);
}

static bool take_aio(BlockOptions *block, const char *mode)
{
    static const char *const modes[] = {"threads", "native", "io_uring", NULL};

    block->engine = mode;
    return g_strv_contains(modes, mode) || refuse("aio", mode);
}

/* In qemu-nbd's words; @is_given: it was. */
static bool take_once(bool *is_given, const char *what)
{
    if (*is_given) {
        fprintf(stderr, "cotrace-nbd: %s can only be specified once\n", what);
        return false;
    }
    *is_given = true;
    return true;
}

static bool take_image_option(struct nbd_args *args, int letter)
{
    BlockOptions *block = &args->server.block;

    if ((letter == 'n' || letter == OPTION_CACHE) &&
        !take_once(&args->has_cache, "-n and --cache")) {
        return false;
    }
    switch (letter) {
    case 'r':
        block->is_writable = false;
        return true;
    case 'f':
        block->format = optarg;
        return true;
    case 'n':
        return take_cache(block, "none");
    case OPTION_CACHE:
        return take_cache(block, optarg);
    case OPTION_AIO:
        return take_once(&args->has_aio, "--aio") && take_aio(block, optarg);
    case OPTION_DISCARD:
        return take_once(&args->has_discard, "--discard") &&
               take_discard(block, optarg);
    case OPTION_FAULT:
        g_ptr_array_add(args->faults, optarg);
        return true;
    default:
        g_assert_not_reached();
    }
}

static bool take_text(const char *option, const char **ret_text)
{
    *ret_text = optarg;
    if (strlen(optarg) > 4096) {
        fprintf(stderr, "cotrace-nbd: --%s: more than 4096 bytes\n", option);
        return false;
    }
    return true;
}

static bool take_option(struct nbd_args *args, int letter)
{
    struct nbd_server_options *server = &args->server;
    int number;

    switch (letter) {
    case 'k':
        args->socket = optarg;
        if (*optarg == '\0') {
            fputs("cotrace-nbd: --socket: an empty path\n", stderr);
        }
        return *optarg != '\0';
    case 'p':
        return take_number("port", optarg, 1, 65535, &args->port);
    case 'b':
        args->bind = optarg;
        return true;
    case 'x':
        return take_text("export-name", &server->name);
    case 'D':
        return take_text("description", &server->description);
    case 'e':
        if (!take_number("shared", optarg, 0, INT_MAX, &number)) {
            return false;
        }
        server->clients_max = (unsigned)number;
        return true;
    case 't':
        server->is_persistent = true;
        return true;
    case OPTION_IOTHREAD:
        args->is_iothread = true;
        return true;
    case OPTION_PID_FILE:
        args->pid_file = optarg;
        return true;
    default:
        return take_image_option(args, letter);
    }
}

/* Return: what is refused, or NULL */
static const char *refused_name(int letter, int index)
{
    if (letter == OPTION_REFUSED) {
        return long_options[index].name;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(refused_letters); i++) {
        if (letter == refused_letters[i].letter) {
            return refused_letters[i].name;
        }
    }
    return NULL;
}

static bool take_rest(struct nbd_args *args, int argc, char **argv)
{
    if (argc - optind != 1) {
        fputs(argc == optind ? "cotrace-nbd: no image; try --help\n"
                             : "cotrace-nbd: more than one image\n",
              stderr);
        return false;
    }
    if (args->socket != NULL && args->port != 0) {
        fputs("cotrace-nbd: --socket or --port, not both\n", stderr);
        return false;
    }
    if (args->bind != NULL && args->port == 0) {
        fputs("cotrace-nbd: --bind needs --port\n", stderr);
        return false;
    }
    args->server.filename = argv[optind];
    if (args->faults->len > 0) {
        g_ptr_array_add(args->faults, NULL);
        args->server.block.faults = (const char *const *)args->faults->pdata;
    }
    return true;
}

bool nbd_args_parse(struct nbd_args *args, int argc, char **argv,
                    enum nbd_status *ret_status)
{
    int letter, index = 0;

    *args = (struct nbd_args){
        .server = {.name = "",
                   .clients_max = 1,
                   .block = {.is_writable = true}},
        .faults = g_ptr_array_new(),
    };
    *ret_status = NBD_BAD_INPUT;
    opterr = 0;
    while ((letter = getopt_long(
                argc, argv, ":hVk:p:b:x:D:e:trf:o:nsl:c:dLvB:AT:", long_options,
                &index)) != -1) {
        const char *name = refused_name(letter, index);

        if (letter == '?' || letter == ':') {
            option_refused("cotrace-nbd", long_options, argv, letter);
            return false;
        }
        if (letter == 'h' || letter == 'V') {
            fputs(letter == 'h' ? usage_text : "cotrace-nbd " CT_VERSION "\n",
                  stdout);
            *ret_status = NBD_OK;
            return false;
        }
        if (name != NULL ? !refuse(name, NULL) : !take_option(args, letter)) {
            return false;
        }
    }
    return take_rest(args, argc, argv);
}

void nbd_args_fini(struct nbd_args *args)
{
    g_ptr_array_free(args->faults, TRUE);
}
