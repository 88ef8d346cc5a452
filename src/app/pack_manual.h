/* pack_manual - what ships in packs/, for people: docs/reference/packs.md, and any one file as it is. Called by main alone, before anything runs. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* docs/reference/packs.md. */
bool pack_manual(struct buf *out, struct err *err);
/* The file of that path ("packs/linux/host.yaml"), as it stands; an unknown one is refused with the names that there are. */
bool pack_print(const char *path, struct buf *out, struct err *err);
