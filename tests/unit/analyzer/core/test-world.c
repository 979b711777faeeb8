/* SPDX-License-Identifier: MIT */
/*
 * Worlds that never ran: the model must tell each request's states exactly as
 * they were, and of the same trace with holes nothing that was not so.
 */
#include <glib.h>

#include "pass.h"
#include "world.h"

enum { N_WORLDS = 50, N_STEPS = 1500 };

static struct pass *run(const struct world *world)
{
    struct pass *pass = pass_new(CT_WANT_ALL);
    int64_t end_ns = 0;

    for (unsigned i = 0; i < world->steps->len; i++) {
        const struct ct_step *step =
            &g_array_index(world->steps, struct ct_step, i);
        pass_step(pass, step);
        end_ns = step->when_ns;
    }
    pass_finish(pass, end_ns);
    return pass;
}

static void compare(const struct world_request *truth,
                    const struct ct_request *request)
{
    unsigned at = 0;

    g_assert_nonnull(request);
    g_assert_true(request->complete);
    g_assert_cmpint(request->begin_ns, ==, truth->begin_ns);
    g_assert_cmpint(request->end_ns, ==, truth->end_ns);
    for (unsigned i = 0; i < truth->segments->len; i++) {
        struct world_segment *expect =
            &g_array_index(truth->segments, struct world_segment, i);
        if (expect->begin_ns == expect->end_ns) {
            continue;
        }
        /* The model may cut finer: another cause is another segment. */
        while (at < request->n_segments &&
               request->segments[at].begin_ns < expect->end_ns) {
            const struct ct_segment *segment = &request->segments[at++];
            if (segment->state != expect->state ||
                segment->tid != expect->tid ||
                segment->on_top != expect->on_top) {
                g_test_message(
                    "request %" G_GUINT64_FORMAT " at %" G_GINT64_FORMAT
                    ": %s tid %d top %d, is %s "
                    "tid %d top %d",
                    truth->id, segment->begin_ns, ct_state_word(segment->state),
                    segment->tid, segment->on_top, ct_state_word(expect->state),
                    expect->tid, expect->on_top);
            }
            g_assert_cmpint(segment->begin_ns, >=, expect->begin_ns);
            g_assert_cmpint(segment->end_ns, <=, expect->end_ns);
            g_assert_cmpint(segment->state, ==, expect->state);
            g_assert_cmpint(segment->tid, ==, expect->tid);
            g_assert_cmpint(segment->on_top, ==, expect->on_top);
        }
    }
    g_assert_cmpuint(at, ==, request->n_segments);
}

static void test_truth(void)
{
    unsigned seen[CT_STATES] = {0};

    for (uint32_t seed = 1; seed <= N_WORLDS; seed++) {
        struct world *world = world_new(seed, N_STEPS);
        struct pass *pass = run(world);

        g_test_message("seed %u: %u steps, %u requests", seed,
                       world->steps->len, world->truth->len);
        g_assert_cmpuint(ct_model_oddities(pass->model), ==, 0);
        g_assert_cmpuint(pass->requests->len, ==, world->truth->len);
        for (unsigned i = 0; i < world->truth->len; i++) {
            const struct world_request *truth = world->truth->pdata[i];
            compare(truth, pass_request(pass, truth->id));
            for (unsigned j = 0; j < truth->segments->len; j++) {
                seen[g_array_index(truth->segments, struct world_segment, j)
                         .state]++;
            }
        }
        pass_free(pass);
        world_free(world);
    }
    /* The worlds are no test of a state that they do not have. */
    for (unsigned i = 0; i < CT_STATES; i++) {
        g_test_message("%s: %u", ct_state_word(i), seen[i]);
        g_assert_true(i == CT_STATE_WORK || seen[i] >= 50);
    }
}

/* --- lossy twins ------------------------------------------------------ */

enum { N_TWINS = 40 };

static const struct world_request *truth_of(const struct world *world,
                                            uint64_t id)
{
    for (unsigned i = 0; i < world->truth->len; i++) {
        const struct world_request *truth = world->truth->pdata[i];
        if (truth->id == id) {
            return truth;
        }
    }
    return NULL;
}

