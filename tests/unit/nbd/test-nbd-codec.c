/* SPDX-License-Identifier: MIT */
/*
 * test-nbd-codec.c - requests are read, judged and answered as the protocol
 * says
 */
#include <errno.h>
#include <glib.h>

#include "nbd/codec.h"

#define DISK_BYTES UINT64_C(1000)

static const struct nbd_export_info disk = {
    .name = "", .bytes = DISK_BYTES, .flags = NBD_FLAG_HAS_FLAGS};
static const struct nbd_export_info read_only = {.name = "",
                                                 .bytes = DISK_BYTES,
                                                 .flags = NBD_FLAG_HAS_FLAGS |
                                                          NBD_FLAG_READ_ONLY};
static const struct nbd_export_info huge = {.name = "", .bytes = UINT64_MAX};

static const struct nbd_terms simple = {0};
static const struct nbd_terms all = {.is_structured = true,
                                     .has_allocation = true};

static void test_decode(void)
{
    const uint8_t head[NBD_REQUEST_BYTES] = {
        0x25, 0x60, 0x95, 0x13, 0x01, 0x02, 0x03, 0x04, 1,    2,
        3,    4,    5,    6,    7,    8,    0xf1, 0xf2, 0xf3, 0xf4,
        0xf5, 0xf6, 0xf7, 0xf8, 0x10, 0x20, 0x30, 0x40};
    struct nbd_command command;

    g_assert_true(nbd_command_decode(head, &command));
    g_assert_cmphex(command.flags, ==, 0x0102);
    g_assert_cmphex(command.type, ==, 0x0304);
    g_assert_cmphex(command.cookie, ==, 0x0102030405060708);
    g_assert_cmphex(command.offset, ==, 0xf1f2f3f4f5f6f7f8);
    g_assert_cmphex(command.bytes, ==, 0x10203040);

    for (unsigned bit = 0; bit < 32; bit++) {
        uint8_t wrong[NBD_REQUEST_BYTES];

        memcpy(wrong, head, sizeof(wrong));
        wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
        g_assert_false(nbd_command_decode(wrong, &command));
    }
}

/* --- what may be asked --------------------------------------------------- */

static int check(const struct nbd_export_info *info,
                 const struct nbd_terms *terms, unsigned type, unsigned flags,
                 uint64_t offset, uint32_t bytes)
{
    struct nbd_command command = {.type = (uint16_t)type,
                                  .flags = (uint16_t)flags,
                                  .offset = offset,
                                  .bytes = bytes};

    return nbd_command_check(&command, info, terms);
}

static void test_check_commands(void)
{
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        bool is_known =
            type <= NBD_CMD_BLOCK_STATUS && type != 5 && type != NBD_CMD_DISC;

        g_assert_cmpint(check(&disk, &all, type, 0, 0, 1), ==,
                        is_known ? 0 : -EINVAL);
    }
    /* Only what has been negotiated */
    g_assert_cmpint(check(&disk, &simple, NBD_CMD_BLOCK_STATUS, 0, 0, 1), ==,
                    -EINVAL);
    g_assert_cmpint(check(&disk, &all, NBD_CMD_BLOCK_STATUS, 0, 0, 0), ==,
                    -EINVAL);
    g_assert_cmpint(check(&disk, &all, NBD_CMD_READ, 0, 0, 0), ==, 0);
}

static void test_check_flags(void)
{
    const unsigned others[] = {
        [NBD_CMD_READ] = NBD_CMD_FLAG_DF,
        [NBD_CMD_WRITE_ZEROES] = NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO,
        [NBD_CMD_BLOCK_STATUS] = NBD_CMD_FLAG_REQ_ONE,
    };

    for (unsigned type = 0; type < G_N_ELEMENTS(others); type++) {
        if (type == 5 || type == NBD_CMD_DISC) {
            continue;
        }
        for (unsigned bit = 0; bit < 16; bit++) {
            bool is_good = (NBD_CMD_FLAG_FUA | others[type]) & (1u << bit);

            g_assert_cmpint(check(&disk, &all, type, 1u << bit, 0, 1), ==,
                            is_good ? 0 : -EINVAL);
        }
    }
    g_assert_cmpint(check(&disk, &simple, NBD_CMD_READ, NBD_CMD_FLAG_DF, 0, 1),
                    ==, -EINVAL);
}

