/* SPDX-License-Identifier: MIT */
/*
 * account/servers.h - which request a coroutine serves
 *
 * Model:    the outermost one: its nested ones come and go while the coroutine
 *           holds a lock, and share its state.
 * Threads:  one pass, one thread.
 * Memory:   requests are borrowed, until they are removed.
 * Errors:   none.
 * Depends:  account/blamed.h.
 */
#ifndef CT_ACCOUNT_SERVERS_H
#define CT_ACCOUNT_SERVERS_H

#include "account/blamed.h"

struct ct_servers;

struct ct_servers *ct_servers_new(void);
void ct_servers_free(struct ct_servers *servers);

/** ct_servers_find() - NULL: it serves none */
struct ct_blamed *ct_servers_find(const struct ct_servers *servers, int32_t pid,
                                  uint64_t coroutine);

/** ct_servers_add() - unless it serves another one already */
void ct_servers_add(struct ct_servers *servers, struct ct_blamed *request,
                    uint64_t coroutine);

/** ct_servers_remove() - if it is that one that it serves */
void ct_servers_remove(struct ct_servers *servers,
                       const struct ct_blamed *request, uint64_t coroutine);

#endif
