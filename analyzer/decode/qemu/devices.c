/* SPDX-License-Identifier: MIT */
/*
 * devices.c - requests of QEMU's front ends: NBD, virtio-blk, NVMe; block jobs
 *
 * NBD: a coroutine serves one request, from where it is received to where the
 * reply that ends it is sent; the way through the socket is outside.
 *
 * Devices: a request is there before its coroutine, and often ends without it.
 * They are linked where a coroutine that serves nothing yet begins a request of
 * the block layer on the same thread, at the same place of the disk; several
 * that were merged are served by one coroutine.
 *
 * A job's coroutine is the one whose entry got the job as its argument.
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

#include <errno.h>
#include <string.h>

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

#define SECTOR_BYTES 512
#define PENDING_MAX  4096

struct front {
    uint64_t id;
    uint64_t key;
    uint64_t offset, bytes;
    int32_t lane;    /* its number */
    uint64_t doubts; /* the process's, when it began */
    bool linked;
    bool is_job;
};

/* --- requests that are not born in a coroutine --------------------------- */

static void end_front(struct ct_qemu_event *event, struct front *front,
                      int32_t ret);

static struct front *find_front(struct ct_qemu_event *event, uint64_t key)
{
    return g_hash_table_lookup(event->process->fronts, KEY(key));
}

static struct front *begin_front(struct ct_qemu_event *event, uint64_t key,
                                 const char *layer, const char *op,
                                 uint64_t offset, uint64_t bytes)
{
    struct ct_qemu_process *process = event->process;
    struct front *front = find_front(event, key);
    struct ct_step *step;

    if (front) {
        /* Its end was not seen: the device has reused it. */
        end_front(event, front, 0);
        event->steps[event->n - 1].certainty = CT_UNKNOWN;
        event->steps[event->n - 1].flag = true;
    }
    if (g_hash_table_size(process->fronts) >= PENDING_MAX) {
        return NULL;
    }
    front = g_new0(struct front, 1);
    *front = (struct front){.id = ct_lives_new_id(process->lives),
                            .key = key,
                            .offset = offset,
                            .bytes = bytes,
                            .lane = event->lane->tid,
                            .doubts = process->doubts};
    g_hash_table_insert(process->fronts, KEY(key), front);
    g_queue_push_tail(&process->pending, front);
    g_hash_table_add(process->open, KEY(front->id));
    step = ct_qemu_step(event, CT_STEP_REQUEST_BEGIN);
    step->subject = front->id;
    step->layer = layer;
    step->op = op;
    step->offset = offset;
    step->bytes = bytes;
    return front;
}

static void end_front(struct ct_qemu_event *event, struct front *front,
                      int32_t ret)
{
    struct ct_step *step = ct_qemu_step(event, CT_STEP_REQUEST_END);

    step->subject = front->id;
    step->ret = ret;
    if (front->doubts != event->process->doubts) {
        /* Perhaps of another one that the device has at the same place. */
        step->certainty = CT_BOUND;
        step->flag = true;
    }
    g_hash_table_remove(event->process->open, KEY(front->id));
    if (!front->linked) {
        g_queue_remove(&event->process->pending, front);
    }
    g_hash_table_remove(event->process->fronts, KEY(front->key));
}

static void link_to(struct ct_qemu_event *event, struct front *front)
{
    struct ct_step *step = ct_qemu_step(event, CT_STEP_REQUEST_COROUTINE);

    step->subject = front->id;
    step->object = event->co->life.id;
    front->linked = true;
}

void ct_qemu_link(struct ct_qemu_event *event, uint64_t offset, uint64_t bytes)
{
    struct ct_qemu_co *co = event->co;
    GQueue *pending = &event->process->pending;
    unsigned room = CT_QEMU_LINKS;
    bool found = false;
    bool may_lack = event->process->doubts > 0;

    if (co->outer && co->outer_doubts == event->process->doubts) {
        return;
    }
    for (GList *at = pending->head, *next; at && room; at = next) {
        struct front *front = at->data;

        next = at->next;
        /* The first lies where the coroutine's request does, others that were
         * merged with it behind; that first one's begin may be missing. */
        bool is_first = front->offset == offset;
        bool is_behind =
            front->offset > offset && front->offset - offset < bytes;
        if (front->lane != event->lane->tid || front->is_job ||
            front->doubts != event->process->doubts ||
            !(found ? is_behind : is_first || (may_lack && is_behind))) {
            continue;
        }
        link_to(event, front);
        g_queue_delete_link(pending, at);
        room--;
        if (!found) {
            found = true;
            co->outer = front->id;
            co->outer_doubts = front->doubts;
            next = pending->head;
        }
    }
}

