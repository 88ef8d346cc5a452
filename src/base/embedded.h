/* embedded - text files of the source tree that are built into the program (packs, kinds, mappings), by scripts/embed_text.py. */
#pragma once

#include "base/str.h"

#include <stddef.h>

struct embedded_file {
        struct str name; /* its path in the source tree: "packs/linux/host.yaml" */
        struct str text;
};
