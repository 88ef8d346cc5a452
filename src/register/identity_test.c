/* identity_test - which hosts, services and filesystems labels name, and which they do not. */
#include "register/identity.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

static struct kinds *kinds;

static int load(void **unused)
{
        (void)unused;
        struct err err;
        return kinds_parse(kinds_built_in, kinds_built_in_count, &kinds, &err) ? 0 : (puts(err.message), -1);
}

static int unload(void **unused)
{
        (void)unused;
        kinds_unref(kinds);
        return 0;
}

/* "key=value key=value" of what labels "name=value;name=value" name. */
static void assert_names(const char *kind, const char *labels_text, const char *wanted)
{
        struct arena arena;
        struct labels labels = {0};
        struct str rest = str_of(labels_text), pair, name;
        struct identity identity;
        struct err err;
        char told[400] = "";
        arena_init(&arena, 0);
        while (str_cut(&rest, ';', &pair)) {
                str_cut(&pair, '=', &name);
                *arena_push(&arena, &labels) = (struct label){name, pair};
        }
        assert_true(labels_canonical(&labels, &err));
        assert_true(identity_of(kinds_find(kinds, str_of(kind)), &labels, &arena, &identity));
        for (size_t i = 0; i < identity.count; i++)
                snprintf(told + strlen(told), sizeof told - strlen(told), "%s%.*s=%.*s", i ? " " : "", STR_ARGS(identity.keys[i].key),
                         STR_ARGS(identity.keys[i].value));
        arena_done(&arena);
        if (strcmp(told, wanted) != 0)
                print_error("%s of {%s}: wanted \"%s\", got \"%s\"\n", kind, labels_text, wanted, told), assert_true(false);
}

static void a_host_is_known_by_its_names_and_never_by_a_port_or_a_hash(void **unused)
{
        (void)unused;
        assert_names("host", "host=web1", "name=web1");
        assert_names("host", "host=Web1.Example.org.", "fqdn=web1.example.org name=web1");
        assert_names("host", "host.name=web1;host.id=abc", "id=abc name=web1");
        assert_names("host", "instance=web1:9100", "name=web1");
        assert_names("host", "instance=web1;job=host", "name=web1");
        assert_names("host", "instance=web1;job=api", "");
        assert_names("host", "instance=10.0.0.3:41234", "address=10.0.0.3");
        assert_names("host", "instance=[2001:db8::1]:9100", "address=2001:db8::1");
        assert_names("host", "__name__=node_uname_info;instance=10.0.0.3:9100;nodename=db7", "name=db7 address=10.0.0.3");
        assert_names("host", "instance=localhost:9090", "");
        assert_names("host", "instance=127.0.0.1:9090", "");
        assert_names("host", "host=b7e23ec29af2", "");
        assert_names("host", "instance=627cc493-f310-47de-96bd-71410b7dec09", "");
        assert_names("host", "host=10.1.2.3", "address=10.1.2.3");
        assert_names("host", "service=nginx", "");
}

static void a_service_is_called_as_its_unit_or_program(void **unused)
{
        (void)unused;
        assert_names("service", "host=web1;service=nginx", "name=nginx");
        assert_names("service", "host=web1;service=sshd;unit=ssh.service", "unit=ssh name=sshd");
        assert_names("service", "service=/usr/sbin/cupsd[212]", "name=cupsd");
        assert_names("service", "unit=session-3.scope;service=sudo", "");
        assert_names("service", "unit=user@1000.service", "");
        assert_names("service", "service=kernel", "");
        assert_names("service", "service=python3;unit=shop.service", "unit=shop");
        assert_names("service", "service=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "");
        assert_names("service", "job=node", "name=node");
        assert_names("service", "__name__=target_info;job=shop/checkout", "name=shop/checkout");
        assert_names("service", "__name__=node_systemd_unit_state;name=nginx.service", "unit=nginx");
        assert_names("service", "service=payments:8080", "name=payments");
}

static void a_filesystem_is_a_mount_point_that_can_fill_up(void **unused)
{
        (void)unused;
        assert_names("filesystem", "mountpoint=/srv;fstype=ext4;instance=web1:9100", "mountpoint=/srv");
        assert_names("filesystem", "mountpoint=/run;fstype=tmpfs", "");
        assert_names("filesystem", "mountpoint=none", "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_host_is_known_by_its_names_and_never_by_a_port_or_a_hash),
                cmocka_unit_test(a_service_is_called_as_its_unit_or_program),
                cmocka_unit_test(a_filesystem_is_a_mount_point_that_can_fill_up),
        };
        return cmocka_run_group_tests(tests, load, unload);
}
