/* SPDX-License-Identifier: MIT */
/*
 * test-nbd-negotiate.c - each option's answer, byte by byte and all at once
 *
 * A script is what a client sends, as hex with blanks; so is what it must get.
 * Each runs with all bytes there, and with one byte more at a time: the answers
 * have to be the same.
 */
#include <glib.h>

#include "nbd/negotiate.h"

#define GREETING "4e42444d41474943 49484156454f5054 0003 "
#define FIXED    "00000003 "
#define OPT      "49484156454f5054 "
#define REP      "0003e889045565a9 "
#define UNSUP    "80000001 "
#define INVALID  "80000003 "
#define UNKNOWN  "80000006 "
#define TOO_BIG  "80000009 "
/* The export: "disk", 65536 bytes, flags 0x0d05 with DF 0x0d85 */
#define NAME       "00000004 6469736b "
#define EXPORT     "0000 0000000000010000 "
#define ALLOCATION "626173653a616c6c6f636174696f6e "

static const struct nbd_export_info info = {
    .name = "disk",
    .description = "hi",
    .bytes = 65536,
    .preferred_bytes = 4096,
    .flags = 0x0d05,
};

static GByteArray *from_hex(const char *text)
{
    GByteArray *bytes = g_byte_array_new();

    while (*text != '\0') {
        if (*text == ' ') {
            text++;
            continue;
        }
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(text[0]) * 16 +
                                 g_ascii_xdigit_value(text[1]));
        g_byte_array_append(bytes, &byte, 1);
        text += 2;
    }
    return bytes;
}

static char *to_hex(const GByteArray *bytes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < bytes->len; i++) {
        g_string_append_printf(text, "%02x", bytes->data[i]);
    }
    return g_string_free(text, FALSE);
}

/* Give it [0, n) of what is left, in steps; Return: how much it took */
static size_t feed(struct nbd_negotiation *n, const uint8_t *data, size_t bytes)
{
    size_t taken = 0, used;

    do {
        used = nbd_negotiate(n, data + taken, bytes - taken);
        g_assert_cmpuint(used, <=, bytes - taken);
        taken += used;
    } while (used > 0);
    return taken;
}

static struct nbd_terms run_script(const char *sent, const char *want,
                                   enum nbd_negotiation_state state,
                                   size_t left, bool is_bytewise)
{
    g_autoptr(GByteArray) input = from_hex(sent);
    g_autoptr(GByteArray) wanted = from_hex(want);
    struct nbd_negotiation n;
    size_t taken = 0;

    nbd_negotiation_init(&n, &info);
    for (size_t there = is_bytewise ? 1 : input->len; there <= input->len;
         there++) {
        taken += feed(&n, input->data + taken, there - taken);
    }
    g_autofree char *got_text = to_hex(n.out);
    g_autofree char *want_text = to_hex(wanted);
    g_assert_cmpstr(got_text, ==, want_text);
    g_assert_cmpint(n.state, ==, state);
    if (state != NBD_NEGOTIATION_CLOSE) {
        g_assert_cmpuint(input->len - taken, ==, left);
    }
    struct nbd_terms terms = n.terms;
    nbd_negotiation_fini(&n);
    return terms;
}

/* @left: bytes that it must not take */
static struct nbd_terms check(const char *sent, const char *want,
                              enum nbd_negotiation_state state, size_t left)
{
    run_script(sent, want, state, left, false);
    return run_script(sent, want, state, left, true);
}

#define OPTIONS      NBD_NEGOTIATION_OPTIONS
#define TRANSMISSION NBD_NEGOTIATION_TRANSMISSION
#define CLOSE        NBD_NEGOTIATION_CLOSE

static void test_flags(void)
{
    check("", GREETING, NBD_NEGOTIATION_FLAGS, 0);
    check("000000", GREETING, NBD_NEGOTIATION_FLAGS, 3);
    check("00000000", GREETING, OPTIONS, 0);
    check("00000003", GREETING, OPTIONS, 0);
    check("00000004", GREETING, CLOSE, 0);
    check("80000003", GREETING, CLOSE, 0);
}

