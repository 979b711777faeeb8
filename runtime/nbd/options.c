/* SPDX-License-Identifier: MIT */
/*
 * options.c - what a client may ask for before it sends requests
 *
 * All data of an option is there; a cursor walks over it and refuses to leave
 * it.  An option that is malformed is answered with NBD_REP_ERR_INVALID and
 * changes nothing, but that the contexts which were chosen before are gone.
 */
#include "nbd/negotiate.h"

#include <string.h>

#include "base/bytes.h"

struct cursor {
    const uint8_t *at;
    size_t left;
};

struct text {
    const uint8_t *data;
    size_t bytes;
};

static bool take_u16(struct cursor *c, uint16_t *ret_value)
{
    if (c->left < 2) {
        return false;
    }
    *ret_value = ct_get_be16(c->at);
    c->at += 2;
    c->left -= 2;
    return true;
}

static bool take_u32(struct cursor *c, uint32_t *ret_value)
{
    if (c->left < 4) {
        return false;
    }
    *ret_value = ct_get_be32(c->at);
    c->at += 4;
    c->left -= 4;
    return true;
}

/* A length, and as many characters */
static bool take_text(struct cursor *c, struct text *ret_text)
{
    uint32_t bytes;

    if (!take_u32(c, &bytes) || bytes > c->left) {
        return false;
    }
    *ret_text = (struct text){c->at, bytes};
    c->at += bytes;
    c->left -= bytes;
    return true;
}

static bool text_is(const struct text *text, const char *word)
{
    return text->bytes == strlen(word) &&
           memcmp(text->data, word, text->bytes) == 0;
}

static void ack(struct nbd_negotiation *n, uint32_t option)
{
    nbd_option_reply(n, option, NBD_REP_ACK, NULL, 0);
}

static void invalid(struct nbd_negotiation *n, uint32_t option,
                    const char *text)
{
    nbd_option_error(n, option, NBD_REP_ERR_INVALID, text);
}

/* Return: false: it is another's name; told */
static bool check_name(struct nbd_negotiation *n, uint32_t option,
                       const struct text *name)
{
    if (name->bytes > NBD_STRING_BYTES_MAX) {
        invalid(n, option, "name is too long");
        return false;
    }
    if (!text_is(name, n->info->name)) {
        nbd_option_error(n, option, NBD_REP_ERR_UNKNOWN, "no such export");
        return false;
    }
    return true;
}

static void list(struct nbd_negotiation *n)
{
    const char *description =
        n->info->description != NULL ? n->info->description : "";
    g_autoptr(GByteArray) data = g_byte_array_new();
    size_t name_bytes = strlen(n->info->name);
    uint8_t head[4];

    ct_put_be32(head, (uint32_t)name_bytes);
    g_byte_array_append(data, head, sizeof(head));
    g_byte_array_append(data, (const uint8_t *)n->info->name,
                        (guint)name_bytes);
    g_byte_array_append(data, (const uint8_t *)description,
                        (guint)strlen(description));
    nbd_option_reply(n, NBD_OPT_LIST, NBD_REP_SERVER, data->data, data->len);
    ack(n, NBD_OPT_LIST);
}

/* --- INFO and GO ---------------------------------------------------------- */

static void tell_export(struct nbd_negotiation *n, uint32_t option)
{
    uint16_t df = n->terms.is_structured ? NBD_FLAG_SEND_DF : 0;
    uint8_t data[12], *p = data;

    p = ct_put_be16(p, NBD_INFO_EXPORT);
    p = ct_put_be64(p, n->info->bytes);
    ct_put_be16(p, n->info->flags | df);
    nbd_option_reply(n, option, NBD_REP_INFO, data, sizeof(data));
}

static void tell_block_size(struct nbd_negotiation *n, uint32_t option)
{
    uint8_t data[14], *p = data;

    p = ct_put_be16(p, NBD_INFO_BLOCK_SIZE);
    p = ct_put_be32(p, 1);
    p = ct_put_be32(p, n->info->preferred_bytes);
    ct_put_be32(p, NBD_PAYLOAD_BYTES_MAX);
    nbd_option_reply(n, option, NBD_REP_INFO, data, sizeof(data));
}

static void tell_text(struct nbd_negotiation *n, uint32_t option,
                      enum nbd_info info, const char *text)
{
    uint8_t data[2 + NBD_STRING_BYTES_MAX], *p = data;
    size_t bytes = MIN(strlen(text), (size_t)NBD_STRING_BYTES_MAX);

