/* SPDX-License-Identifier: MIT */
/*
 * args.h - the command line of cotrace-nbd
 */
#ifndef CT_NBD_ARGS_H
#define CT_NBD_ARGS_H

#include "nbd/server.h"

/* Exit statuses. */
enum nbd_status {
    NBD_OK = 0,
    NBD_BAD_INPUT = 2, /* options that make no sense, or a bad image */
};

struct nbd_args {
    struct nbd_server_options server;
    GPtrArray *faults; /* NULL-terminated when complete; borrowed strings */

    const char *socket; /* NULL: none */
    const char *bind;
    int port; /* 0: none */
    const char *pid_file;
    bool is_iothread;

    /* given already, which they may be once */
    bool has_cache;
    bool has_aio;
    bool has_discard;
};

/**
 * nbd_args_parse() - read the command line
 * @ret_status: of the program, if it is over
 *
 * Return: true: go on; false: everything has been told
 */
bool nbd_args_parse(struct nbd_args *args, int argc, char **argv,
                    enum nbd_status *ret_status);

void nbd_args_fini(struct nbd_args *args);

#endif
