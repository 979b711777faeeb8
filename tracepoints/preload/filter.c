/* SPDX-License-Identifier: MIT */
/*
 * filter.c - what a filter of system calls will say
 *
 * The kernel's classic BPF: an accumulator, an index, sixteen words, jumps that
 * only go forward.  A word that comes of the call's arguments is unknown, and
 * so is what is computed of it; where a jump depends on one both ways are
 * gone.  Each way ends with an action.  Ways are many only where a filter
 * decides by arguments again and again, so steps are counted, and a filter that
 * takes more of them allows nothing.
 */
#include "filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

enum { STEPS_MAX = 200000, WAYS_MAX = 32 };

struct word {
    uint32_t value;
    bool is_known;
};

/* One way through the filter, as far as it has come. */
struct way {
    struct word a, x, memory[BPF_MEMWORDS];
    unsigned at;
};

struct run {
    const struct sock_fprog *filter;
    uint32_t arch;
    uint32_t number;
    unsigned steps;
    unsigned n_ways; /* still to be gone */
    struct way ways[WAYS_MAX];
};

enum outcome { GOES_ON, ALLOWED, REFUSED };

static struct word known(uint32_t value)
{
    return (struct word){value, true};
}

/* A word of struct seccomp_data. */
static struct word load(const struct run *run, uint32_t offset)
{
    switch (offset) {
    case offsetof(struct seccomp_data, nr):
        return known(run->number);
    case offsetof(struct seccomp_data, arch):
        return known(run->arch);
    default:
        return (struct word){0, false};
    }
}

static struct word compute(unsigned op, struct word a, struct word b)
{
    uint32_t shift = b.value & 31;

    if (op == BPF_NEG) {
        a.value = 0 - a.value;
        return a;
    }
    a.is_known = a.is_known && b.is_known;
    switch (op) {
    case BPF_ADD:
        a.value += b.value;
        break;
    case BPF_SUB:
        a.value -= b.value;
        break;
    case BPF_MUL:
        a.value *= b.value;
        break;
    case BPF_AND:
        a.value &= b.value;
        break;
    case BPF_OR:
        a.value |= b.value;
        break;
    case BPF_XOR:
        a.value ^= b.value;
        break;
    case BPF_LSH:
        a.value <<= shift;
        a.is_known = a.is_known && b.value < 32;
        break;
    case BPF_RSH:
        a.value >>= shift;
        a.is_known = a.is_known && b.value < 32;
        break;
    default: /* a division: nobody does it with a number */
        a.is_known = false;
        break;
    }
    return a;
}

static bool compare(unsigned op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_JEQ:
        return a == b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    default:
        return (a & b) != 0;
    }
}

static enum outcome jump(struct run *run, struct way *way,
                         const struct sock_filter *step)
{
    struct word b = BPF_SRC(step->code) == BPF_X ? way->x : known(step->k);

    if (BPF_OP(step->code) == BPF_JA) {
        way->at += step->k;
    } else if (way->a.is_known && b.is_known) {
        way->at += compare(BPF_OP(step->code), way->a.value, b.value)
                       ? step->jt
                       : step->jf;
    } else if (run->n_ways == WAYS_MAX) {
        return REFUSED;
    } else {
        run->ways[run->n_ways] = *way;
        run->ways[run->n_ways++].at += step->jt;
        way->at += step->jf;
    }
    return GOES_ON;
}

static enum outcome end(struct word action)
{
    uint32_t what = action.value & SECCOMP_RET_ACTION_FULL;

    return action.is_known &&
                   (what == SECCOMP_RET_ALLOW || what == SECCOMP_RET_LOG)
               ? ALLOWED
               : REFUSED;
}

static struct word operand(const struct run *run, const struct way *way,
                           const struct sock_filter *step)
{
    switch (BPF_MODE(step->code)) {
    case BPF_IMM:
        return known(step->k);
    case BPF_ABS:
        return load(run, step->k);
    case BPF_MEM:
        return step->k < BPF_MEMWORDS ? way->memory[step->k]
                                      : (struct word){0, false};
    case BPF_LEN:
        return known(sizeof(struct seccomp_data));
    default:
        return (struct word){0, false};
    }
}

static enum outcome do_step(struct run *run, struct way *way)
{
    const struct sock_filter *step = &run->filter->filter[way->at++];

    switch (BPF_CLASS(step->code)) {
    case BPF_LD:
        way->a = operand(run, way, step);
        return GOES_ON;
    case BPF_LDX:
        way->x = operand(run, way, step);
        return GOES_ON;
    case BPF_ST:
    case BPF_STX:
        if (step->k < BPF_MEMWORDS) {
            way->memory[step->k] =
                BPF_CLASS(step->code) == BPF_ST ? way->a : way->x;
        }
        return GOES_ON;
    case BPF_ALU:
        way->a =
            compute(BPF_OP(step->code), way->a,
                    BPF_SRC(step->code) == BPF_X ? way->x : known(step->k));
        return GOES_ON;
    case BPF_JMP:
        return jump(run, way, step);
    case BPF_RET:
        return end(BPF_RVAL(step->code) == BPF_A ? way->a : known(step->k));
    default:
        if (BPF_MISCOP(step->code) == BPF_TXA) {
            way->a = way->x;
        } else {
            way->x = way->a;
        }
        return GOES_ON;
    }
}

static enum outcome go(struct run *run, struct way *way)
{
    enum outcome outcome = GOES_ON;

    while (outcome == GOES_ON) {
        if (way->at >= run->filter->len || run->steps++ == STEPS_MAX) {
            return REFUSED;
        }
        outcome = do_step(run, way);
    }
    return outcome;
}

bool ct_filter_allows(const struct sock_fprog *filter, uint32_t arch,
                      int number)
{
    struct run run = {
        .filter = filter,
        .arch = arch,
        .number = (uint32_t)number,
        .n_ways = 1,
    };

    /* The machine begins with zeroes everywhere. */
    run.ways[0].a = run.ways[0].x = known(0);
    while (run.n_ways > 0) {
        struct way way = run.ways[--run.n_ways];

        if (go(&run, &way) != ALLOWED) {
            return false;
        }
    }
    return true;
}