    p = ct_put_be16(p, info);
    memcpy(p, text, bytes);
    nbd_option_reply(n, option, NBD_REP_INFO, data, 2 + bytes);
}

static void tell_wanted(struct nbd_negotiation *n, uint32_t option,
                        unsigned wanted)
{
    tell_export(n, option);
    if (wanted & (1u << NBD_INFO_NAME)) {
        tell_text(n, option, NBD_INFO_NAME, n->info->name);
    }
    if ((wanted & (1u << NBD_INFO_DESCRIPTION)) &&
        n->info->description != NULL) {
        tell_text(n, option, NBD_INFO_DESCRIPTION, n->info->description);
    }
    if (wanted & (1u << NBD_INFO_BLOCK_SIZE)) {
        tell_block_size(n, option);
    }
}

static void info_or_go(struct nbd_negotiation *n, uint32_t option,
                       struct cursor c)
{
    unsigned wanted = 0;
    struct text name;
    uint16_t count, info;

    if (!take_text(&c, &name) || !take_u16(&c, &count) ||
        c.left != (size_t)count * 2) {
        invalid(n, option, "lengths don't agree");
        return;
    }
    while (take_u16(&c, &info)) {
        wanted |= info <= NBD_INFO_BLOCK_SIZE ? 1u << info : 0;
    }
    if (!check_name(n, option, &name)) {
        return;
    }
    tell_wanted(n, option, wanted);
    ack(n, option);
    if (option == NBD_OPT_GO) {
        n->state = NBD_NEGOTIATION_TRANSMISSION;
    }
}

/* --- metadata contexts ---------------------------------------------------- */

static bool query_matches(const struct text *query, bool is_list)
{
    return text_is(query, NBD_BASE_ALLOCATION) ||
           (is_list && text_is(query, "base:"));
}

/* Return: false: malformed */
static bool look_for_allocation(struct cursor *c, bool is_list, bool *ret_found)
{
    uint32_t count;

    if (!take_u32(c, &count)) {
        return false;
    }
    *ret_found = is_list && count == 0;
    for (; count > 0; count--) {
        struct text query;

        if (!take_text(c, &query) || query.bytes > NBD_STRING_BYTES_MAX) {
            return false;
        }
        *ret_found |= query_matches(&query, is_list);
    }
    return c->left == 0;
}

static void meta_context(struct nbd_negotiation *n, uint32_t option,
                         struct cursor c)
{
    bool is_list = option == NBD_OPT_LIST_META_CONTEXT;
    uint8_t data[4 + sizeof(NBD_BASE_ALLOCATION) - 1];
    struct text name;
    bool found;

    if (!is_list) {
        n->terms.has_allocation = false;
    }
    if (!n->terms.is_structured) {
        invalid(n, option, "needs structured replies");
        return;
    }
    if (!take_text(&c, &name)) {
        invalid(n, option, "lengths don't agree");
        return;
    }
    if (!check_name(n, option, &name)) {
        return;
    }
    if (!look_for_allocation(&c, is_list, &found)) {
        invalid(n, option, "lengths don't agree");
        return;
    }
    if (found) {
        ct_put_be32(data, is_list ? 0 : NBD_BASE_ALLOCATION_ID);
        memcpy(data + 4, NBD_BASE_ALLOCATION, sizeof(data) - 4);
        nbd_option_reply(n, option, NBD_REP_META_CONTEXT, data, sizeof(data));
        n->terms.has_allocation |= !is_list;
    }
    ack(n, option);
}

/* --- which of them ------------------------------------------------------- */

bool nbd_option(struct nbd_negotiation *n, uint32_t option, const uint8_t *data,
                size_t bytes)
{
    struct cursor c = {data, bytes};
    bool is_bare = option == NBD_OPT_LIST || option == NBD_OPT_STRUCTURED_REPLY;

    if (is_bare && bytes > 0) {
        invalid(n, option, "option takes no data");
        return true;
    }
    switch (option) {
    case NBD_OPT_ABORT:
        ack(n, option);
        n->state = NBD_NEGOTIATION_CLOSE;
        return true;
    case NBD_OPT_LIST:
        list(n);
        return true;
    case NBD_OPT_INFO:
    case NBD_OPT_GO:
        info_or_go(n, option, c);
        return true;
    case NBD_OPT_STRUCTURED_REPLY:
        n->terms.is_structured = true;
        ack(n, option);
        return true;
    case NBD_OPT_LIST_META_CONTEXT:
    case NBD_OPT_SET_META_CONTEXT:
        meta_context(n, option, c);
        return true;
    default:
        return false;
    }
}
