/* csv_fuzz - any bytes are a table or a clear error, and a table written again is the same table. */
#include "wire/csv.h"

#include "base/scope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Copies the table until its end or its first fault; the rows copied. */
static size_t copy(struct str input, struct buf *out)
{
        scoped(csv_done) struct csv csv;
        struct err err = {0};
        bool has_row;
        size_t rows = 0;
        if (!csv_open(&csv, input, &err)) {
                if (!err.message[0])
                        abort();
                return 0;
        }
        csv_write_row(out, csv.header.items, csv.header.count);
        for (;; rows++) {
                bool ok = csv_next(&csv, &has_row, &err);
                if (!ok && !err.message[0])
                        abort();
                if (!ok || !has_row)
                        return rows + 1;
                if (csv.fields.count != csv.header.count)
                        abort();
                csv_write_row(out, csv.fields.items, csv.fields.count);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        scoped(buf_done) struct buf first = {0}, second = {0};
        size_t rows = copy((struct str){(const char *)bytes, count}, &first);
        if (copy(buf_str(&first), &second) != rows || !str_equal(buf_str(&first), buf_str(&second)))
                abort();
        return 0;
}
