/* SPDX-License-Identifier: MIT */
/*
 * servers.c - a table of coroutines, each with its request
 */
#include "account/servers.h"

#include <glib.h>

#include "ct/key.h"

struct server { /* pid and coroutine -> the request */
    int32_t pid;
    uint64_t coroutine;
    struct ct_blamed *request;
};

struct ct_servers {
    GHashTable *table; /* struct server (owned), itself */
};

static guint hash_server(const void *data)
{
    const struct server *server = data;

    return ct_key_hash(server->pid, server->coroutine);
}

static gboolean is_same_server(const void *a, const void *b)
{
    const struct server *one = a;
    const struct server *other = b;

    return one->coroutine == other->coroutine && one->pid == other->pid;
}

struct ct_servers *ct_servers_new(void)
{
    struct ct_servers *servers = g_new(struct ct_servers, 1);

    servers->table =
        g_hash_table_new_full(hash_server, is_same_server, g_free, NULL);
    return servers;
}

void ct_servers_free(struct ct_servers *servers)
{
    g_hash_table_unref(servers->table);
    g_free(servers);
}

struct ct_blamed *ct_servers_find(const struct ct_servers *servers, int32_t pid,
                                  uint64_t coroutine)
{
    struct server key = {.pid = pid, .coroutine = coroutine};
    struct server *server =
        coroutine ? g_hash_table_lookup(servers->table, &key) : NULL;

    return server ? server->request : NULL;
}

void ct_servers_add(struct ct_servers *servers, struct ct_blamed *request,
                    uint64_t coroutine)
{
    struct server *server;

    if (!ct_servers_find(servers, request->pid, coroutine)) {
        server = g_new(struct server, 1);
        *server = (struct server){request->pid, coroutine, request};
        g_hash_table_replace(servers->table, server, server);
    }
}

void ct_servers_remove(struct ct_servers *servers,
                       const struct ct_blamed *request, uint64_t coroutine)
{
    if (ct_servers_find(servers, request->pid, coroutine) == request) {
        g_hash_table_remove(servers->table,
                            &(struct server){request->pid, coroutine, NULL});
    }
}
