/* incident.c - see incident.h. */
#include "model/incident.h"

#include "base/scope.h"

const char *incident_state_name(enum incident_state state)
{
        static const char *const names[] = {"unknown", "open", "acknowledged", "acting", "resolved", "closed", "merged"};
        return (size_t)state < countof(names) ? names[state] : names[0];
}
