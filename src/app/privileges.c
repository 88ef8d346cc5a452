/* privileges.c - see privileges.h. */
#include "app/privileges.h"

#include "base/log.h"
#include "base/scope.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool take_groups(const struct passwd *entry, struct err *err)
{
        static const char *const names[] = {"adm", "systemd-journal"};
        gid_t groups[1 + countof(names)] = {entry->pw_gid};
        size_t count = 1;
        for (size_t i = 0; i < countof(names); i++) {
                const struct group *group = getgrnam(names[i]);
                if (group)
                        groups[count++] = group->gr_gid;
        }
        return setgroups(count, groups) == 0 || fail_errno(err, errno, "privileges", "taking the groups of %s", entry->pw_name);
}

bool privileges_drop(const char *user, bool must_exist, const char *data, struct err *err)
{
        if (geteuid() != 0 || strcmp(user, "root") == 0)
                return true;
        const struct passwd *entry = getpwnam(user);
        if (!entry && must_exist)
                return fail(err, ERR_NOT_FOUND, "privileges", "there is no user %s; make it with: useradd --system %s", user, user);
        if (!entry) {
                log_warning("privileges", "running as root, since there is no user %s; make it with: useradd --system %s", user, user);
                return true;
        }
        if (mkdir(data, 0700) == 0 && chown(data, entry->pw_uid, entry->pw_gid) != 0)
                return fail_errno(err, errno, "privileges", "giving %s to %s", data, user);
        if (!take_groups(entry, err))
                return false;
        if (setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 || setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0)
                return fail_errno(err, errno, "privileges", "becoming %s", user);
        return true;
}
