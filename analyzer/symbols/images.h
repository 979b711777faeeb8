/* SPDX-License-Identifier: MIT */
/*
 * symbols/images.h - which file lay where in which process, and when
 *
 * Model:    filled from steps while the pass runs; asked when names are shown.
 *           An image that was unloaded stays, for stacks taken before.
 * Threads:  one pass, one thread.
 * Memory:   owned by the pass until its consumers have finished.
 * Errors:   none: the number of images a process is limited, more are dropped.
 * Depends:  ct/step.h.
 */
#ifndef CT_IMAGES_H
#define CT_IMAGES_H

#include "ct/step.h"

struct ct_images;

struct ct_image {
    uint64_t base;
    uint64_t size;
    const char *path;
    const char *build_id; /* hex digits; NULL: not told */
    unsigned number;      /* within its process, by the order of loading */
};

struct ct_images *ct_images_new(void);
void ct_images_free(struct ct_images *images);

/** ct_images_set_warning() - who is told of files that can't be used */
void ct_images_set_warning(struct ct_images *images,
                           void (*warning)(const char *text, void *data),
                           void *data);

__attribute__((format(printf, 2, 3))) void ct_images_warn(
    const struct ct_images *images, const char *format, ...);

/** ct_images_step() - CT_STEP_IMAGE_LOAD, CT_STEP_IMAGE_UNLOAD or
 * CT_STEP_FRAME_NAME; others do nothing */
void ct_images_step(struct ct_images *images, const struct ct_step *step);

/**
 * ct_images_find() - the image that an address lies in
 * Return: the one that was loaded last of those that ever held it; NULL: none.
 */
const struct ct_image *ct_images_find(const struct ct_images *images,
                                      int32_t pid, uint64_t address);

/**
 * ct_images_named() - a frame that is no code
 * @ret_function: NULL: not known
 * @ret_what:     what it is for; NULL: not told
 */
void ct_images_named(const struct ct_images *images, uint64_t address,
                     const char **ret_function, const char **ret_what);

#endif
