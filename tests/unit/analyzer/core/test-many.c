/* SPDX-License-Identifier: MIT */
/*
 * Very many of one thing at once: the work and memory for each stay bounded.
 *
 * Where a bound shows in what is told, that is checked.  Where it does not,
 * there are so many that work for each pair of them would outlast the test's
 * timeout.
 */
#include <glib.h>

#include "say.h"

enum { CTX = 1, CO = 10, REQ = 1000 };

/* One coroutine serves a thousand: only the first of them follow its steps. */
static void test_requests(void)
{
    enum { N = 1000, SERVED = 64, TURNS = 100 };
    struct said t = say_begin();
    unsigned n_segments = 0;

    SAY(&t, CO_CREATE, .subject = CO, .fn = CO);
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_BEGIN, .subject = REQ + i, .waits_for = CO);
    }
    for (unsigned i = 0; i < TURNS; i++) {
        SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
        SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_IO);
    }
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO); /* has room */
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_END, .subject = REQ + i);
    }
    SAY(&t, CO_TERMINATE, .subject = CO);
    pass_finish(t.pass, t.now_ns + 1);
    g_assert_cmpuint(ct_model_oddities(t.pass->model), ==, N - SERVED);
    for (unsigned i = 0; i < N; i++) {
        const struct ct_request *request = pass_request(t.pass, REQ + i);
        g_assert_true(request->complete);
        n_segments += request->n_segments;
        if (i >= SERVED) {
            g_assert_cmpuint(request->n_segments, ==, 1);
            g_assert_cmpint(request->segments[0].certainty, ==, CT_UNKNOWN);
        } else if (i) {
            g_assert_cmpuint(request->n_segments, ==, 2 * TURNS + 2);
        }
    }
    assert_segments(pass_request(t.pass, REQ), "running 1 on 1");
    g_assert_cmpuint(n_segments, <=, SERVED * (2 * TURNS + 2) + N);
    pass_free(t.pass);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/many/requests", test_requests);
    return g_test_run();
}