static void test_export_name(void)
{
    check(FIXED OPT "00000001 00000004 6469736b ff",
          GREETING "0000000000010000 0d05", TRANSMISSION, 1);
    check(FIXED OPT "00000001 00000005 6469736b 6b", GREETING, CLOSE, 0);
    check(FIXED OPT "00000001 00000000", GREETING, CLOSE, 0);

    g_autoptr(GString) zeroes = g_string_new(GREETING "0000000000010000 0d05");
    for (int i = 0; i < 124; i++) {
        g_string_append(zeroes, "00");
    }
    check("00000001" OPT "00000001 00000004 6469736b", zeroes->str,
          TRANSMISSION, 0);
    /* Who is not of the fixed kind knows this option only. */
    check("00000000" OPT "00000001 00000004 6469736b", zeroes->str,
          TRANSMISSION, 0);
    check("00000000" OPT "00000003 00000000", GREETING, CLOSE, 0);
}

static void test_unknown_options(void)
{
    check(FIXED OPT "00000005 00000000" OPT "0000000b 00000002 0102",
          GREETING REP
          "00000005" UNSUP
          "00000017 6f7074696f6e206973206e6f7420737570706f72746564"
          "" REP "0000000b" UNSUP
          "00000017 6f7074696f6e206973206e6f7420737570706f72746564",
          OPTIONS, 0);
    /* Not the option's magic */
    check(FIXED "49484156454f5055 00000003 00000000", GREETING, CLOSE, 0);
}

static void test_list_abort(void)
{
    check(FIXED OPT "00000003 00000000",
          GREETING REP "00000003 00000002 0000000a" NAME "6869" REP
                       "00000003 00000001 00000000",
          OPTIONS, 0);
    check(FIXED OPT "00000003 00000001 00",
          GREETING REP "00000003" INVALID
                       "00000014 6f7074696f6e2074616b6573206e6f2064617461",
          OPTIONS, 0);
    check(FIXED OPT "00000002 00000001 00",
          GREETING REP "00000002 00000001 00000000", CLOSE, 0);
}

static void test_go(void)
{
    check(FIXED OPT "00000007 0000000a" NAME "0000 25",
          GREETING REP "00000007 00000003 0000000c" EXPORT "0d05" REP
                       "00000007 00000001 00000000",
          TRANSMISSION, 1);
    /* INFO tells the same and stays; what nobody knows is passed over. */
    check(FIXED OPT "00000006 00000014" NAME "0005 0003 0002 0001 0000 0063",
          GREETING REP "00000006 00000003 0000000c" EXPORT "0d05" REP
                       "00000006 00000003 00000006 0001 6469736b" REP
                       "00000006 00000003 00000004 0002 6869" REP
                       "00000006 00000003 0000000e 0003 00000001 00001000"
                       "02000000" REP "00000006 00000001 00000000",
          OPTIONS, 0);
    check(FIXED OPT "00000007 00000006 00000000 0000",
          GREETING REP "00000007" UNKNOWN
                       "0000000e 6e6f2073756368206578706f7274",
          OPTIONS, 0);
}

#define DISAGREE "00000013 6c656e6774687320646f6e2774206167726565"

static void test_go_malformed(void)
{
    static const char *const data[] = {
        "00000000",                      /* nothing */
        "00000003 000000",               /* not even a length */
        "00000004 00000000",             /* no count */
        "00000006 00000001 0000",        /* the name reaches into the count */
        "00000006 ffffffff 0000",        /* and beyond everything */
        "0000000a" NAME "0001",          /* an item is missing */
        "0000000e" NAME "0001 00000001", /* one is too many */
        "0000000b" NAME "000000",        /* half a one */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(data); i++) {
        g_autofree char *sent =
            g_strconcat(FIXED OPT "00000007", data[i], NULL);

        check(sent, GREETING REP "00000007" INVALID DISAGREE, OPTIONS, 0);
    }
}

static void test_structured(void)
{
    struct nbd_terms terms =
        check(FIXED OPT "00000008 00000000" OPT "00000007 0000000a" NAME "0000",
              GREETING REP "00000008 00000001 00000000" REP
                           "00000007 00000003 0000000c" EXPORT "0d85" REP
                           "00000007 00000001 00000000",
              TRANSMISSION, 0);
    g_assert_true(terms.is_structured);
    g_assert_false(terms.has_allocation);
}

#define STRUCTURED      OPT "00000008 00000000 "
#define STRUCTURED_DONE REP "00000008 00000001 00000000 "
#define SET_ALLOCATION                      \
    OPT "0000000a 0000001f" NAME "00000001" \
        "0000000f" ALLOCATION
