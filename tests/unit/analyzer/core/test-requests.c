/* SPDX-License-Identifier: MIT */
/*
 * What a request is: as its begin tells it, or as the kind that its begin names
 * does.
 */
#include <glib.h>

#include "say.h"

enum { CTX = 1, CO = 10, REQ = 30, REQ2 = 40 };

static void test_fields(void)
{
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
    SAY(&t, CO_CREATE, .subject = CO);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO, .layer = "blk",
        .op = "read", .name = "disk", .offset = 512, .bytes = 4096, .value = 3);
    SAY(&t, REQUEST_BEGIN, .subject = REQ2, .object = REQ, .waits_for = CO);
    SAY(&t, REQUEST_END, .subject = REQ2, .ret = -5);
    SAY(&t, REQUEST_BEGIN, .subject = 44, .object = 43, .waits_for = CO);
    SAY(&t, REQUEST_END, .subject = REQ, .ret = 0);
    SAY(&t, CO_TERMINATE, .subject = CO);
    SAY(&t, POLL_END, .subject = CTX, .context = CTX);
    struct pass *pass = say_end(&t);

    const struct ct_request *request = pass_request(pass, REQ);
    g_assert_cmpuint(request->number, ==, 1);
    g_assert_cmpuint(request->parent, ==, 0);
    g_assert_cmpuint(request->parent_id, ==, 0);
    g_assert_cmpstr(request->layer, ==, "blk");
    g_assert_cmpstr(request->op, ==, "read");
    g_assert_cmpstr(request->node, ==, "disk");
    g_assert_cmpuint(request->offset, ==, 512);
    g_assert_cmpuint(request->bytes, ==, 4096);
    g_assert_cmpuint(request->flags, ==, 3);
    g_assert_true(request->complete);
    g_assert_cmpuint(request->n_coroutines, ==, 1);
    g_assert_cmpuint(request->coroutines[0], ==, CO);

    request = pass_request(pass, REQ2);
    g_assert_cmpuint(request->number, ==, 2);
    g_assert_cmpuint(request->parent, ==, 1);
    g_assert_cmpint(request->ret, ==, -5);

    /* Its end never came, its parent was never seen. */
    request = pass_request(pass, 44);
    g_assert_cmpuint(request->number, ==, 3);
    g_assert_cmpuint(request->parent, ==, 0);
    g_assert_cmpuint(request->parent_id, ==, 43);
    g_assert_false(request->complete);
    g_assert_true(request->begin_known);
    g_assert_false(request->has_ret);
    pass_free(pass);
}

static void assert_kind(const struct ct_request *request, const char *layer,
                        const char *op, const char *node, uint32_t flags)
{
    g_assert_cmpstr(request->layer, ==, layer);
    g_assert_cmpstr(request->op, ==, op);
    g_assert_cmpstr(request->node, ==, node);
    g_assert_cmpuint(request->flags, ==, flags);
}

/* What a number means is told before, in each process for itself; it may be
 * lost. */
static void test_kinds(void)
{
    struct said t = say_begin();

    SAY(&t, STATE_BEGIN, .subject = 1, .reason = CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .context = 7);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, REQUEST_KIND, .subject = 7, .layer = "blk", .op = "read",
        .name = "disk", .value = 3);
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 1, .context = 7, .offset = 5);
    SAY(&t, REQUEST_KIND, .subject = 8, .layer = "bdrv", .op = "write",
        .name = "file");
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 2, .context = 7);
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 3, .context = 8);
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 4, .layer = "nbd", .op = "trim",
        .name = "export", .value = 1);
    /* Another program of the same pid */
    SAY(&t, STATE_BEGIN, .subject = 1, .reason = CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 7, .context = 8);
    SAY(&t, REQUEST_KIND, .subject = 7, .layer = "blk", .op = "flush",
        .name = "disk2");
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 5, .context = 7);
    SAY(&t, REQUEST_BEGIN, .pid = 99, .tid = 99, .subject = REQ + 6,
        .context = 7);
    struct pass *pass = say_end(&t);

    assert_kind(pass_request(pass, REQ), NULL, NULL, NULL, 0);
    assert_kind(pass_request(pass, REQ + 1), "blk", "read", "disk", 3);
    g_assert_cmpuint(pass_request(pass, REQ + 1)->offset, ==, 5);
    assert_kind(pass_request(pass, REQ + 2), "blk", "read", "disk", 3);
    assert_kind(pass_request(pass, REQ + 3), "bdrv", "write", "file", 0);
    assert_kind(pass_request(pass, REQ + 4), "nbd", "trim", "export", 1);
    assert_kind(pass_request(pass, REQ + 5), "blk", "flush", "disk2", 0);
    assert_kind(pass_request(pass, REQ + 6), NULL, NULL, NULL, 0);
    assert_kind(pass_request(pass, REQ + 7), NULL, NULL, NULL, 0);
    pass_free(pass);
}

/* A process that tells more of them than one can have is not believed. */
static void test_many_kinds(void)
{
    enum { MOST = 65536 };
    struct said t = say_begin();

    for (unsigned i = 1; i <= MOST + 1; i++) {
        SAY(&t, REQUEST_KIND, .subject = i, .layer = "blk", .op = "read",
            .name = "disk");
    }
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .context = MOST);
    SAY(&t, REQUEST_BEGIN, .subject = REQ + 1, .context = MOST + 1);
    pass_finish(t.pass, t.now_ns + 1);
    g_assert_cmpuint(ct_model_oddities(t.pass->model), ==, 1);
    assert_kind(pass_request(t.pass, REQ), "blk", "read", "disk", 0);
    assert_kind(pass_request(t.pass, REQ + 1), NULL, NULL, NULL, 0);
    pass_free(t.pass);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/requests/fields", test_fields);
    g_test_add_func("/requests/kinds", test_kinds);
    g_test_add_func("/requests/many-kinds", test_many_kinds);
    return g_test_run();
}
