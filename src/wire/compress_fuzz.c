/* compress_fuzz - any body in any encoding is plain within its bound, or a clear error. */
#include "wire/compress.h"

#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        static const char *const encodings[] = {"gzip", "deflate", "zstd", "identity"};
        for (size_t i = 0; i < countof(encodings); i++) {
                struct err err = {0};
                struct str plain = {0};
                scoped(arena_done) struct arena arena;
                arena_init(&arena, 0);
                bool good = decompress(str_of(encodings[i]), (struct str){(const char *)bytes, count}, 1 << 16, &arena, &plain, &err);
                if (good ? plain.length > 1 << 16 : !err.message[0])
                        abort();
        }
        return 0;
}