#define SET_DONE                     \
    REP "0000000a 00000004 00000013" \
        "00000001" ALLOCATION REP "0000000a 00000001 00000000 "

static void test_contexts(void)
{
    struct nbd_terms terms =
        check(FIXED STRUCTURED SET_ALLOCATION,
              GREETING STRUCTURED_DONE SET_DONE, OPTIONS, 0);
    g_assert_true(terms.has_allocation);

    /* Only what is asked last counts: other namespaces, none, a mistake */
    static const char *const later[] = {
        OPT "0000000a 00000012" NAME "00000001 00000002 783a",
        OPT "0000000a 0000000c" NAME "00000000",
        OPT "0000000a 00000015" NAME "00000001 00000005 626173653a",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(later); i++) {
        g_autofree char *sent =
            g_strconcat(FIXED STRUCTURED SET_ALLOCATION, later[i], NULL);

        terms = check(sent,
                      GREETING STRUCTURED_DONE SET_DONE REP
                      "0000000a 00000001 00000000",
                      OPTIONS, 0);
        g_assert_false(terms.has_allocation);
    }
    terms = check(
        FIXED STRUCTURED SET_ALLOCATION OPT "0000000a 0000000c" NAME "00000001",
        GREETING STRUCTURED_DONE SET_DONE REP "0000000a" INVALID DISAGREE,
        OPTIONS, 0);
    g_assert_false(terms.has_allocation);
}

static void test_contexts_list(void)
{
#define LISTED                       \
    REP "00000009 00000004 00000013" \
        "00000000" ALLOCATION REP "00000009 00000001 00000000"
    static const char *const asked[] = {
        OPT "00000009 0000000c" NAME "00000000",
        OPT "00000009 00000015" NAME "00000001 00000005 626173653a",
        OPT "00000009 0000001f" NAME "00000001 0000000f" ALLOCATION,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
        g_autofree char *sent = g_strconcat(FIXED STRUCTURED, asked[i], NULL);
        struct nbd_terms terms =
            check(sent, GREETING STRUCTURED_DONE LISTED, OPTIONS, 0);

        g_assert_false(terms.has_allocation);
    }
    check(FIXED OPT "00000009 0000000c" NAME "00000000",
          GREETING REP "00000009" INVALID
                       "00000018 6e65656473207374727563747572656420"
                       "7265706c696573",
          OPTIONS, 0);
    check(FIXED STRUCTURED OPT "00000009 00000008 00000000 00000000",
          GREETING STRUCTURED_DONE REP "00000009" UNKNOWN
                                       "0000000e 6e6f2073756368206578706f7274",
          OPTIONS, 0);
}

static void test_too_long(void)
{
    g_autoptr(GString) sent = g_string_new(FIXED OPT "00000007 00004001");

    for (int i = 0; i < 0x4001; i++) {
        g_string_append(sent, "00");
    }
    g_string_append(sent, OPT "00000002 00000000");
#define LONG "00000012 6f7074696f6e20697320746f6f206c6f6e67"
    check(sent->str,
          GREETING REP "00000007" TOO_BIG LONG REP "00000002 00000001 00000000",
          CLOSE, 0);
    check(FIXED OPT "00000007 02000001", GREETING REP "00000007" TOO_BIG LONG,
          CLOSE, 0);
    check(FIXED OPT "00000001 00004001", GREETING, CLOSE, 0);
    check(FIXED OPT "00000063 ffffffff", GREETING REP "00000063" TOO_BIG LONG,
          CLOSE, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd/negotiate/flags", test_flags);
    g_test_add_func("/nbd/negotiate/export-name", test_export_name);
    g_test_add_func("/nbd/negotiate/unknown-options", test_unknown_options);
    g_test_add_func("/nbd/negotiate/list-abort", test_list_abort);
    g_test_add_func("/nbd/negotiate/go", test_go);
    g_test_add_func("/nbd/negotiate/go-malformed", test_go_malformed);
    g_test_add_func("/nbd/negotiate/structured", test_structured);
    g_test_add_func("/nbd/negotiate/contexts", test_contexts);
    g_test_add_func("/nbd/negotiate/contexts-list", test_contexts_list);
    g_test_add_func("/nbd/negotiate/too-long", test_too_long);
    return g_test_run();
}
