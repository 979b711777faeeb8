/* SPDX-License-Identifier: MIT */
/*
 * write.c - writing the guest's disk
 *
 *   qcow2_co_pwritev_part -> qcow2_add_task
 *     -> (aio_task_co) -> qcow2_co_pwritev_task_entry -> qcow2_co_pwritev_task
 *
 * A cluster that is new is written whole, in one go: what is written, and
 * around it what the guest had there (copy on write) or zeroes.  Only then do
 * the tables refer to it (alloc.c).
 */
#include <errno.h>

#include "block/drivers/qcow2/qcow2.h"

/* Around new data; written as often as it takes. */
static const uint8_t zeroes[64 * 1024];

/* Does a range of the guest's disk read as zeroes, as far as tables tell? */
static int coroutine_fn reads_as_zero(BlockDriverState *bs, uint64_t offset,
                                      uint64_t bytes)
{
    struct qcow2_state *s = bs->opaque;
    int ret = 1;

    co_mutex_lock(&s->lock);
    while (ret > 0 && bytes > 0) {
        uint64_t n = bytes, host;
        enum qcow2_cluster type;

        ret = qcow2_get_host_offset(bs, offset, &n, &host, &type);
        if (ret >= 0) {
            ret = type == QCOW2_CLUSTER_ZERO ||
                  (type == QCOW2_CLUSTER_UNALLOCATED && bs->backing == NULL);
        }
        offset += n;
        bytes -= n;
    }
    co_mutex_unlock(&s->lock);
    return ret;
}

static void add_zeroes(IOVector *vector, uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t n = MIN(bytes, sizeof(zeroes));

        io_vector_add(vector, (void *)zeroes, (size_t)n);
        bytes -= n;
    }
}

/*
 * Adds to @vector what the guest has at @offset.
 * @ret_buf: to be freed when @vector is not used any more; NULL: zeroes
 */
static int coroutine_fn do_perform_cow_read(BlockDriverState *bs,
                                            uint64_t offset, uint64_t bytes,
                                            unsigned flags, IOVector *vector,
                                            uint8_t **ret_buf)
{
    uint64_t length = (uint64_t)bdrv_length(bs);
    uint64_t inside = bytes;

    *ret_buf = NULL;
    if (!(flags & BDRV_REQ_VM_STATE)) {
        /* behind the disk's end there is nothing to keep */
        inside = MIN(bytes, length - MIN(offset, length));
    }
    int ret = inside > 0 ? reads_as_zero(bs, offset, inside) : 1;
    if (ret < 0) {
        return ret;
    }
    if (ret > 0) {
        add_zeroes(vector, bytes);
        return 0;
    }
    *ret_buf = g_malloc(inside);
    struct iovec iov = {*ret_buf, (size_t)inside};
    IOVector part = {.iov = &iov, .niov = 1, .bytes = (size_t)inside};
    ret = qcow2_co_preadv_part(bs, (int64_t)offset, (int64_t)inside, &part, 0,
                               flags);
    io_vector_add(vector, *ret_buf, (size_t)inside);
    add_zeroes(vector, bytes - inside);
    return ret;
}

/* All bytes of new clusters in one write */
static int coroutine_fn perform_cow(const struct qcow2_task *t)
{
    const struct qcow2_state *s = t->bs->opaque;
    struct qcow2_alloc *alloc = t->alloc;
    uint64_t all = alloc->n << s->header.cluster_bits;
    g_autofree uint8_t *head = NULL;
    g_autofree uint8_t *tail = NULL;
    IOVector whole;

    io_vector_init(&whole);
    int ret = do_perform_cow_read(t->bs, alloc->offset, alloc->data_from,
                                  t->flags, &whole, &head);
    if (ret >= 0) {
        io_vector_add_part(&whole, t->vector, t->offset_in, (size_t)t->bytes);
        ret =
            do_perform_cow_read(t->bs, alloc->offset + alloc->data_to,
                                all - alloc->data_to, t->flags, &whole, &tail);
    }
    /*
     * What the guest did not write now must be on the disk before the entry
     * is, be it copied, zeroes in the place of what was there, or old bytes
     * that nobody else's flush holds back.
     */
    alloc->needs_flush =
        alloc->is_reused || s->has_lazy_refcounts || all != t->bytes;
    if (ret >= 0) {
        ret = bdrv_co_pwritev_part(t->bs->file, (int64_t)alloc->host,
                                   (int64_t)all, &whole, 0, 0);
    }
    io_vector_fini(&whole);
    return ret;
}