static void test_check_range(void)
{
    const struct {
        unsigned type;
        int beyond;
    } types[] = {
        {NBD_CMD_READ, -EINVAL},         {NBD_CMD_WRITE, -ENOSPC},
        {NBD_CMD_TRIM, -EINVAL},         {NBD_CMD_WRITE_ZEROES, -ENOSPC},
        {NBD_CMD_BLOCK_STATUS, -EINVAL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        unsigned type = types[i].type;
        int beyond = types[i].beyond;

        g_assert_cmpint(check(&disk, &all, type, 0, 0, 1000), ==, 0);
        g_assert_cmpint(check(&disk, &all, type, 0, 999, 1), ==, 0);
        g_assert_cmpint(check(&disk, &all, type, 0, 0, 1001), ==, beyond);
        g_assert_cmpint(check(&disk, &all, type, 0, 1000, 1), ==, beyond);
        g_assert_cmpint(check(&disk, &all, type, 0, UINT64_MAX, 1), ==, beyond);
        g_assert_cmpint(check(&disk, &all, type, 0, UINT64_MAX - 3, 8), ==,
                        beyond);
    }
    g_assert_cmpint(
        check(&huge, &all, NBD_CMD_READ, 0, 0, NBD_PAYLOAD_BYTES_MAX), ==, 0);
    g_assert_cmpint(
        check(&huge, &all, NBD_CMD_READ, 0, 0, NBD_PAYLOAD_BYTES_MAX + 1), ==,
        -EINVAL);
    g_assert_cmpint(check(&huge, &all, NBD_CMD_WRITE, 0, 0, UINT32_MAX), ==,
                    -EINVAL);
    g_assert_cmpint(check(&huge, &all, NBD_CMD_TRIM, 0, 0, UINT32_MAX), ==, 0);
    /* A flush has no range; some clients leave something in its fields. */
    g_assert_cmpint(check(&disk, &all, NBD_CMD_FLUSH, 0, 5000, 5000), ==, 0);
}

static void test_check_read_only(void)
{
    g_assert_cmpint(check(&read_only, &all, NBD_CMD_WRITE, 0, 0, 1), ==,
                    -EPERM);
    g_assert_cmpint(check(&read_only, &all, NBD_CMD_TRIM, 0, 0, 1), ==, -EPERM);
    g_assert_cmpint(check(&read_only, &all, NBD_CMD_WRITE_ZEROES, 0, 0, 1), ==,
                    -EPERM);
    g_assert_cmpint(check(&read_only, &all, NBD_CMD_READ, 0, 0, 1), ==, 0);
    g_assert_cmpint(check(&read_only, &all, NBD_CMD_FLUSH, 0, 0, 0), ==, 0);
}

static void test_errors(void)
{
    const struct {
        int err;
        enum nbd_error told;
    } errors[] = {
        {0, NBD_SUCCESS},
        {EPERM, NBD_EPERM},
        {EACCES, NBD_EPERM},
        {EROFS, NBD_EPERM},
        {EIO, NBD_EIO},
        {ENOMEM, NBD_ENOMEM},
        {EINVAL, NBD_EINVAL},
        {ENOSPC, NBD_ENOSPC},
        {EDQUOT, NBD_ENOSPC},
        {EFBIG, NBD_ENOSPC},
        {EOVERFLOW, NBD_EOVERFLOW},
        {EOPNOTSUPP, NBD_ENOTSUP},
        {ESHUTDOWN, NBD_ESHUTDOWN},
        {EBUSY, NBD_EIO},
        {ECANCELED, NBD_EIO},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_assert_cmpint(nbd_error_of(-errors[i].err), ==, errors[i].told);
    }
}

/* --- answers ------------------------------------------------------------- */

static void check_answer(const struct nbd_terms *terms, unsigned type, int ret,
                         size_t payload, const char *want)
{
    struct nbd_command command = {
        .type = (uint16_t)type, .cookie = 0x1122334455667788, .offset = 0x99};
    uint8_t head[NBD_REPLY_HEAD_BYTES_MAX];
    size_t n = nbd_reply_encode(head, &command, terms, ret, payload);
    g_autoptr(GString) got = g_string_new(NULL);

    g_assert_cmpuint(n, <=, sizeof(head));
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(got, "%02x", head[i]);
    }
    g_assert_cmpstr(got->str, ==, want);
}

#define COOKIE  "1122334455667788"
#define SIMPLE  "67446698"
#define CHUNK   "668e33ef0001"
#define NOTHING "00000000"

static void test_answers(void)
{
    check_answer(&simple, NBD_CMD_READ, 0, 512, SIMPLE NOTHING COOKIE);
    check_answer(&simple, NBD_CMD_READ, -EIO, 0, SIMPLE "00000005" COOKIE);
    check_answer(&simple, NBD_CMD_WRITE, -ENOSPC, 0, SIMPLE "0000001c" COOKIE);
    check_answer(&all, NBD_CMD_WRITE, 0, 0, SIMPLE NOTHING COOKIE);

    check_answer(&all, NBD_CMD_READ, 0, 512,
                 CHUNK "0001" COOKIE "00000208"
                       "0000000000000099");
    check_answer(&all, NBD_CMD_READ, 0, 0, CHUNK "0000" COOKIE NOTHING);
    check_answer(&all, NBD_CMD_READ, -EIO, 0,
                 CHUNK "8001" COOKIE "00000006"
                       "00000005"
                       "0000");
    check_answer(&all, NBD_CMD_BLOCK_STATUS, 0, 16,
                 CHUNK "0005" COOKIE "00000014"
                       "00000001");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd/codec/decode", test_decode);
    g_test_add_func("/nbd/codec/commands", test_check_commands);
    g_test_add_func("/nbd/codec/flags", test_check_flags);
    g_test_add_func("/nbd/codec/range", test_check_range);
    g_test_add_func("/nbd/codec/read-only", test_check_read_only);
    g_test_add_func("/nbd/codec/errors", test_errors);
    g_test_add_func("/nbd/codec/answers", test_answers);
    return g_test_run();
}
