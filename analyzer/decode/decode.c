/* SPDX-License-Identifier: MIT */
/*
 * decode.c - which dialect a record is told in
 *
 * The only place that knows them all.  Events come numbered by provider in
 * the schema, so the first and last of a provider say whose a record is; a
 * table by event keeps that to one load a record.
 */
#include "decode/decode.h"

#include <glib.h>
#include <string.h>

#include "decode/dialects.h"
#include "decode/files.h"
#include "decode/line.h"
#include "decode/native.h"
#include "decode/qemu/qemu.h"

enum dialect {
    DIALECT_NONE,
    DIALECT_COTRACE,
    DIALECT_NATIVE,
    DIALECT_UST,
    DIALECT_QEMU,
    DIALECT_LOG,
};

struct ct_decoder {
    uint8_t dialects[CT_EV_COUNT]; /* enum dialect, immutable after new */
    struct ct_enum_sizes words;    /* likewise */
    char build_id[CT_BUILD_ID_MAX * 2 + 1];
    /* made when they are first needed */
    struct ct_lines *lines;
    struct ct_qemu *qemu;
    struct ct_native *native;
    struct ct_files *files;
    struct ct_record record; /* what a line says */
    int64_t hole_end_ns;     /* of the last; INT64_MAX: there is none */
};

static void count_words(struct ct_enum_sizes *words, unsigned id)
{
    const struct ct_event *event = ct_schema_event(id);

    for (unsigned i = 0; i < event->n_fields; i++) {
        const char *const *word = event->fields[i].words;

        while (word && *word++) {
            words->n[id][i]++;
        }
    }
}

struct ct_decoder *ct_decoder_new(void)
{
    struct ct_decoder *decoder = g_new0(struct ct_decoder, 1);

    decoder->hole_end_ns = INT64_MAX;

    for (unsigned i = 0; i < CT_EV_COUNT; i++) {
        const char *provider = ct_schema_event(i)->provider;

        count_words(&decoder->words, i);

        if (strcmp(provider, "cotrace") == 0) {
            decoder->dialects[i] =
                i < CT_EV_NATIVE_STACK ? DIALECT_COTRACE : DIALECT_NATIVE;
        } else if (g_str_has_prefix(provider, "lttng_ust_")) {
            decoder->dialects[i] = DIALECT_UST;
        } else if (strcmp(provider, "qemu") == 0) {
            decoder->dialects[i] = DIALECT_QEMU;
        } else if (i == CT_EV_LOG_LINE) {
            decoder->dialects[i] = DIALECT_LOG;
        }
    }
    return decoder;
}

void ct_decoder_free(struct ct_decoder *decoder)
{
    ct_lines_free(decoder->lines);
    ct_qemu_free(decoder->qemu);
    ct_native_free(decoder->native);
    ct_files_free(decoder->files);
    g_free(decoder);
}

const struct ct_log_counts *ct_decoder_log(const struct ct_decoder *decoder)
{
    static const struct ct_log_counts none;

    return decoder->lines ? ct_lines_counts(decoder->lines) : &none;
}

bool ct_decoder_has_qemu(const struct ct_decoder *decoder)
{
    return decoder->qemu != NULL;
}

bool ct_decoder_has_workers(const struct ct_decoder *decoder)
{
    return !decoder->qemu || ct_qemu_has_workers(decoder->qemu);
}

static unsigned decode_qemu(struct ct_decoder *decoder,
                            const struct ct_record *record,
                            struct ct_step *ret_steps)
{
    if (!decoder->qemu) {
        decoder->qemu = ct_qemu_new();
    }
    return ct_qemu_decode(decoder->qemu, record, ret_steps);
}

static unsigned decode_native(struct ct_decoder *decoder,
                              const struct ct_record *record,
                              struct ct_step *ret_steps)
{
    unsigned n;

    if (record->event == CT_EV_NATIVE_FILE) {
        decoder->files = decoder->files ? decoder->files : ct_files_new();
        ct_files_told(decoder->files, record);
        return 0;
    }
    if (decoder->qemu && ct_qemu_decode_native(decoder->qemu, decoder->files,
                                               record, ret_steps, &n)) {
        return n;
    }
    if (!decoder->native) {
        decoder->native = ct_native_new();
    }
    return ct_native_decode(decoder->native, record, ret_steps);
}

/* Something happened, and what can't be read: an event is lost there. */
static unsigned decode_unread(struct ct_decoder *decoder,
                              const struct ct_record *line,
                              struct ct_step *step)
{
    const struct ct_value *stamp = &line->values[CT_FLD_LOG_LINE_STAMP];

