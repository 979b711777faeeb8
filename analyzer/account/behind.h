/* SPDX-License-Identifier: MIT */
/*
 * account/behind.h - what is behind a wait: what the other request was doing
 *
 * Model:    its own segments; while it waited for a lock or for children, what
 *           those were doing, and so on.  So it must be asked while the request
 *           is open.  What stood behind a wait that has closed it keeps itself
 *           (`behind`, and its path): whom that was about may be gone.
 * Threads:  one pass, one thread.
 * Memory:   a list is its owner's, who frees `v`.
 * Errors:   none; what is not known is a piece that says so.
 * Depends:  account/servers.h.
 */
#ifndef CT_ACCOUNT_BEHIND_H
#define CT_ACCOUNT_BEHIND_H

#include "account/servers.h"

/**
 * ct_behind_find() - cut @from_ns .. @to_ns into what @request was doing
 * @ret_list: emptied first; the last piece comes first, without holes.  At most
 *            so many are looked at; before them it is not known.
 */
void ct_behind_find(const struct ct_servers *servers,
                    const struct ct_blamed *request, int64_t from_ns,
                    int64_t to_ns, struct ct_stretches *ret_list);

/** ct_stretches_append() - a copy of @piece behind the others */
void ct_stretches_append(struct ct_stretches *list,
                         const struct ct_stretch *piece);

#endif
