/* SPDX-License-Identifier: MIT */
/*
 * request.c - what a client's command does to the image
 *
 * A coroutine a request: it begins the request that traces show (layer "nbd"),
 * whose child is what it asks of the block layer, and leaves an answer with
 * its client.  The traced request ends when that has been sent.
 */
#include <errno.h>

#include "base/bytes.h"
#include "nbd/client.h"

/* An answer is one message; who wants to know more asks again from its end. */
#define EXTENTS_MAX 1024

/* As traces name them; those of the block layer where it has the same. */
static const char *const op_words[] = {
    [NBD_CMD_READ] = "read",          [NBD_CMD_WRITE] = "write",
    [NBD_CMD_FLUSH] = "flush",        [NBD_CMD_TRIM] = "discard",
    [NBD_CMD_WRITE_ZEROES] = "write", [NBD_CMD_BLOCK_STATUS] = "status",
};

static unsigned block_flags(const struct nbd_command *command)
{
    unsigned flags = command->flags & NBD_CMD_FLAG_FUA ? BDRV_REQ_FUA : 0;

    if (command->type == NBD_CMD_WRITE_ZEROES) {
        flags |= command->flags & NBD_CMD_FLAG_NO_HOLE ? 0 : BDRV_REQ_MAY_UNMAP;
        flags |=
            command->flags & NBD_CMD_FLAG_FAST_ZERO ? BDRV_REQ_NO_FALLBACK : 0;
    }
    return flags;
}

static int coroutine_fn nbd_do_read_write(BlockBackend *blk,
                                          struct nbd_request *request)
{
    const struct nbd_command *command = &request->command;
    struct iovec iov = {request->data, command->bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = command->bytes};
    int64_t offset = (int64_t)command->offset;
    int ret;

    if (command->type == NBD_CMD_READ) {
        ret = blk_co_preadv(blk, offset, &vector);
    } else {
        ret = blk_co_pwritev(blk, offset, &vector, block_flags(command));
    }
    return ret;
}

static int coroutine_fn nbd_do_trim(BlockBackend *blk,
                                    const struct nbd_command *command)
{
    int ret = blk_co_pdiscard(blk, (int64_t)command->offset, command->bytes);

    if (ret >= 0 && (command->flags & NBD_CMD_FLAG_FUA)) {
        ret = blk_co_flush(blk);
    }
    return ret;
}

static uint32_t extent_state(int status)
{
    return (status & BDRV_BLOCK_DATA ? 0 : NBD_STATE_HOLE) |
           (status & BDRV_BLOCK_ZERO ? NBD_STATE_ZERO : 0);
}

/* Extents go to the request's data, neighbours of one state as one. */
static int coroutine_fn nbd_do_block_status(BlockBackend *blk,
                                            struct nbd_request *request,
                                            size_t *ret_payload_bytes)
{
    const struct nbd_command *command = &request->command;
    size_t max = command->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : EXTENTS_MAX;
    int64_t at = (int64_t)command->offset, end = at + command->bytes;
    uint32_t bytes = 0, state = 0;
    size_t n = 0;

    while (at < end) {
        int64_t some;
        int status = blk_co_block_status(blk, at, end - at, &some);

        if (status < 0) {
            return status;
        }
        if (n == 0 || extent_state(status) != state) {
            if (n == max) {
                break;
            }
            n++;
            bytes = 0;
            state = extent_state(status);
        }
        bytes += (uint32_t)some;
        at += some;
        ct_put_be32(ct_put_be32(request->data + (n - 1) * 8, bytes), state);
    }
    *ret_payload_bytes = n * 8;
    return 0;
}

static int coroutine_fn nbd_do_command(BlockBackend *blk,
                                       struct nbd_request *request,
                                       size_t *ret_payload_bytes)
{
    const struct nbd_command *command = &request->command;

    *ret_payload_bytes = 0;
    switch (command->type) {
    case NBD_CMD_READ:
        *ret_payload_bytes = command->bytes;
        return nbd_do_read_write(blk, request);
    case NBD_CMD_WRITE:
        return nbd_do_read_write(blk, request);
    case NBD_CMD_TRIM:
        return nbd_do_trim(blk, command);
    case NBD_CMD_WRITE_ZEROES:
        return blk_co_pwrite_zeroes(blk, (int64_t)command->offset,
                                    command->bytes, block_flags(command));
    case NBD_CMD_BLOCK_STATUS:
        return nbd_do_block_status(blk, request, ret_payload_bytes);
    default:
        return blk_co_flush(blk);
    }
}

static void coroutine_fn nbd_request_entry(void *opaque)
{
    struct nbd_request *request = opaque;
    const struct nbd_command *command = &request->command;
    BlockBackend *blk = request->client->host->blk;
    size_t payload_bytes;

    request->traced =
        ct_request_begin("nbd", op_words[command->type], blk_name(blk),
                         command->offset, command->bytes);
    int ret = nbd_do_command(blk, request, &payload_bytes);
    ct_request_leave(request->traced);
    nbd_client_answer(request, ret, payload_bytes);
}

void nbd_request_start(struct nbd_request *request)
{
    coroutine_start(nbd_request_entry, request);
}

/* --- objects ------------------------------------------------------------- */

size_t nbd_request_data_bytes(const struct nbd_command *command)
{
    switch (command->type) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
        return command->bytes;
    case NBD_CMD_BLOCK_STATUS:
        return 8 * (command->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : EXTENTS_MAX);
    default:
        return 0;
    }
}

struct nbd_request *nbd_request_new(struct nbd_client *client,
                                    const struct nbd_command *command,
                                    size_t data_bytes)
{
    struct nbd_request *request = client->free_requests;

    if (request != NULL) {
        client->free_requests = request->next;
    } else {
        request = g_new(struct nbd_request, 1);
    }
    request->next = NULL;
    request->client = client;
    request->command = *command;
    request->ret = 0;
    request->traced = NULL;
    request->data_bytes = data_bytes;
    request->data = NULL;
    if (data_bytes > 0) {
        request->data = nbd_buffer_get(&client->host->buffers, data_bytes);
    }
    client->in_flight++;
    client->in_flight_bytes += data_bytes;
    nbd_client_ref(client);
    return request;
}

void nbd_request_drop_data(struct nbd_request *request)
{
    nbd_buffer_put(&request->client->host->buffers, request->data,
                   request->data_bytes);
    request->client->in_flight_bytes -= request->data_bytes;
    request->data = NULL;
    request->data_bytes = 0;
}

void nbd_request_free(struct nbd_request *request)
{
    struct nbd_client *client = request->client;

    if (request->traced != NULL) {
        ct_request_end(request->traced, request->ret);
    }
    nbd_request_drop_data(request);
    request->next = client->free_requests;
    client->free_requests = request;
    client->in_flight--;
    nbd_client_unref(client);
}
