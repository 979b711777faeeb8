/* SPDX-License-Identifier: MIT */
/*
 * labels.c - the distinct texts of a timeline, as numbers
 *
 * entries: hash table, struct label (owned by the array `all`) -> itself;
 * entries are never removed.  threads: hash table, pid and tid -> owned name.
 */
#include "render/labels.h"

#include <inttypes.h>
#include <string.h>

#include "out/json.h"

enum label_kind {
    /* 0 ..: enum ct_slice_kind */
    LABEL_COUNTERS = CT_SLICE_KINDS, /* ..: enum ct_counter_kind */
    LABEL_PLAIN = LABEL_COUNTERS + CT_COUNTER_KINDS,
};

struct label {
    uint32_t number;
    int32_t pid;
    unsigned kind;
    uint64_t id;      /* function; thread: its tid; counter: whose it is */
    const char *name; /* owned; NULL: none */
    char *text;       /* resolved */
    char *json;       /* ... as a JSON string */
    size_t json_length;
};

struct ct_labels {
    GPtrArray *all;
    GHashTable *entries;
    GHashTable *threads;
    GHashTable *pools;    /* of those that are workers */
    GHashTable *contexts; /* context -> label of a turn of it, for its name */
    /* per counter kind: how many different ones, so that the only one needs
     * no number */
    unsigned n_counters[CT_COUNTER_KINDS];
};

static guint label_hash(gconstpointer key)
{
    const struct label *label = key;
    uint64_t hash = label->id * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= (uint64_t)(uint32_t)label->pid << 8 ^ label->kind;
    hash ^= label->name ? g_str_hash(label->name) : 0;
    return (guint)(hash ^ hash >> 32);
}

static gboolean label_equal(gconstpointer a, gconstpointer b)
{
    const struct label *one = a;
    const struct label *other = b;

    return one->id == other->id && one->pid == other->pid &&
           one->kind == other->kind && !g_strcmp0(one->name, other->name);
}

static void label_free(gpointer data)
{
    struct label *label = data;

    g_free((char *)label->name);
    g_free(label->text);
    g_free(label->json);
    g_free(label);
}

static uint64_t thread_key(int32_t pid, int32_t tid)
{
    return (uint64_t)(uint32_t)pid << 32 | (uint32_t)tid;
}

/* Ids are small numbers, unique in their process. */
static uint64_t context_key(int32_t pid, uint64_t context)
{
    return context ^ (uint64_t)(uint32_t)pid << 32;
}

static uint64_t *key_of(uint64_t number)
{
    uint64_t *key = g_new(uint64_t, 1);

    *key = number;
    return key;
}

struct ct_labels *ct_labels_new(void)
{
    struct ct_labels *labels = g_new0(struct ct_labels, 1);

    labels->all = g_ptr_array_new_with_free_func(label_free);
    labels->entries = g_hash_table_new(label_hash, label_equal);
    labels->threads =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    labels->pools =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    labels->contexts =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return labels;
}

void ct_labels_free(struct ct_labels *labels)
{
    if (labels) {
        g_hash_table_destroy(labels->entries);
        g_hash_table_destroy(labels->threads);
        g_hash_table_destroy(labels->pools);
        g_hash_table_destroy(labels->contexts);
        g_ptr_array_free(labels->all, TRUE);
        g_free(labels);
    }
}

static struct label *get(struct ct_labels *labels, const struct label *wanted)
{
    struct label *label = g_hash_table_lookup(labels->entries, wanted);

    if (!label) {
        label = g_new(struct label, 1);
        *label = *wanted;
        label->name = g_strdup(wanted->name);
        label->number = labels->all->len;
        g_ptr_array_add(labels->all, label);
        g_hash_table_add(labels->entries, label);
        if (label->kind >= LABEL_COUNTERS && label->kind < LABEL_PLAIN) {
            labels->n_counters[label->kind - LABEL_COUNTERS]++;
        }
    }
    return label;
}

uint32_t ct_labels_slice(struct ct_labels *labels, const struct ct_slice *slice)
{
    struct label wanted = {.pid = slice->pid, .kind = slice->kind};
    struct label *label;

    if (slice->kind == CT_SLICE_THREAD) {
        wanted.id = (uint32_t)slice->tid;
    } else {
        wanted.name = slice->name;
        wanted.id = slice->name ? 0 : slice->fn;
    }
    label = get(labels, &wanted);
    if (slice->kind == CT_SLICE_POLL && slice->name) {
        uint64_t context = context_key(
            slice->pid, slice->context ? slice->context : slice->id);

        if (!g_hash_table_contains(labels->contexts, &context)) {
            g_hash_table_insert(labels->contexts, key_of(context), label);
        }
    }
    return label->number;
}

uint32_t ct_labels_counter(struct ct_labels *labels,
                           const struct ct_counter *counter)
{
    struct label wanted = {
        .pid = counter->pid,
        .kind = LABEL_COUNTERS + counter->kind,
        .id = counter->id,
    };

    return get(labels, &wanted)->number;
}

uint32_t ct_labels_plain(struct ct_labels *labels, const char *text)
{
    struct label wanted = {.kind = LABEL_PLAIN, .name = text ? text : ""};

    return get(labels, &wanted)->number;
}

