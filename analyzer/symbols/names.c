/* SPDX-License-Identifier: MIT */
/*
 * names.c - from an address in a process to frames with names, once
 *
 * process and address -> image (images.c) -> file (object.c) -> places
 * (places.c).  Results are kept by process and address, files by path and
 * build id.  A return address is looked up one byte before: a call may be the
 * last instruction of a function or of an inlined one, and what stands behind
 * it would be another's.
 *
 * A file that is not the one that was traced (another build id) gives no
 * names, and is warned of once: wrong names would be worse than none.
 */
#include <string.h>

#include "ct/backtrace.h"
#include "ct/key.h"
#include "symbols/images.h"
#include "symbols/object.h"

struct key {
    int32_t pid;
    bool is_return;
    uint64_t address;
};

struct answer {
    struct key key;
    unsigned n;
    struct ct_frame frames[];
};

struct ct_symbol_files {
    unsigned refs;
    GHashTable *objects; /* path + '\n' + build id (owned) -> struct ct_object
                            (owned), NULL: can't be had */
};

struct ct_symbols {
    const struct ct_images *images;
    struct ct_symbol_files *files; /* one reference */
    GHashTable *answers; /* struct key, in the answer -> answer (owned) */
    GStringChunk *paths;
};

static guint hash_key(const void *data)
{
    const struct key *key = data;

    return ct_key_hash(key->pid, key->address * 2 + key->is_return);
}

static gboolean is_same_key(const void *a, const void *b)
{
    const struct key *one = a;
    const struct key *two = b;

    return one->address == two->address && one->pid == two->pid &&
           one->is_return == two->is_return;
}

static void object_free(void *data)
{
    ct_object_free(data);
}

struct ct_symbol_files *ct_symbol_files_new(void)
{
    struct ct_symbol_files *files = g_new0(struct ct_symbol_files, 1);

    files->refs = 1;
    files->objects =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, object_free);
    return files;
}

void ct_symbol_files_free(struct ct_symbol_files *files)
{
    if (files && --files->refs == 0) {
        g_hash_table_destroy(files->objects);
        g_free(files);
    }
}

struct ct_symbols *ct_symbols_new(const struct ct_images *images,
                                  struct ct_symbol_files *files)
{
    struct ct_symbols *symbols = g_new0(struct ct_symbols, 1);

    symbols->images = images;
    if (files) {
        files->refs++;
    }
    symbols->files = files ? files : ct_symbol_files_new();
    symbols->answers =
        g_hash_table_new_full(hash_key, is_same_key, NULL, g_free);
    symbols->paths = g_string_chunk_new(1024);
    return symbols;
}

void ct_symbols_free(struct ct_symbols *symbols)
{
    if (!symbols) {
        return;
    }
    g_hash_table_destroy(symbols->answers);
    ct_symbol_files_free(symbols->files);
    g_string_chunk_free(symbols->paths);
    g_free(symbols);
}

static struct ct_object *object_of(struct ct_symbols *symbols,
                                   const struct ct_image *image)
{
    char *key = g_strconcat(image->path, "\n",
                            image->build_id ? image->build_id : "", NULL);
    struct ct_object *object;
    void *found;
    bool other;

    if (g_hash_table_lookup_extended(symbols->files->objects, key, NULL,
                                     &found)) {
        g_free(key);
        return found;
    }
    object = ct_object_open(image->path, image->build_id, &other);
    if (other) {
        ct_images_warn(symbols->images,
                       "%s: is not the file that was traced (its build id is "
                       "another); no names from it",
                       image->path);
    }
    g_hash_table_insert(symbols->files->objects, key, object);
    return object;
}

/* A frame that is no code: no address, and its name was told. */
static const struct answer *named(struct ct_symbols *symbols,
                                  const struct key *key)
{
    struct answer *answer =
        g_malloc0(sizeof(*answer) + sizeof(answer->frames[0]));

    answer->key = *key;
    answer->n = 1;
    ct_images_named(symbols->images, key->address, &answer->frames[0].function,
                    &answer->frames[0].image);
    g_hash_table_insert(symbols->answers, &answer->key, answer);
    return answer;
}

static const struct answer *resolve(struct ct_symbols *symbols,
                                    const struct key *key)
{
    uint64_t address = key->address - (key->is_return ? 1 : 0);
    const struct ct_image *image =
        ct_images_find(symbols->images, key->pid, address);
    struct ct_object *object = image ? object_of(symbols, image) : NULL;
    struct ct_place places[CT_INLINE_MAX] = {0};
    const char *path =
        image ? g_string_chunk_insert_const(symbols->paths, image->path) : NULL;
    struct answer *answer;
    unsigned n = 1;

    if (object) {
        n = ct_object_places(
            object, address - image->base + ct_object_base(object), places);
    }
    answer = g_malloc0(sizeof(*answer) + n * sizeof(answer->frames[0]));
    answer->key = *key;
    answer->n = n;
    for (unsigned i = 0; i < n; i++) {
        answer->frames[i] = (struct ct_frame){
            .address = key->address,
            .function = places[i].function,
            .file = places[i].file,
            .line = places[i].line,
            .image = path,
            .image_offset = image ? key->address - image->base : 0,
            .inlined = i + 1 < n,
        };
    }
    g_hash_table_insert(symbols->answers, &answer->key, answer);
    return answer;
}

unsigned ct_symbols_frames(struct ct_symbols *symbols, int32_t pid,
                           uint64_t address, bool is_return,
                           const struct ct_frame **ret_frames)
{
    struct key key = {.pid = pid, .is_return = is_return, .address = address};
    const struct answer *answer = g_hash_table_lookup(symbols->answers, &key);

    if (!answer) {
        answer = address >= CT_FRAME_NAMED ? named(symbols, &key)
                                           : resolve(symbols, &key);
    }
    *ret_frames = answer->frames;
    return answer->n;
}

const char *ct_symbols_function(struct ct_symbols *symbols, int32_t pid,
                                uint64_t address, bool is_return)
{
    const struct ct_frame *frames;
    unsigned n;

    if (address == 0) {
        return NULL;
    }
    n = ct_symbols_frames(symbols, pid, address, is_return, &frames);
    return frames[n - 1].function;
}
