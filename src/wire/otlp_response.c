/* otlp_response.c - see otlp_response.h. */
#include "wire/otlp_response.h"

#include "base/json.h"
#include "base/scope.h"
#include "wire/protobuf.h"

#include <inttypes.h>

const char *otlp_content_type(enum otlp_encoding encoding)
{
        return encoding == OTLP_JSON ? "application/json" : "application/x-protobuf";
}

bool otlp_response(enum otlp_signal signal, enum otlp_encoding encoding, uint64_t rejected, struct str why, struct buf *out)
{
        if (!rejected)
                return encoding == OTLP_JSON ? buf_text(out, "{}") : true;
        if (encoding == OTLP_JSON) {
                buf_printf(out, "{\"partialSuccess\":{\"%s\":\"%" PRIu64 "\",\"errorMessage\":",
                           signal == OTLP_LOGS ? "rejectedLogRecords" : "rejectedDataPoints", rejected);
                json_quote(out, why);
                return buf_text(out, "}}");
        }
        scoped(buf_done) struct buf partial = {0};
        protobuf_put_scalar(&partial, 1, rejected);
        protobuf_put_bytes(&partial, 2, why);
        protobuf_put_bytes(out, 1, buf_str(&partial));
        return !partial.failed && !out->failed;
}

/* google.rpc.Code of an error, which senders look at beside the HTTP status. */
static unsigned rpc_code(enum err_code code)
{
        switch (code) {
        case ERR_UNAUTHENTICATED: return 16;
        case ERR_FORBIDDEN: return 7;
        case ERR_NOT_FOUND: return 5;
        case ERR_TOO_LARGE:
        case ERR_FULL: return 8;
        case ERR_UNSUPPORTED: return 12;
        case ERR_BUSY:
        case ERR_MEMORY:
        case ERR_IO: return 14;
        case ERR_TIMEOUT: return 4;
        case ERR_INTERNAL:
        case ERR_CORRUPT: return 13;
        default: return 3;
        }
}

bool otlp_error(const struct err *err, enum otlp_encoding encoding, struct buf *out)
{
        struct str message = str_of(err->message);
        if (encoding == OTLP_JSON) {
                buf_printf(out, "{\"code\":%u,\"message\":", rpc_code(err->code));
                json_quote(out, message);
                return buf_byte(out, '}');
        }
        protobuf_put_scalar(out, 1, rpc_code(err->code));
        protobuf_put_bytes(out, 2, message);
        return !out->failed;
}
