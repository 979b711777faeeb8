/* SPDX-License-Identifier: MIT */
/*
 * own.c - requests that a program begins and ends itself
 *
 * The block layer's requests live in frames of its own; a program's outlive
 * whatever it calls, so they are objects.
 */
#include <string.h>

#include <glib.h>

#include "ct/pre.h"
#include "ct/traced.h"
#include "request/tracked.h"

struct CtRequest {
    struct tracked_request req;
    bool is_served; /* serving coroutine only, once there is one */
    char object[];  /* immutable; its name, for `req` */
};

CtRequest *ct_request_begin(const char *layer, const char *op,
                            const char *object, uint64_t offset, uint64_t bytes)
{
    size_t bytes_of_object = strlen(object != NULL ? object : "") + 1;
    CtRequest *request = g_malloc(sizeof(*request) + bytes_of_object);

    memcpy(request->object, object != NULL ? object : "", bytes_of_object);
    request->is_served = in_coroutine();
    if (request->is_served) {
        tracked_request_begin_served(&request->req, layer, op, request->object,
                                     (int64_t)offset, (int64_t)bytes, 0);
    } else {
        tracked_request_begin(&request->req, layer, op, request->object,
                              (int64_t)offset, (int64_t)bytes, 0);
    }
    return request;
}

void ct_request_serve(CtRequest *request)
{
    ct_pre("ct-request-serve/in-coroutine", in_coroutine());
    ct_pre("ct-request-serve/served", !request->is_served);
    tracked_request_give(&request->req, coroutine_self());
    tracked_request_serve(&request->req);
    request->is_served = true;
}

void ct_request_leave(CtRequest *request)
{
    ct_pre("ct-request-leave/served-here",
           request->is_served && tracked_request_current() == request->req.id);
    tracked_request_leave(&request->req);
    request->is_served = false;
}

void ct_request_end(CtRequest *request, int ret)
{
    if (request->is_served) {
        ct_pre("ct-request-end/served-elsewhere",
               tracked_request_current() == request->req.id);
        tracked_request_leave(&request->req);
    }
    tracked_request_end(&request->req, ret);
    g_free(request);
}

uint64_t ct_request_id(const CtRequest *request)
{
    return request->req.id;
}
