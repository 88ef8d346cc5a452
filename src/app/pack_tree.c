/* pack_tree.c - see pack_tree.h. */
#include "app/pack_tree.h"

#include "base/embedded.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"

extern const struct embedded_file pack_files[];
extern const size_t pack_files_count;

struct refusals {
        const json_t *names;
        json_t *met;            /* an object: the names that something has */
};

/* "packs/linux/host.yaml" is of the pack linux. */
static struct str pack_of(const struct embedded_file *file)
{
        struct str path = file->name, head;
        str_cut(&path, '/', &head);
        str_cut(&path, '/', &head);
        return head;
}

/* Whether the pack, or with `item` that of it, stands among the names; notes which. */
static bool is_refused(struct refusals *refusals, struct str pack, struct str item)
{
        bool is_met = false;
        for (size_t i = 0; i < json_array_size(refusals->names); i++) {
                const char *name = json_string_value(json_array_get(refusals->names, i));
                struct str rest = str_of(name), head;
                if (!str_cut(&rest, '/', &head) || !str_equal(head, pack) || (rest.bytes != NULL) != (item.length > 0) || !str_equal(rest, item))
                        continue;
                is_met = true;
                json_object_set_new(refusals->met, name, json_true());
        }
        return is_met;
}

/* Items are known by the key that names them: a rule or limit by its alert, a runbook by its name. */
static void drop_items(struct refusals *refusals, struct str pack, json_t *list, const char *key)
{
        for (size_t i = json_array_size(list); i-- > 0;) {
                struct str name = json_str(json_array_get(list, i), key);
                if (name.length && is_refused(refusals, pack, name))
                        json_array_remove(list, i);
        }
}

static void drop_refused(struct refusals *refusals, struct str pack, json_t *tree)
{
        size_t i;
        json_t *group;
        json_array_foreach (json_object_get(tree, "groups"), i, group)
                drop_items(refusals, pack, json_object_get(group, "rules"), "alert");
        drop_items(refusals, pack, json_object_get(tree, "watch"), "alert");
        drop_items(refusals, pack, json_object_get(tree, "runbooks"), "name");
}

static bool tell_files(struct refusals *refusals, pack_tree_fn *tell, void *into, struct err *err)
{
        for (size_t i = 0; i < pack_files_count; i++) {
                const struct embedded_file *file = &pack_files[i];
                scoped_ptr(json_decref) json_t *tree = NULL;
                if (is_refused(refusals, pack_of(file), (struct str){0}))
                        continue;
                tree = yaml_parse(file->text, file->name.bytes, err);
                if (!tree)
                        return false;
                drop_refused(refusals, pack_of(file), tree);
                if (!tell(into, file->name.bytes, tree, err))
                        return false;
        }
        return true;
}

bool pack_trees_each(const json_t *disabled, pack_tree_fn *tell, void *into, struct err *err)
{
        scoped_ptr(json_decref) json_t *met = json_object();
        struct refusals refusals = {disabled, met};
        if (!met)
                return fail_memory(err, "packs", sizeof met);
        if (!tell_files(&refusals, tell, into, err))
                return false;
        for (size_t i = 0; i < json_array_size(disabled); i++) {
                const char *name = json_string_value(json_array_get(disabled, i));
                if (!name || !json_object_get(met, name))
                        return fail(err, ERR_NOT_FOUND, "packs", "packs.disable: there is no pack, and no rule, limit or runbook of a pack that is on, \"%s\"; write PACK"
                                    " or PACK/NAME, as docs/reference/packs.md lists them", name ? name : "(no text)");
        }
        return true;
}