/* --- NBD ------------------------------------------------------------------ */

static void receive(struct ct_qemu_event *event)
{
    static const char *const ops[] = {
        "read",    "write", "disconnect",   "flush",
        "discard", "cache", "write-zeroes", "block-status"};
    const struct ct_record *record = event->record;
    uint64_t type = U(NBD_RECEIVE_REQUEST_TYPE);
    struct ct_qemu_request *request;

    ct_qemu_end(event, event->co, 0, CT_BOUND);
    event->co->is_front = true;
    event->co->outer = 0;
    if (type < G_N_ELEMENTS(ops) && strcmp(ops[type], "disconnect") == 0) {
        return;
    }
    request = ct_qemu_begin(event, CT_REQ_FRONT, "nbd",
                            type < G_N_ELEMENTS(ops) ? ops[type] : "other", 0,
                            U(NBD_RECEIVE_REQUEST_FROM),
                            U(NBD_RECEIVE_REQUEST_LEN), 0);
    if (request) {
        request->left = U(NBD_RECEIVE_REQUEST_LEN);
    }
    event->co->last = CT_LAST_OTHER;
}

/* A reply, or a part of one that tells @bytes of what was asked for. */
static void reply(struct ct_qemu_event *event, uint64_t bytes, bool is_last,
                  int32_t ret)
{
    struct ct_qemu_co *co = event->co;
    struct ct_qemu_request *front = &co->requests[0];

    if (!co->n_requests || front->kind != CT_REQ_FRONT) {
        ct_qemu_end(event, co, 0, CT_KNOWN);
        co->last = CT_LAST_IO;
        return;
    }
    ct_qemu_end(event, co, 1, CT_KNOWN);
    front->left -= MIN(front->left, bytes);
    if (is_last || (bytes && !front->left)) {
        struct ct_step *step = &event->steps[event->n];

        ct_qemu_end(event, co, 0, CT_KNOWN);
        step->flag = false;
        step->ret = ret;
    }
    co->last = CT_LAST_IO;
}

static void nbd(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;

    switch (record->event) {
    case CT_EV_QEMU_NBD_RECEIVE_REQUEST:
        receive(event);
        break;
    case CT_EV_QEMU_NBD_CO_SEND_SIMPLE_REPLY:
        reply(event, 0, true, -(int32_t)U(NBD_CO_SEND_SIMPLE_REPLY_ERROR));
        break;
    case CT_EV_QEMU_NBD_CO_SEND_CHUNK_ERROR:
        reply(event, 0, true, -(int32_t)I(NBD_CO_SEND_CHUNK_ERROR_ERR));
        break;
    case CT_EV_QEMU_NBD_CO_SEND_CHUNK_DONE:
        reply(event, 0, true, 0);
        break;
    case CT_EV_QEMU_NBD_CO_SEND_CHUNK_READ:
        reply(event, U(NBD_CO_SEND_CHUNK_READ_SIZE), false, 0);
        break;
    case CT_EV_QEMU_NBD_CO_SEND_CHUNK_READ_HOLE:
        reply(event, U(NBD_CO_SEND_CHUNK_READ_HOLE_SIZE), false, 0);
        break;
    case CT_EV_QEMU_NBD_CO_SEND_EXTENTS:
        reply(event, 0, I(NBD_CO_SEND_EXTENTS_LAST) != 0, 0);
        break;
    case CT_EV_QEMU_NBD_TRIP:
    case CT_EV_QEMU_NBD_SEND_REQUEST:
        event->co->last = CT_LAST_IO;
        break;
    default:
        break;
    }
}

/* --- devices -------------------------------------------------------------- */

static void virtio_blk(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct front *front;

    switch (record->event) {
    case CT_EV_QEMU_VIRTIO_BLK_HANDLE_READ:
    case CT_EV_QEMU_VIRTIO_BLK_HANDLE_WRITE:
        begin_front(event, U(VIRTIO_BLK_HANDLE_READ_REQ), "virtio-blk",
                    record->event == CT_EV_QEMU_VIRTIO_BLK_HANDLE_READ
                        ? "read"
                        : "write",
                    U(VIRTIO_BLK_HANDLE_READ_SECTOR) * SECTOR_BYTES,
                    U(VIRTIO_BLK_HANDLE_READ_NSECTORS) * SECTOR_BYTES);
        break;
    case CT_EV_QEMU_VIRTIO_BLK_REQ_COMPLETE:
        front = find_front(event, U(VIRTIO_BLK_REQ_COMPLETE_REQ));
        if (front) {
            end_front(event, front,
                      I(VIRTIO_BLK_REQ_COMPLETE_STATUS) ? -EIO : 0);
        }
        break;
    default:
        break;
    }
}

