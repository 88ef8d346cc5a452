/* yaml_fuzz - any bytes make a tree or a clear error. */
#include "base/yaml.h"

#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *tree = yaml_parse((struct str){(const char *)bytes, count}, "fuzz", &err);
        if (!tree && err.message[0] == 0)
                abort();
        return 0;
}
