/* privileges - a daemon started as root becomes its own user before it opens anything. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Does nothing when not root. The data folder is made and given to the user first, and the groups that may read logs and the
 * systemd journal (adm, systemd-journal) are kept. When there is no such user: an error if it must_exist, else stays root
 * and says so in the log. */
bool privileges_drop(const char *user, bool must_exist, const char *data, struct err *err);