/* Numbers of NVMe commands are unique in a queue; the last command says which
 * queue its event is of. */
static uint64_t nvme_key(uint64_t queue, uint64_t cid)
{
    return UINT64_C(1) << 63 | queue << 16 | (cid & 0xffff);
}

static void begin_nvme(struct ct_qemu_event *event, const char *op,
                       uint64_t cid, uint64_t blocks, uint64_t bytes,
                       uint64_t lba)
{
    uint64_t block = blocks ? bytes / blocks : 0;

    begin_front(event, nvme_key(event->process->nvme_queue, cid), "nvme", op,
                lba * block, bytes);
}

static void nvme(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    const char *verb;
    struct front *front;

    switch (record->event) {
    case CT_EV_QEMU_PCI_NVME_IO_CMD:
        event->process->nvme_queue = U(PCI_NVME_IO_CMD_SQID);
        break;
    case CT_EV_QEMU_PCI_NVME_READ:
        begin_nvme(event, "read", U(PCI_NVME_READ_CID), U(PCI_NVME_READ_NLB),
                   U(PCI_NVME_READ_COUNT), U(PCI_NVME_READ_LBA));
        break;
    case CT_EV_QEMU_PCI_NVME_WRITE:
        verb = S(PCI_NVME_WRITE_VERB);
        begin_nvme(event, verb && strcmp(verb, "read") == 0 ? "read" : "write",
                   U(PCI_NVME_WRITE_CID), U(PCI_NVME_WRITE_NLB),
                   U(PCI_NVME_WRITE_COUNT), U(PCI_NVME_WRITE_LBA));
        break;
    case CT_EV_QEMU_PCI_NVME_ENQUEUE_REQ_COMPLETION:
        front =
            find_front(event, nvme_key(U(PCI_NVME_ENQUEUE_REQ_COMPLETION_CQID),
                                       U(PCI_NVME_ENQUEUE_REQ_COMPLETION_CID)));
        if (front) {
            end_front(event, front,
                      U(PCI_NVME_ENQUEUE_REQ_COMPLETION_STATUS) ? -EIO : 0);
        }
        break;
    default:
        break;
    }
}

/* --- jobs ----------------------------------------------------------------- */

void ct_qemu_entered(struct ct_qemu_event *event, struct ct_qemu_co *co)
{
    struct front *front = find_front(event, co->life.opaque);
    struct ct_step *step;

    if (front && front->is_job) {
        step = ct_qemu_step(event, CT_STEP_REQUEST_COROUTINE);
        step->subject = front->id;
        step->object = co->life.id;
        co->outer = front->id;
        co->outer_doubts = event->process->doubts;
    }
}

static void job(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    const char *state = S(JOB_STATE_TRANSITION_S1);
    const char *legal = S(JOB_STATE_TRANSITION_LEGAL);
    uint64_t key = U(JOB_STATE_TRANSITION_JOB);
    struct front *front = find_front(event, key);

    if (!state || (legal && strcmp(legal, "allowed") != 0)) {
        return;
    }
    if (strcmp(state, "concluded") == 0 || strcmp(state, "null") == 0) {
        if (front) {
            end_front(event, front, (int32_t)I(JOB_STATE_TRANSITION_RET));
        }
        return;
    }
    if (!front && strcmp(state, "created") == 0) {
        front = begin_front(event, key, "job", "job", 0, 0);
        if (front) {
            event->steps[event->n - 1].flag = true; /* has no range */
            front->is_job = front->linked = true;
            g_queue_remove(&event->process->pending, front);
        }
    }
}

void ct_qemu_devices(struct ct_qemu_event *event)
{
    int id = event->record->event;

    if (id == CT_EV_QEMU_JOB_STATE_TRANSITION) {
        job(event);
    } else if (id == CT_EV_QEMU_MIRROR_BEFORE_SLEEP && event->co) {
        event->co->last = CT_LAST_SLEEP;
    } else if (id >= CT_EV_QEMU_PCI_NVME_MAP_PRP) {
        nvme(event);
    }
    virtio_blk(event);
    if (event->co) {
        nbd(event);
    }
}
