/* SPDX-License-Identifier: MIT */
/*
 * render/chrome_writer.h - the pieces that every event of a timeline has
 *
 * Model:    begin_event ... [begin_args ... end_args]; shared by chrome_json.c
 *           (what happened) and chrome_names.c (what things are called).
 * Depends:  render/chrome.h, out/json.h.
 */
#ifndef CT_RENDER_CHROME_WRITER_H
#define CT_RENDER_CHROME_WRITER_H

#include "out/json.h"
#include "render/chrome.h"

struct ct_chrome_writer {
    struct ct_json json;
    struct ct_chrome *chrome;
    uint64_t position; /* on the tape */
    uint64_t n_flows;
    /* labels of fixed words */
    uint32_t states[CT_STATES];
    uint32_t causes[CT_EDGE_KINDS];
    uint32_t effects[CT_EDGE_KINDS];
};

/* Of two runs each has numbers of its own: those of lanes lie above, and so do
 * what the kernel gives (2^22) below. */
#define CT_CHROME_RUN (1 << 23)

static inline int32_t ct_chrome_number(const struct ct_chrome_writer *writer,
                                       int32_t number)
{
    return writer->chrome->pair && number < CT_LANE_TID(0, 0)
               ? number + (int32_t)(writer->chrome->side + 1) * CT_CHROME_RUN
               : number;
}

static inline void begin_event(struct ct_chrome_writer *writer, char phase,
                               int32_t pid, int32_t tid)
{
    const char quoted[] = {'"', phase, '"'};
    struct ct_json *json = &writer->json;

    pid = ct_chrome_number(writer, pid);
    tid = ct_chrome_number(writer, tid);
    ct_json_object(json);
    ct_json_key(json, "ph");
    ct_json_put(json, quoted, sizeof(quoted));
    ct_json_key(json, "pid");
    ct_json_i64(json, pid);
    ct_json_key(json, "tid");
    ct_json_i64(json, tid);
}

static inline void begin_args(struct ct_chrome_writer *writer)
{
    ct_json_key(&writer->json, "args");
    ct_json_object(&writer->json);
}

static inline void end_args(struct ct_chrome_writer *writer)
{
    ct_json_object_end(&writer->json);
    ct_json_object_end(&writer->json);
}

/* chrome_json.c */

/** ct_chrome_next() - the tape's next record; false: its end, or an error */
bool ct_chrome_next(struct ct_chrome_writer *writer,
                    struct ct_tape_record *record);
/** ct_chrome_record() - write it, a request with all that follows it */
void ct_chrome_record(struct ct_chrome_writer *writer,
                      const struct ct_tape_record *record);
/** ct_chrome_head(), ct_chrome_tail() - what stands around a file's events */
void ct_chrome_head(struct ct_chrome_writer *writer, struct ct_out *out,
                    const struct ct_summary *summary);
void ct_chrome_tail(struct ct_chrome_writer *writer);

/** ct_chrome_write_parts() - chrome_parts.c: as ct_chrome_write() */
bool ct_chrome_write_parts(struct ct_chrome_writer *writer, struct ct_out *out,
                           const struct ct_summary *summary, GError **error);

/** ct_chrome_names() - processes, threads and lanes: names and order */
void ct_chrome_names(struct ct_chrome_writer *writer);

#endif
