/* embedded - text files of the source tree that are built into the program (packs, kinds), by scripts/embed_text.py. */
#pragma once

#include <stddef.h>

struct embedded_file {
        const char *path; /* in the source tree: "packs/linux/filesystem.yaml" */
        const char *text;
        size_t length;
};