static int64_t compare_lossy(const struct world_request *truth,
                             const struct ct_request *request)
{
    int64_t known_ns = 0;

    g_assert_nonnull(truth);
    if (request->begin_known || request->begin_told) {
        g_assert_cmpint(request->begin_ns, ==, truth->begin_ns);
    } else {
        g_assert_cmpint(request->begin_ns, >=, truth->begin_ns);
    }
    if (request->has_ret) {
        g_assert_cmpint(request->end_ns, ==, truth->end_ns);
    }
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        if (segment->state == CT_STATE_UNKNOWN) {
            continue;
        }
        if (segment->end_ns > truth->end_ns) {
            g_test_message(
                "request %" G_GUINT64_FORMAT " ended at %" G_GINT64_FORMAT
                ": %s %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT,
                truth->id, truth->end_ns, ct_state_word(segment->state),
                segment->begin_ns, segment->end_ns);
        }
        g_assert_cmpint(segment->end_ns, <=, truth->end_ns);
        known_ns += segment->end_ns - segment->begin_ns;
        for (unsigned j = 0; j < truth->segments->len; j++) {
            struct world_segment *was =
                &g_array_index(truth->segments, struct world_segment, j);
            if (was->begin_ns == was->end_ns ||
                was->end_ns <= segment->begin_ns ||
                was->begin_ns >= segment->end_ns) {
                continue;
            }
            if (was->state != segment->state || was->tid != segment->tid ||
                was->on_top != segment->on_top) {
                g_test_message("request %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                               "..%" G_GINT64_FORMAT ": %s tid %d top %d, was "
                               "%s tid %d top %d",
                               truth->id, segment->begin_ns, segment->end_ns,
                               ct_state_word(segment->state), segment->tid,
                               segment->on_top, ct_state_word(was->state),
                               was->tid, was->on_top);
            }
            g_assert_cmpint(segment->state, ==, was->state);
            g_assert_cmpint(segment->tid, ==, was->tid);
            g_assert_cmpint(segment->on_top, ==, was->on_top);
        }
    }
    return known_ns;
}

/* Every slice was there: as it is told, or (an end unknown) within one. */
static void compare_slices(const struct pass *full, const struct pass *lossy)
{
    for (unsigned i = 0; i < lossy->slices->len; i++) {
        struct ct_slice *slice =
            &g_array_index(lossy->slices, struct ct_slice, i);
        bool found = slice->kind == CT_SLICE_THREAD;
        for (unsigned j = 0; j < full->slices->len && !found; j++) {
            struct ct_slice *was =
                &g_array_index(full->slices, struct ct_slice, j);
            found = was->tid == slice->tid && was->kind == slice->kind &&
                    was->id == slice->id &&
                    (slice->begin_known ? was->begin_ns == slice->begin_ns
                                        : was->begin_ns <= slice->begin_ns) &&
                    (slice->end_known ? was->end_ns == slice->end_ns
                                      : was->end_ns >= slice->end_ns);
        }
        g_assert_true(found);
    }
}

static bool is_enter(enum ct_edge_kind kind)
{
    return kind == CT_EDGE_RESUME || kind == CT_EDGE_WAKE ||
           kind == CT_EDGE_SCHEDULE;
}

static void compare_edges(const struct pass *full, const struct pass *lossy)
{
    for (unsigned i = 0; i < lossy->edges->len; i++) {
        struct ct_edge *edge = &g_array_index(lossy->edges, struct ct_edge, i);
        bool found = false;
        for (unsigned j = 0; j < full->edges->len && !found; j++) {
            struct ct_edge *was =
                &g_array_index(full->edges, struct ct_edge, j);
            found = was->id == edge->id && was->to_ns == edge->to_ns &&
                    was->to_tid == edge->to_tid;
            if (found && !is_enter(was->kind)) {
                found = was->kind == edge->kind &&
                        was->from_ns == edge->from_ns &&
                        was->from_tid == edge->from_tid;
            } else if (found) {
                /* Of several that asked for it, a later one may be the first
                 * that was not lost. */
                found = is_enter(edge->kind) && was->from_ns <= edge->from_ns;
            }
        }
        if (!found) {
            g_test_message("edge %d of %" G_GUINT64_FORMAT ": %" G_GINT64_FORMAT
                           " -> %" G_GINT64_FORMAT,
                           edge->kind, edge->id, edge->from_ns, edge->to_ns);
        }
        g_assert_true(found);
    }
}

/* A lossy chain is the beginning of the true one, or all of it. */
static void compare_origins(const struct ct_origin *was,
                            const struct ct_origin *origin)
{
    while (origin) {
        if (origin->repeats || origin->skipped ||
            (was && (was->repeats || was->skipped))) {
            return;
        }
        if (origin->when_ns) {
            g_assert_nonnull(was);
            if (origin->boundary != CT_BOUNDARY_WORKER_SPAWN || origin->id) {
                g_assert_cmpint(origin->boundary, ==, was->boundary);
                g_assert_cmpuint(origin->id, ==, was->id);
            }
            g_assert_cmpuint(origin->stack, ==, was->stack);
            g_assert_cmpint(origin->when_ns, ==, was->when_ns);
        }
        if (!origin->next) {
            g_assert_true(origin->cut || (!was->next && !was->cut));
            return;
        }
        origin = origin->next;
        was = was->next;
    }
}

