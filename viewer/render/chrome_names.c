/* SPDX-License-Identifier: MIT */
/*
 * chrome_names.c - the metadata of a timeline: names and order of its tracks
 *
 * Lanes of requests come first, then threads in the order of their first
 * event.
 */
#include "render/chrome_writer.h"

/* @pool: of a worker; 0: it is none */
static void metadata_of(struct ct_chrome_writer *writer, const char *what,
                        int32_t pid, int32_t tid, const char *name,
                        uint64_t pool)
{
    struct ct_json *json = &writer->json;

    begin_event(writer, 'M', pid, tid);
    ct_json_key(json, "name");
    ct_json_string(json, what);
    begin_args(writer);
    ct_json_key(json, "name");
    ct_json_string(json, name);
    if (pool) {
        ct_json_key(json, "pool");
        ct_json_id(json, pool);
    }
    end_args(writer);
}

static void metadata_name(struct ct_chrome_writer *writer, const char *what,
                          int32_t pid, int32_t tid, const char *name)
{
    metadata_of(writer, what, pid, tid, name, 0);
}

static void metadata_index(struct ct_chrome_writer *writer, const char *what,
                           int32_t pid, int32_t tid, int index)
{
    struct ct_json *json = &writer->json;

    begin_event(writer, 'M', pid, tid);
    ct_json_key(json, "name");
    ct_json_string(json, what);
    begin_args(writer);
    ct_json_key(json, "sort_index");
    ct_json_i64(json, index);
    end_args(writer);
}

static void lane_names(struct ct_chrome_writer *writer, int32_t pid)
{
    static const char *const words[CT_LANE_GROUPS] = {
        [CT_LANES_OUTER] = "requests",
        [CT_LANES_INNER] = "inner requests",
    };
    int index = -1000000;

    for (unsigned group = 0; group < CT_LANE_GROUPS; group++) {
        unsigned n = ct_lanes_count(writer->chrome->lanes, pid, group);

        for (unsigned lane = 0; lane < n; lane++) {
            g_autofree char *name =
                n == 1 ? g_strdup(words[group])
                       : g_strdup_printf("%s %u", words[group], lane + 1);
            int32_t tid = CT_LANE_TID(group, lane);

            metadata_name(writer, "thread_name", pid, tid, name);
            metadata_index(writer, "thread_sort_index", pid, tid, index++);
        }
    }
}

/* Counters stand on a process's first thread, whether that had events or not.
 */
static bool has_first_thread(const struct ct_chrome_writer *writer, int32_t pid)
{
    const GPtrArray *tracks = writer->chrome->tracks.all;

    for (guint i = 0; i < tracks->len; i++) {
        const struct ct_track *track = tracks->pdata[i];

        if (track->pid == pid && track->tid == pid) {
            return true;
        }
    }
    return false;
}

static void process_names(struct ct_chrome_writer *writer, int32_t pid,
                          int index)
{
    const char *name = ct_labels_thread_name(writer->chrome->labels, pid, -1);
    g_autofree char *number = g_strdup_printf("process %d", pid);
    g_autofree char *of_run = NULL;

    if (writer->chrome->pair) {
        of_run = g_strdup_printf("%c: %s", "AB"[writer->chrome->side],
                                 name ? name : number);
        index = (int)++writer->chrome->pair->next_index;
        name = of_run;
    }
    metadata_name(writer, "process_name", pid, pid, name ? name : number);
    metadata_index(writer, "process_sort_index", pid, pid, index);
    lane_names(writer, pid);
    if (!has_first_thread(writer, pid)) {
        metadata_name(writer, "thread_name", pid, pid, "counters");
    }
}

void ct_chrome_names(struct ct_chrome_writer *writer)
{
    const GPtrArray *tracks = writer->chrome->tracks.all;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < tracks->len; i++) {
        const struct ct_track *track = tracks->pdata[i];
        const char *name = ct_labels_thread_name(writer->chrome->labels,
                                                 track->pid, track->tid);
        g_autofree char *number = g_strdup_printf("thread %d", track->tid);

        if (g_hash_table_add(seen, GINT_TO_POINTER(track->pid))) {
            process_names(writer, track->pid, (int)g_hash_table_size(seen));
        }
        metadata_of(writer, "thread_name", track->pid, track->tid,
                    name ? name : number,
                    ct_labels_thread_pool(writer->chrome->labels, track->pid,
                                          track->tid));
        metadata_index(writer, "thread_sort_index", track->pid, track->tid,
                       (int)i);
    }
}
