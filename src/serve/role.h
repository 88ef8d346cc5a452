/* role - as whom the register sees somebody who asks: what a kind's permissions are given to. */
#pragma once

#include "register/kind.h"
#include "serve/server.h"

static inline enum role request_role(const struct request *request)
{
        unsigned scopes = asker_of(request)->scopes;
        return scopes & SCOPE_ADMIN ? ROLE_ADMIN : scopes & SCOPE_WRITE ? ROLE_OPERATOR : ROLE_VIEWER;
}
