/* topology.c - see topology.h. */
#include "engage/topology.h"

#include "base/hash.h"
#include "base/scope.h"

/* In the order of how narrow they are: the narrowest one named is what is in trouble. */
static const struct { struct str label, kind; bool drops_port; } names[] = {
        {STR_INIT("entity"), STR_INIT("entity"), false},
        {STR_INIT("pod"), STR_INIT("pod"), false},
        {STR_INIT("container"), STR_INIT("container"), false},
        {STR_INIT("unit"), STR_INIT("unit"), false},
        {STR_INIT("service_name"), STR_INIT("service"), false},
        {STR_INIT("service"), STR_INIT("service"), false},
        {STR_INIT("job"), STR_INIT("service"), false},
        {STR_INIT("host"), STR_INIT("host"), true},
        {STR_INIT("hostname"), STR_INIT("host"), true},
        {STR_INIT("node"), STR_INIT("host"), true},
        {STR_INIT("instance"), STR_INIT("host"), true},
        {STR_INIT("device"), STR_INIT("device"), false},
};

uint64_t topology_id(struct str kind, struct str name)
{
        return hash64_seeded(name, hash64(kind)) | (uint64_t)1 << 63;
}

/* "web1:9100" is web1; an IPv6 address keeps its colons. */
static struct str without_port(struct str name)
{
        struct str rest = name, head;
        if (!str_cut(&rest, ':', &head) || !rest.bytes || !head.length)
                return name;
        uint64_t port;
        return str_to_u64(rest, &port) ? head : name;
}

struct str topology_label(size_t i)
{
        return i < countof(names) ? names[i].label : (struct str){0};
}

size_t topology_of_labels(const struct labels *labels, struct topology_entity *out_entities, size_t max)
{
        size_t count = 0;
        for (size_t i = 0; i < countof(names) && count < max; i++) {
                struct str name = labels_value(labels, names[i].label);
                if (!name.length)
                        continue;
                if (names[i].drops_port)
                        name = without_port(name);
                uint64_t id = topology_id(names[i].kind, name);
                bool is_there = false;
                for (size_t k = 0; k < count; k++)
                        is_there |= out_entities[k].id == id || str_equal(out_entities[k].kind, names[i].kind);
                if (!is_there)
                        out_entities[count++] = (struct topology_entity){id, names[i].kind, name};
        }
        return count;
}
