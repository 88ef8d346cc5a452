/* config_fuzz - any configuration file and any listen.json are taken whole or refused with a sentence. The first byte chooses. */
#include "config.c"
#include "listen.c"

#include "certificate.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void read_config(struct str text)
{
        struct err err = {0};
        struct config config = {.tree = yaml_parse(text, "fuzz", &err)};
        static struct faults faults;
        faults.count = faults.more = 0;
        if (config.tree && json_is_object(config.tree)) {
                check_tree(config.tree, "", &faults);
                for (size_t i = 0; i < countof(rows); i++)
                        if (rows[i].type == COUNT || rows[i].type == BYTES)
                                config_count(&config, rows[i].path);
                        else if (rows[i].type == DURATION)
                                config_duration_ns(&config, rows[i].path);
        } else if (!err.message[0] && (!config.tree || json_is_object(config.tree))) {
                abort();
        }
        config_done(&config);
}

static void read_listen(struct str text)
{
        struct err err = {0};
        struct config config = {.tree = json_object()};
        scoped_ptr(json_decref) json_t *list = json_parse(text, &err);
        size_t i;
        json_t *one;
        json_array_foreach(list, i, one)
                if (!merge_one(&config, one, &err))
                        break;
        if (!list && !err.message[0])
                abort();
        config_done(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        if (!count)
                return 0;
        struct str text = {(const char *)bytes + 1, count - 1};
        if (bytes[0] == 'l')
                read_listen(text);
        else
                read_config(text);
        return 0;
}
