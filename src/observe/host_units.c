/*
 * host_units.c - failed systemd units, asked of the manager over the system bus.
 *
 * On a machine without systemd or without a bus there is nothing to tell: that is no failure. The bus is tried again
 * once a minute. Only failed units are listed, and a count of all, so that a fleet does not pay for a series per unit.
 */
#include "observe/host_collect.h"

#include "base/clock.h"
#include "base/scope.h"

#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <stdio.h>
#include <stdlib.h>

#define BUS_WAIT_US ((uint64_t)2000000)
#define UNITS_TOLD_MAX 200

static sd_bus *open_bus(struct host *host)
{
        int64_t now_ns = clock_monotonic_ns(&clock_real);
        struct stat manager;
        if (host->bus)
                return host->bus;
        if (host->root[0] || now_ns < host->bus_try_after_ns || stat("/run/systemd/system", &manager) < 0)
                return NULL;
        host->bus_try_after_ns = now_ns + 60 * NS_PER_S;
        sd_bus *bus = NULL;
        if (sd_bus_open_system(&bus) < 0)
                return NULL;
        sd_bus_set_method_call_timeout(bus, BUS_WAIT_US);
        return host->bus = bus;
}

void host_units_done(struct host *host)
{
        sd_bus_flush_close_unref(host->bus);
        host->bus = NULL;
}

static bool read_units(sd_bus_message *reply, struct buf *out)
{
        size_t failed = 0;
        if (sd_bus_message_enter_container(reply, 'a', "(ssssssouso)") < 0)
                return false;
        host_type(out, "node_systemd_unit_state", "gauge");
        const char *name, *state;
        int got;
        while ((got = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, &state, NULL, NULL, NULL, NULL, NULL,
                                          NULL)) > 0)
                if (failed++ < UNITS_TOLD_MAX)
                        host_sample(out, "node_systemd_unit_state", 1, "name", name, "state", state, NULL);
        host_type(out, "node_systemd_units", "gauge");
        host_sample(out, "node_systemd_units", (double)failed, "state", "failed", NULL);
        return got == 0;
}

bool host_collect_units(struct host *host, struct buf *out)
{
        sd_bus *bus = open_bus(host);
        if (!bus)
                return true;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int got = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                     "org.freedesktop.systemd1.Manager", "ListUnitsFiltered", &error, &reply, "as", 1,
                                     "failed");
        bool read = got >= 0 && read_units(reply, out);
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        if (got < 0)
                host_units_done(host);
        return read;
}

/* --- which unit needs which --------------------------------------------------------------------------------------------------- */

#define DEPENDENCIES_EVERY_NS (600 * NS_PER_S)
#define DEPENDENT_UNITS_MAX 300

static bool is_service(const char *unit)
{
        struct str name = str_of(unit);
        return name.length > 8 && str_equal(str_slice(name, name.length - 8, name.length), STR(".service"));
}

/* After is an order, not a need: it is told as what it is, and the kinds decide what it means. */
static void write_needs(sd_bus *bus, const char *unit, const char *path, struct buf *out)
{
        static const struct { const char *property, *how; } properties[] = {
                {"Requires", "requires"}, {"BindsTo", "requires"}, {"Wants", "wants"}, {"After", "after"}};
        for (size_t i = 0; i < countof(properties); i++) {
                char **names = NULL;
                sd_bus_error error = SD_BUS_ERROR_NULL;
                if (sd_bus_get_property_strv(bus, "org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit", properties[i].property, &error,
                                             &names) >= 0)
                        for (char **name = names; name && *name; name++) {
                                if (is_service(*name))
                                        host_sample(out, "evenkeel_unit_dependency", 1, "unit", unit, "needs", *name, "how", properties[i].how, NULL);
                                free(*name);
                        }
                free(names);
                sd_bus_error_free(&error);
        }
}

static bool read_dependencies(sd_bus *bus, sd_bus_message *reply, struct buf *out)
{
        const char *name, *path;
        int got, count = 0;
        if (sd_bus_message_enter_container(reply, 'a', "(ssssssouso)") < 0)
                return false;
        host_type(out, "evenkeel_unit_dependency", "gauge");
        while ((got = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, &path, NULL, NULL, NULL)) > 0)
                if (is_service(name) && count++ < DEPENDENT_UNITS_MAX)
                        write_needs(bus, name, path, out);
        return got == 0;
}

bool host_collect_dependencies(struct host *host, struct buf *out)
{
        int64_t now_ns = clock_monotonic_ns(&clock_real);
        if (now_ns < host->units_after_ns)
                return true;
        host->units_after_ns = now_ns + DEPENDENCIES_EVERY_NS;
        sd_bus *bus = open_bus(host);
        if (!bus)
                return true;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int got = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                     "ListUnitsFiltered", &error, &reply, "as", 1, "active");
        bool read = got >= 0 && read_dependencies(bus, reply, out);
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        if (got < 0)
                host_units_done(host);
        return read;
}
