/* SPDX-License-Identifier: MIT */
/*
 * images.c - which file lay where in which process
 *
 * LTTng-UST tells every loaded file at the start of a recording and again
 * when it is asked to, and with its helper library also what is loaded later.
 * What was told before changes nothing; another file at the same base is a
 * new image, and the one that was loaded last answers for an address that
 * several held: addresses are resolved when the trace is read to its end.
 *
 * All of it comes from the trace, so numbers and lengths are limited.
 */
#include "symbols/images.h"

#include <glib.h>
#include <string.h>

#define IMAGES_MAX     4096 /* a process */
#define PROCESSES_MAX  65536
#define PATH_BYTES_MAX 4096
#define NAMED_MAX      (1 << 20)

struct process {
    GPtrArray *images; /* struct ct_image, by the order of loading; owned */
};

struct ct_images {
    GHashTable *processes; /* pid -> struct process (owned) */
    GHashTable *named;     /* address -> struct named (owned); NULL: none */
    void (*warning)(const char *text, void *data);
    void *data;
};

/* A frame that is no code. */
struct named {
    char *function;
    char *what; /* NULL: not told */
};

static void named_free(void *data)
{
    struct named *named = data;

    g_free(named->function);
    g_free(named->what);
    g_free(named);
}

static void image_free(void *data)
{
    struct ct_image *image = data;

    g_free((char *)image->path);
    g_free((char *)image->build_id);
    g_free(image);
}

static void process_free(void *data)
{
    struct process *process = data;

    g_ptr_array_unref(process->images);
    g_free(process);
}

struct ct_images *ct_images_new(void)
{
    struct ct_images *images = g_new0(struct ct_images, 1);

    images->processes = g_hash_table_new_full(g_direct_hash, g_direct_equal,
                                              NULL, process_free);
    return images;
}

void ct_images_free(struct ct_images *images)
{
    if (!images) {
        return;
    }
    g_hash_table_destroy(images->processes);
    g_clear_pointer(&images->named, g_hash_table_unref);
    g_free(images);
}

void ct_images_set_warning(struct ct_images *images,
                           void (*warning)(const char *text, void *data),
                           void *data)
{
    images->warning = warning;
    images->data = data;
}

void ct_images_warn(const struct ct_images *images, const char *format, ...)
{
    va_list args;
    char *text;

    if (images->warning) {
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        images->warning(text, images->data);
        g_free(text);
    }
}

static struct process *find_process(const struct ct_images *images, int32_t pid)
{
    return g_hash_table_lookup(images->processes, GINT_TO_POINTER(pid));
}

static struct process *make_process(struct ct_images *images, int32_t pid)
{
    struct process *process = find_process(images, pid);

    if (!process && g_hash_table_size(images->processes) < PROCESSES_MAX) {
        process = g_new0(struct process, 1);
        process->images = g_ptr_array_new_with_free_func(image_free);
        g_hash_table_insert(images->processes, GINT_TO_POINTER(pid), process);
    }
    return process;
}

/* The image that was loaded last at this base. */
static struct ct_image *image_at(const struct process *process, uint64_t base)
{
    for (unsigned i = process->images->len; i > 0; i--) {
        struct ct_image *image = g_ptr_array_index(process->images, i - 1);

        if (image->base == base) {
            return image;
        }
    }
    return NULL;
}

static void load(struct process *process, const struct ct_step *step)
{
    struct ct_image *image = image_at(process, step->subject);

    if (image && strcmp(image->path, step->name) == 0 &&
        image->size == step->object) {
        return;
    }
    if (process->images->len >= IMAGES_MAX ||
        strlen(step->name) >= PATH_BYTES_MAX || step->object == 0 ||
        step->subject + step->object < step->subject) {
        return;
    }
    image = g_new0(struct ct_image, 1);
    image->base = step->subject;
    image->size = step->object;
    image->path = g_strdup(step->name);
    image->number = process->images->len;
    g_ptr_array_add(process->images, image);
}

static void name_frame(struct ct_images *images, const struct ct_step *step)
{
    gpointer address = GSIZE_TO_POINTER((gsize)step->subject);
    struct named *named;

    if (!images->named) {
        images->named = g_hash_table_new_full(g_direct_hash, g_direct_equal,
                                              NULL, named_free);
    }
    if (g_hash_table_size(images->named) >= NAMED_MAX ||
        g_hash_table_contains(images->named, address)) {
        return;
    }
    named = g_new0(struct named, 1);
    named->function = g_strdup(step->name);
    named->what = g_strdup(step->layer);
    g_hash_table_insert(images->named, address, named);
}

void ct_images_named(const struct ct_images *images, uint64_t address,
                     const char **ret_function, const char **ret_what)
{
    const struct named *named =
        images->named ? g_hash_table_lookup(images->named,
                                            GSIZE_TO_POINTER((gsize)address))
                      : NULL;

    *ret_function = named ? named->function : NULL;
    *ret_what = named ? named->what : NULL;
}

void ct_images_step(struct ct_images *images, const struct ct_step *step)
{
    struct process *process;
    struct ct_image *image;

    if (step->kind == CT_STEP_FRAME_NAME) {
        name_frame(images, step);
        return;
    }
    if (step->kind != CT_STEP_IMAGE_LOAD) {
        return;
    }
    process = make_process(images, step->pid);
    if (!process) {
        return;
    }
    if (step->name) {
        load(process, step);
    }
    if (step->build_id) {
        image = image_at(process, step->subject);
        if (image && !image->build_id) {
            image->build_id = g_strdup(step->build_id);
        }
    }
}

const struct ct_image *ct_images_find(const struct ct_images *images,
                                      int32_t pid, uint64_t address)
{
    const struct process *process = find_process(images, pid);

    for (unsigned i = process ? process->images->len : 0; i > 0; i--) {
        const struct ct_image *image =
            g_ptr_array_index(process->images, i - 1);

        if (address - image->base < image->size) {
            return image;
        }
    }
    return NULL;
}