static int coroutine_fn qcow2_co_pwritev_task(const struct qcow2_task *t)
{
    struct qcow2_state *s = t->bs->opaque;
    int ret;

    if (t->alloc == NULL) {
        ret =
            bdrv_co_pwritev_part(t->bs->file, (int64_t)t->host,
                                 (int64_t)t->bytes, t->vector, t->offset_in, 0);
        return ret;
    }
    ret = perform_cow(t);
    co_mutex_lock(&s->lock);
    if (ret < 0) {
        qcow2_alloc_cluster_abort(t->bs, t->alloc);
    } else {
        ret = qcow2_alloc_cluster_link_l2(t->bs, t->alloc);
    }
    co_mutex_unlock(&s->lock);
    return ret;
}

static int coroutine_fn qcow2_co_pwritev_task_entry(AioTask *task)
{
    const struct qcow2_task *t = (const struct qcow2_task *)task;

    qcow2_adopt_task(t);
    int ret = qcow2_co_pwritev_task(t);
    return ret;
}

/* Where t->offset is to be written, and how much of t->bytes there */
static int coroutine_fn find_place(struct qcow2_task *t)
{
    struct qcow2_state *s = t->bs->opaque;

    co_mutex_lock(&s->lock);
    int ret = qcow2_alloc_host_offset(t->bs, t->offset, &t->bytes, &t->host,
                                      &t->alloc);
    if (ret >= 0) {
        ret =
            qcow2_pre_write_overlap_check(t->bs, QCOW2_DATA, t->host, t->bytes);
        if (ret < 0 && t->alloc != NULL) {
            qcow2_alloc_cluster_abort(t->bs, t->alloc);
        }
    }
    co_mutex_unlock(&s->lock);
    return ret;
}

static int coroutine_fn write_once(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, const IOVector *vector,
                                   size_t offset_in, unsigned flags)
{
    AioTaskPool *pool = NULL;
    uint64_t left = (uint64_t)bytes;
    struct qcow2_task t = {
        .bs = bs,
        .offset = (uint64_t)offset,
        .vector = vector,
        .offset_in = offset_in,
        .flags = flags & BDRV_REQ_VM_STATE,
    };
    int ret = 0;

    while (ret == 0 && left > 0) {
        ret = qcow2_wait_slot(pool);
        if (ret < 0) {
            break;
        }
        t.bytes = left;
        ret = find_place(&t);
        if (ret < 0) {
            break;
        }
        if (pool == NULL && t.bytes < left) {
            pool = aio_task_pool_new(QCOW2_TASKS_MAX);
        }
        ret = qcow2_add_task(pool, qcow2_co_pwritev_task_entry, &t);
        t.offset += t.bytes;
        t.offset_in += (size_t)t.bytes;
        left -= t.bytes;
    }
    int task_ret = qcow2_end_tasks(pool);
    return ret < 0 ? ret : task_ret;
}

int coroutine_fn qcow2_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags)
{
    const struct qcow2_state *s = bs->opaque;
    unsigned n_releases = s->n_releases;
    int ret = write_once(bs, offset, bytes, vector, offset_in, flags);

    /* Parts of it may be there already: they are written again. */
    if (ret == -ENOSPC && qcow2_make_room(bs, n_releases)) {
        ret = write_once(bs, offset, bytes, vector, offset_in, flags);
    }
    return ret;
}

/*
 * New clusters of the file read as zeroes: what it has there may be old data,
 * and it may end before.  Only written to, since others make it longer
 * meanwhile.
 */
