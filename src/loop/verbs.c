/* verbs.c - see verbs.h. */
#include "loop/verbs.h"

#include "base/scope.h"
#include "register/account.h"

static const struct {
        bool (*handles)(const char *verb);
        apply_fn *apply;
} rooms[] = {
        {account_handles, account_apply},
};

apply_fn *verb_find(const char *verb)
{
        for (size_t i = 0; i < countof(rooms); i++)
                if (rooms[i].handles(verb))
                        return rooms[i].apply;
        return NULL;
}