void ct_labels_thread(struct ct_labels *labels, int32_t pid, int32_t tid,
                      const char *name, uint64_t pool)
{
    g_hash_table_replace(labels->threads, key_of(thread_key(pid, tid)),
                         g_strdup(name));
    g_hash_table_replace(labels->pools, key_of(thread_key(pid, tid)),
                         key_of(pool));
}

uint64_t ct_labels_thread_pool(const struct ct_labels *labels, int32_t pid,
                               int32_t tid)
{
    uint64_t key = thread_key(pid, tid);
    const uint64_t *pool = g_hash_table_lookup(labels->pools, &key);

    return pool ? *pool : 0;
}

const char *ct_labels_thread_name(const struct ct_labels *labels, int32_t pid,
                                  int32_t tid)
{
    uint64_t key = thread_key(pid, tid);
    const char *name = g_hash_table_lookup(labels->threads, &key);

    /* Nobody names the first one, whose number is the process's. */
    return name ? name : tid == pid ? "main" : NULL;
}

/* --- at the end ---------------------------------------------------------- */

static const char *const slice_words[CT_SLICE_KINDS] = {
    [CT_SLICE_POLL] = "poll",           [CT_SLICE_FDMON] = "kernel wait",
    [CT_SLICE_WAIT] = "AIO_WAIT_WHILE", [CT_SLICE_BH] = "BH",
    [CT_SLICE_TIMER] = "timer",         [CT_SLICE_FD] = "fd handler",
    [CT_SLICE_COROUTINE] = "coroutine", [CT_SLICE_WORK] = "work",
    [CT_SLICE_THREAD] = "thread",       [CT_SLICE_BUSY] = "busy polling",
};

static char *slice_text(const struct ct_labels *labels,
                        const struct label *label, struct ct_symbols *symbols)
{
    const char *word = slice_words[label->kind];
    const char *name = label->name;

    if (label->kind == CT_SLICE_THREAD) {
        name = ct_labels_thread_name(labels, label->pid, (int32_t)label->id);
        return name ? g_strdup(name)
                    : g_strdup_printf("thread %" PRIu64, label->id);
    }
    /* Of a turn's parts the kind says enough. */
    if (label->kind == CT_SLICE_FDMON || label->kind == CT_SLICE_BUSY ||
        label->kind == CT_SLICE_WAIT) {
        return g_strdup(word);
    }
    if (!name && label->id) {
        name = ct_symbols_function(symbols, label->pid, label->id, false);
    }
    if (name) {
        return g_strdup_printf("%s %s", word, name);
    }
    return label->id ? g_strdup_printf("%s 0x%" PRIx64, word, label->id)
                     : g_strdup(word);
}

/* Viewers add the name of the value: "queued" + "work items". */
static char *counter_text(const struct ct_labels *labels,
                          const struct label *label)
{
    enum ct_counter_kind kind = label->kind - LABEL_COUNTERS;
    const char *word = kind == CT_COUNTER_WORK_QUEUED    ? "queued"
                       : kind == CT_COUNTER_WORKERS_BUSY ? "workers"
                       : kind == CT_COUNTER_WORKERS_IDLE ? "workers"
                       : kind == CT_COUNTER_CO_SCHEDULED ? "scheduled"
                       : kind == CT_COUNTER_REQUESTS     ? "requests"
                                                         : "coroutines";

    if (!label->id || labels->n_counters[kind] == 1) {
        return g_strdup(word);
    }
    if (kind == CT_COUNTER_CO_SCHEDULED) {
        uint64_t context = context_key(label->pid, label->id);
        const struct label *turn =
            g_hash_table_lookup(labels->contexts, &context);

        return turn ? g_strdup_printf("%s: %s", turn->name, word)
                    : g_strdup_printf("context %" PRIu64 ": %s", label->id,
                                      word);
    }
    return g_strdup_printf("pool %" PRIu64 ": %s", label->id, word);
}

static void label_json(struct label *label, struct ct_out *out)
{
    struct ct_json json;

    out->used_bytes = 0;
    ct_json_init(&json, out);
    ct_json_string(&json, label->text);
    label->json_length = out->used_bytes;
    label->json = g_strndup(out->buffer, out->used_bytes);
}

void ct_labels_resolve(struct ct_labels *labels, const struct ct_images *images)
{
    struct ct_symbols *symbols = ct_symbols_new(images, NULL);
    struct ct_out *out = ct_out_memory();

    for (guint i = 0; i < labels->all->len; i++) {
        struct label *label = labels->all->pdata[i];

        if (label->kind < CT_SLICE_KINDS) {
            label->text = slice_text(labels, label, symbols);
        } else if (label->kind < LABEL_PLAIN) {
            label->text = counter_text(labels, label);
        } else {
            label->text = g_strdup(label->name);
        }
        label_json(label, out);
    }
    ct_out_close(out, false, NULL);
    ct_symbols_free(symbols);
}

const char *ct_labels_text(const struct ct_labels *labels, uint32_t label)
{
    const struct label *entry = labels->all->pdata[label];

    return entry->text;
}

const char *ct_labels_json(const struct ct_labels *labels, uint32_t label,
                           size_t *ret_length)
{
    const struct label *entry = labels->all->pdata[label];

    *ret_length = entry->json_length;
    return entry->json;
}