    if (decoder->qemu) {
        ct_qemu_doubt(decoder->qemu);
    }
    step->kind = CT_STEP_GAP;
    step->subject = line->stream;
    step->value = 1;
    /* On its own thread it may have happened before what was told so far. */
    step->from_ns = stamp->present && stamp->i ? MIN(line->when_ns, stamp->i)
                                               : line->when_ns;
    step->ns = line->when_ns;
    return 1;
}

/* A line is unwrapped here, whoever sent it. */
static unsigned decode_line(struct ct_decoder *decoder,
                            const struct ct_record *record,
                            struct ct_step *ret_steps)
{
    if (!decoder->lines) {
        decoder->lines = ct_lines_new();
    }
    switch (ct_lines_read(decoder->lines, record, &decoder->record)) {
    case CT_LINE_EVENT:
        return decode_qemu(decoder, &decoder->record, ret_steps);
    case CT_LINE_UNREAD:
        return decode_unread(decoder, record, ret_steps);
    case CT_LINE_OTHER:
        break;
    }
    return 0;
}

/* The same line, if something that is preloaded has taken it. */
static unsigned decode_native_line(struct ct_decoder *decoder,
                                   const struct ct_record *record,
                                   struct ct_step *ret_steps)
{
    struct ct_value text = record->values[CT_FLD_NATIVE_LINE_TEXT];
    struct ct_record line = *record;

    memset(line.values, 0, sizeof(line.values));
    text.len = text.present ? (uint32_t)strlen(text.s) : 0;
    line.values[CT_FLD_LOG_LINE_TEXT] = text;
    if (!decoder->lines) {
        decoder->lines = ct_lines_new();
    }
    if (ct_lines_read(decoder->lines, &line, &decoder->record) !=
        CT_LINE_EVENT) {
        return 0;
    }
    if (!decoder->qemu) {
        decoder->qemu = ct_qemu_new();
    }
    return ct_qemu_decode_line(decoder->qemu, &decoder->record,
                               record->values[CT_FLD_NATIVE_LINE_STACK].u,
                               ret_steps);
}

static bool decode_hole(struct ct_decoder *decoder,
                        const struct ct_record *record, struct ct_step *step)
{
    bool is_in_one = decoder->hole_end_ns != INT64_MAX;

    decoder->hole_end_ns =
        is_in_one ? MAX(decoder->hole_end_ns, record->to_ns) : record->to_ns;
    if (decoder->qemu) {
        ct_qemu_doubt(decoder->qemu);
    }
    step->kind = CT_STEP_GAP;
    step->subject = record->stream;
    step->value = record->lost;
    step->from_ns = record->when_ns;
    step->ns = record->to_ns;
    return true;
}

/* Of ours, but a QEMU's worker may be meant. */
static bool is_thread(int event)
{
    return event == CT_EV_THREAD_CREATE || event == CT_EV_THREAD_START ||
           event == CT_EV_THREAD_EXIT;
}

unsigned ct_decode(struct ct_decoder *decoder, const struct ct_record *record,
                   struct ct_step *ret_steps)
{
    struct ct_step *step = ret_steps;

    *step = (struct ct_step){
        .certainty = CT_KNOWN,
        .when_ns = record->when_ns,
        .seq = record->seq,
        .pid = record->pid,
        .tid = record->tid,
    };
    if (record->kind == CT_RECORD_HOLE && record->only_names) {
        return 0;
    }
    if (record->kind == CT_RECORD_HOLE) {
        /* An fd may be another file's by now. */
        ct_files_free(decoder->files);
        decoder->files = NULL;
        return decode_hole(decoder, record, step);
    }
    if (G_UNLIKELY(record->when_ns > decoder->hole_end_ns)) {
        decoder->hole_end_ns = INT64_MAX;
        if (decoder->qemu) {
            ct_qemu_doubt(decoder->qemu);
        }
    }
    if (record->event < 0) {
        return 0;
    }
    switch ((enum dialect)decoder->dialects[record->event]) {
    case DIALECT_COTRACE:
        if (decoder->qemu && is_thread(record->event)) {
            unsigned n;

            if (ct_qemu_decode_native(decoder->qemu, decoder->files, record,
                                      ret_steps, &n)) {
                return n;
            }
        }
        if (ct_decode_cotrace(&decoder->words, record, step)) {
            return 1;
        }
        return ct_decode_joined(&decoder->words, record, ret_steps);
    case DIALECT_NATIVE:
        if (record->event == CT_EV_NATIVE_LINE) {
            return decode_native_line(decoder, record, ret_steps);
        }
        return decode_native(decoder, record, ret_steps);
    case DIALECT_UST:
        return ct_decode_ust(record, step, decoder->build_id);
    case DIALECT_QEMU:
        return decode_qemu(decoder, record, ret_steps);
    case DIALECT_LOG:
        return decode_line(decoder, record, ret_steps);
    case DIALECT_NONE:
        break;
    }
    return 0;
}
