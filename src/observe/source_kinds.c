/* source_kinds.c - see source_kinds.h. */
#include "observe/source_kinds.h"

#include "base/scope.h"
#include "observe/file_source.h"
#include "observe/host_source.h"
#include "observe/scrape_source.h"
#include "observe/journald_source.h"
#include "observe/syslog_source.h"
#include "wire/alertmanager.h"
#include "wire/check_result.h"
#include "wire/exposition.h"
#include "wire/journald.h"
#include "wire/lines.h"
#include "wire/otlp.h"
#include "wire/otlp_json.h"
#include "wire/remote_write.h"
#include "wire/syslog.h"
#include "wire/webhook.h"

#include <string.h>

const struct source_kind source_kinds[] = {
#define S(number, name, path, mask, decode, start, stop, check) {number, name, path, mask, decode, start, stop, check},
#include "observe/sources.def"
#undef S
};
const size_t source_kind_count = countof(source_kinds);

const struct source_kind *source_kind_of(uint16_t number)
{
        for (size_t i = 0; i < source_kind_count; i++)
                if (source_kinds[i].number == number)
                        return &source_kinds[i];
        return NULL;
}

const struct source_kind *source_kind_named(const char *name)
{
        for (size_t i = 0; i < source_kind_count; i++)
                if (strcmp(source_kinds[i].name, name) == 0)
                        return &source_kinds[i];
        return NULL;
}
