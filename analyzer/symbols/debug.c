/* SPDX-License-Identifier: MIT */
/*
 * debug.c - where the debug information of a file lies that has none itself
 *
 * Asked in this order, and only a file with the same build id is taken:
 *
 *   DIR/.build-id/ab/cdef….debug    each DIR that was given, then
 *   DIR/LINK, DIR/PATH/LINK         /usr/lib/debug
 *   beside the file, and in .debug beside it
 *   debuginfod's servers
 *
 * LINK is what the file's .gnu_debuglink says.  The network is asked only if
 * the user has named servers (DEBUGINFOD_URLS), through elfutils' library if
 * that is installed.  A server that does not answer is given up on: after
 * NETWORK_S, unless DEBUGINFOD_TIMEOUT says something else, and then nobody is
 * asked again.
 */
#include "symbols/debug.h"

#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct/backtrace.h"

#define DEBUG_ROOT "/usr/lib/debug"
#define DEBUGINFOD "libdebuginfod.so.1"
#define NETWORK_S  "10"

static char **dirs; /* NULL: none were given */

void ct_symbols_debug_dirs(const char *list)
{
    g_strfreev(dirs);
    dirs = list ? g_strsplit(list, ":", -1) : NULL;
}

int ct_debug_open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static bool has_build_id(int fd, const struct ct_debug_id *id)
{
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *bits;
    bool same = elf && dwelf_elf_gnu_build_id(elf, &bits) == id->n &&
                memcmp(bits, id->bytes, (size_t)id->n) == 0;

    elf_end(elf);
    return same;
}

/* Takes over @path.  Return: fd, or -1. */
static int try_file(char *path, const struct ct_debug_id *id, char **ret_path)
{
    int fd = ct_debug_open_regular(path);

    if (fd >= 0 && !has_build_id(fd, id)) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        *ret_path = strdup(path); /* libdwfl frees it */
    }
    g_free(path);
    return fd;
}

/* --- on this machine ------------------------------------------------------ */

static char *build_id_path(const char *dir, const struct ct_debug_id *id)
{
    GString *path = g_string_new(dir);

    g_string_append(path, "/.build-id/");
    for (int i = 0; i < id->n; i++) {
        g_string_append_printf(path, i == 0 ? "%02x/" : "%02x", id->bytes[i]);
    }
    g_string_append(path, ".debug");
    return g_string_free(path, FALSE);
}

static int try_dir(const char *dir, const char *file, const char *link,
                   const struct ct_debug_id *id, char **ret_path)
{
    int fd = try_file(build_id_path(dir, id), id, ret_path);
    g_autofree char *place = g_path_get_dirname(file);

    if (fd < 0 && link) {
        fd = try_file(g_build_filename(dir, link, NULL), id, ret_path);
    }
    if (fd < 0 && link) {
        fd = try_file(g_build_filename(dir, place, link, NULL), id, ret_path);
    }
    return fd;
}

static int try_beside(const char *file, const char *link,
                      const struct ct_debug_id *id, char **ret_path)
{
    g_autofree char *place = g_path_get_dirname(file);
    int fd = try_file(g_build_filename(place, link, NULL), id, ret_path);

    return fd >= 0 ? fd
                   : try_file(g_build_filename(place, ".debug", link, NULL), id,
                              ret_path);
}

/* --- elsewhere ------------------------------------------------------------ */

struct debuginfod {
    void *client;
    int (*find)(void *client, const unsigned char *id, int n, char **ret_path);
    bool is_tried;
    bool is_deaf; /* it did not answer */
};

/* Whatever is wrong, there is no client then. */
static struct debuginfod *servers(void)
{
    static struct debuginfod debuginfod;
    const char *urls = g_getenv("DEBUGINFOD_URLS");
    void *library;
    void *(*begin)(void);

    if (debuginfod.is_tried || !urls || !*urls) {
        return &debuginfod;
    }
    debuginfod.is_tried = true;
    library = dlopen(DEBUGINFOD, RTLD_NOW | RTLD_LOCAL);
    if (library) {
        g_setenv("DEBUGINFOD_TIMEOUT", NETWORK_S, FALSE);
        *(void **)&begin = dlsym(library, "debuginfod_begin");
        *(void **)&debuginfod.find =
            dlsym(library, "debuginfod_find_debuginfo");
        debuginfod.client = begin && debuginfod.find ? begin() : NULL;
    }
    return &debuginfod;
}

static int try_servers(const struct ct_debug_id *id, char **ret_path)
{
    struct debuginfod *debuginfod = servers();
    char *path = NULL;
    int fd;

    if (!debuginfod->client || debuginfod->is_deaf) {
        return -1;
    }
    fd = debuginfod->find(debuginfod->client, id->bytes, id->n, &path);
    if (fd < 0) {
        debuginfod->is_deaf = fd != -ENOENT;
        return -1;
    }
    if (!has_build_id(fd, id)) {
        close(fd);
        free(path);
        return -1;
    }
    *ret_path = path;
    return fd;
}

/* --- all of them ---------------------------------------------------------- */

int ct_debug_find(const char *file, const char *link,
                  const struct ct_debug_id *id, char **ret_path)
{
    int fd = -1;

    for (char **dir = dirs; fd < 0 && dir && *dir; dir++) {
        fd = try_dir(*dir, file, link, id, ret_path);
    }
    if (fd < 0) {
        fd = try_dir(DEBUG_ROOT, file, link, id, ret_path);
    }
    if (fd < 0 && link) {
        fd = try_beside(file, link, id, ret_path);
    }
    return fd >= 0 ? fd : try_servers(id, ret_path);
}