static int coroutine_fn clear_host(BlockDriverState *file, int64_t host,
                                   int64_t bytes, PreallocMode mode)
{
    int64_t inside = MIN(bytes, bdrv_length(file) - host);
    int ret = 0;

    if (mode == PREALLOC_MODE_FULL) {
        struct iovec iov = {(void *)zeroes, sizeof(zeroes)};

        for (int64_t done = 0; ret >= 0 && done < bytes;) {
            iov.iov_len = (size_t)MIN(bytes - done, (int64_t)sizeof(zeroes));
            IOVector vector = {.iov = &iov, .niov = 1, .bytes = iov.iov_len};
            ret = bdrv_co_pwritev_part(file, host + done, (int64_t)iov.iov_len,
                                       &vector, 0, 0);
            done += (int64_t)iov.iov_len;
        }
        return ret;
    }
    if (inside > 0) {
        ret = bdrv_co_pwrite_zeroes(file, host, inside, BDRV_REQ_MAY_UNMAP);
    }
    if (ret >= 0 && inside < bytes) {
        ret = bdrv_co_pwrite(file, host + bytes - 1, 1, zeroes);
    }
    if (ret >= 0 && mode == PREALLOC_MODE_FALLOC) {
        ret = bdrv_co_preallocate(file, host, bytes, mode);
    }
    return ret;
}

int coroutine_fn qcow2_co_preallocate(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, PreallocMode mode)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t unit = s->header.cluster_bytes;
    uint64_t end = (uint64_t)(offset + bytes);
    struct qcow2_task t = {
        .bs = bs, .offset = ((uint64_t)offset + unit - 1) & ~(unit - 1)};
    int ret = 0;

    if (bytes > 0 || mode != PREALLOC_MODE_METADATA) {
        /* The rest of the cluster that holds the old end, up to its border,
         * also where the image ends before that. */
        ret = bdrv_co_write_zero_data(bs, offset, (int64_t)t.offset - offset);
    }

    while (ret >= 0 && t.offset < end) {
        t.bytes = end - t.offset;
        t.alloc = NULL;
        ret = find_place(&t);
        if (ret >= 0 && t.alloc != NULL) {
            /* After a crash, too, the zeroes are there before the entries. */
            t.alloc->needs_flush = true;
            ret = clear_host(bs->file, (int64_t)t.alloc->host,
                             (int64_t)(t.alloc->n << s->header.cluster_bits),
                             mode);
            co_mutex_lock(&s->lock);
            if (ret < 0) {
                qcow2_alloc_cluster_abort(bs, t.alloc);
            } else {
                ret = qcow2_alloc_cluster_link_l2(bs, t.alloc);
            }
            co_mutex_unlock(&s->lock);
        }
        t.offset += t.bytes;
    }
    return ret;
}

int64_t qcow2_vm_state_offset(const struct qcow2_header *h)
{
    return (int64_t)(h->l1_needed << (h->cluster_bits + h->l2_bits));
}

int coroutine_fn qcow2_co_save_vmstate(BlockDriverState *bs, int64_t offset,
                                       const IOVector *vector)
{
    const struct qcow2_state *s = bs->opaque;
    int64_t place = qcow2_vm_state_offset(&s->header);

    if (offset > INT64_MAX - place - (int64_t)vector->bytes) {
        return -EFBIG;
    }
    return qcow2_co_pwritev_part(bs, place + offset, (int64_t)vector->bytes,
                                 vector, 0, BDRV_REQ_VM_STATE);
}

int coroutine_fn qcow2_co_load_vmstate(BlockDriverState *bs, int64_t offset,
                                       const IOVector *vector)
{
    const struct qcow2_state *s = bs->opaque;
    int64_t place = qcow2_vm_state_offset(&s->header);

    if (offset > INT64_MAX - place - (int64_t)vector->bytes) {
        return -EFBIG;
    }
    return qcow2_co_preadv_part(bs, place + offset, (int64_t)vector->bytes,
                                vector, 0, BDRV_REQ_VM_STATE);
}