static void compare_lives(const struct pass *full, const struct pass *lossy)
{
    for (unsigned i = 0; i < lossy->lives->len; i++) {
        struct ct_life *life = &g_array_index(lossy->lives, struct ct_life, i);
        if (life->kind == CT_ENTITY_THREAD && !life->id) {
            continue;
        }
        const struct ct_life *was = pass_life(full, life->kind, life->id);
        g_assert_nonnull(was);
        if (life->begin_known) {
            g_assert_cmpint(life->begin_ns, ==, was->begin_ns);
        }
        if (life->end_known) {
            if (life->end_ns != was->end_ns) {
                g_test_message("life %d of %" G_GUINT64_FORMAT, life->kind,
                               life->id);
            }
            g_assert_cmpint(life->end_ns, ==, was->end_ns);
        }
        if (life->kind != CT_ENTITY_THREAD) {
            compare_origins(was->origin, life->origin);
        }
    }
}

struct hole {
    int64_t from_ns, to_ns;
    double share; /* of its steps that are lost */
};

static void lose(const struct world *world, const struct pass *full,
                 uint32_t seed, int64_t *known_ns, int64_t *total_ns)
{
    GRand *rand = g_rand_new_with_seed(seed);
    struct pass *pass = pass_new(CT_WANT_ALL);
    struct hole holes[4];
    unsigned n_holes = 1 + (unsigned)g_rand_int_range(rand, 0, 4), next = 0;
    const struct ct_step *steps = (const struct ct_step *)world->steps->data;
    unsigned n_steps = world->steps->len;
    int64_t end_ns = steps[n_steps - 1].when_ns;

    for (unsigned i = 0; i < n_holes; i++) {
        static const double shares[] = {0.03, 0.3, 1.0};
        unsigned at = (unsigned)g_rand_int_range(rand, 0, (gint32)n_steps);
        unsigned to = at + (unsigned)g_rand_int_range(rand, 0, 200);
        holes[i] = (struct hole){
            .from_ns = steps[at].when_ns - g_rand_int_range(rand, 0, 3),
            .to_ns = to < n_steps
                         ? steps[to].when_ns + g_rand_int_range(rand, 0, 3)
                         : INT64_MAX,
            .share = shares[g_rand_int_range(rand, 0, 3)],
        };
        for (unsigned j = i; j > 0 && holes[j - 1].from_ns > holes[j].from_ns;
             j--) {
            struct hole swap = holes[j];
            holes[j] = holes[j - 1];
            holes[j - 1] = swap;
        }
    }
    for (unsigned i = 0; i < n_steps; i++) {
        bool lost = false;
        while (next < n_holes && holes[next].from_ns <= steps[i].when_ns) {
            struct ct_step gap = {
                .kind = CT_STEP_GAP,
                .when_ns = holes[next].from_ns,
                .from_ns = holes[next].from_ns,
                .ns = holes[next].to_ns,
                .value = 1,
            };
            pass_step(pass, &gap);
            next++;
        }
        for (unsigned j = 0; j < next; j++) {
            lost |= steps[i].when_ns <= holes[j].to_ns &&
                    g_rand_double(rand) < holes[j].share;
        }
        if (!lost) {
            pass_step(pass, &steps[i]);
        }
    }
    pass_finish(pass, end_ns);

    for (unsigned i = 0; i < pass->requests->len; i++) {
        const struct ct_request *request =
            &g_array_index(pass->requests, struct kept_request, i).request;
        *known_ns += compare_lossy(truth_of(world, request->id), request);
    }
    for (unsigned i = 0; i < world->truth->len; i++) {
        const struct world_request *truth = world->truth->pdata[i];
        *total_ns += truth->end_ns - truth->begin_ns;
    }
    compare_slices(full, pass);
    compare_edges(full, pass);
    compare_lives(full, pass);
    pass_free(pass);
    g_rand_free(rand);
}

static void test_lossy(void)
{
    int64_t known_ns = 0, total_ns = 0;

    for (uint32_t seed = 1; seed <= N_WORLDS; seed++) {
        struct world *world = world_new(seed, N_STEPS);
        struct pass *full = run(world);
        for (uint32_t twin = 0; twin < N_TWINS; twin++) {
            g_test_message("seed %u twin %u", seed, twin);
            lose(world, full, seed * N_TWINS + twin, &known_ns, &total_ns);
        }
        pass_free(full);
        world_free(world);
    }
    /* Knowing nothing is no art. */
    g_test_message("known: %.3f", (double)known_ns / (double)total_ns);
    g_assert_cmpfloat((double)known_ns, >, 0.3 * (double)total_ns);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/world/truth", test_truth);
    g_test_add_func("/world/lossy", test_lossy);
    return g_test_run();
}
