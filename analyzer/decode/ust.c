/* SPDX-License-Identifier: MIT */
/*
 * ust.c - LTTng-UST's own events: which file a process has mapped where
 *
 * A file is told as `bin_info` (at the start of a recording), `load` or
 * `dlopen` (later), and its build id in an event of its own with the same base
 * address, after it: two steps of the same kind, the second with nothing but
 * the base and the build id.
 */
#include "decode/dialects.h"

#define U(field) (record->values[CT_FLD_##field].u)

static bool image(struct ct_step *step, const struct ct_record *record,
                  unsigned base, unsigned size, unsigned path)
{
    const struct ct_value *name = &record->values[path];

    step->kind = CT_STEP_IMAGE_LOAD;
    step->subject = record->values[base].u;
    step->object = record->values[size].u;
    step->name = name->present ? name->s : NULL;
    return step->name != NULL;
}

static bool build_id(struct ct_step *step, const struct ct_value *base,
                     const struct ct_value *bytes, char *text)
{
    static const char digits[] = "0123456789abcdef";

    if (!bytes->present || bytes->len == 0 || bytes->len > CT_BUILD_ID_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < bytes->len; i++) {
        text[2 * i] = digits[bytes->b[i] >> 4];
        text[2 * i + 1] = digits[bytes->b[i] & 15];
    }
    text[2 * bytes->len] = '\0';
    step->kind = CT_STEP_IMAGE_LOAD;
    step->subject = base->u;
    step->build_id = text;
    return true;
}

bool ct_decode_ust(const struct ct_record *record, struct ct_step *step,
                   char *text)
{
    switch (record->event) {
    case CT_EV_UST_BIN_INFO:
        return image(step, record, CT_FLD_UST_BIN_INFO_BADDR,
                     CT_FLD_UST_BIN_INFO_MEMSZ, CT_FLD_UST_BIN_INFO_PATH);
    case CT_EV_UST_LIB_LOAD:
        return image(step, record, CT_FLD_UST_LIB_LOAD_BADDR,
                     CT_FLD_UST_LIB_LOAD_MEMSZ, CT_FLD_UST_LIB_LOAD_PATH);
    case CT_EV_UST_DL_DLOPEN:
        return image(step, record, CT_FLD_UST_DL_DLOPEN_BADDR,
                     CT_FLD_UST_DL_DLOPEN_MEMSZ, CT_FLD_UST_DL_DLOPEN_PATH);
    case CT_EV_UST_DL_DLMOPEN:
        return image(step, record, CT_FLD_UST_DL_DLMOPEN_BADDR,
                     CT_FLD_UST_DL_DLMOPEN_MEMSZ, CT_FLD_UST_DL_DLMOPEN_PATH);
    case CT_EV_UST_BUILD_ID:
        return build_id(step, &record->values[CT_FLD_UST_BUILD_ID_BADDR],
                        &record->values[CT_FLD_UST_BUILD_ID_BUILD_ID], text);
    case CT_EV_UST_LIB_BUILD_ID:
        return build_id(step, &record->values[CT_FLD_UST_LIB_BUILD_ID_BADDR],
                        &record->values[CT_FLD_UST_LIB_BUILD_ID_BUILD_ID],
                        text);
    case CT_EV_UST_DL_BUILD_ID:
        return build_id(step, &record->values[CT_FLD_UST_DL_BUILD_ID_BADDR],
                        &record->values[CT_FLD_UST_DL_BUILD_ID_BUILD_ID], text);
    case CT_EV_UST_LIB_UNLOAD:
        step->kind = CT_STEP_IMAGE_UNLOAD;
        step->subject = U(UST_LIB_UNLOAD_BADDR);
        return true;
    case CT_EV_UST_DL_DLCLOSE:
        step->kind = CT_STEP_IMAGE_UNLOAD;
        step->subject = U(UST_DL_DLCLOSE_BADDR);
        return true;
    case CT_EV_UST_PROCNAME:
        step->kind = CT_STEP_PROCESS_NAME;
        step->name = record->values[CT_FLD_UST_PROCNAME_PROCNAME].present
                         ? record->values[CT_FLD_UST_PROCNAME_PROCNAME].s
                         : NULL;
        return step->name != NULL;
    default:
        return false;
    }
}
