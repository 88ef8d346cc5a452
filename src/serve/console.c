/*
 * console.c - see console.h. Files are stored compressed once and sent so; every browser takes gzip, and who does not
 * gets them unpacked. Unknown paths get index.html, since the console routes by itself.
 */
#include "serve/console.h"

#include "base/scope.h"
#include "wire/compress.h"

#include <string.h>

#define FILE_BYTES_MAX ((size_t)32 << 20)

/* No inline script, nothing from elsewhere; styles inline are what charts set on their elements. */
#define POLICY                                                                                                         \
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "  \
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const struct console_file *file_at(struct str path)
{
        for (size_t i = 0; i < console_file_count; i++)
                if (str_is(path, console_files[i].path))
                        return &console_files[i];
        return NULL;
}

/* Something with a dot in its last part is a file that is missing, not a page. */
static bool is_page(struct str path)
{
        const char *slash = memrchr(path.bytes, '/', path.length);
        size_t after = slash ? (size_t)(slash - path.bytes) : 0;
        return !memchr(path.bytes + after, '.', path.length - after);
}

static void add_headers(struct request *request, const struct console_file *file)
{
        request_add_header(request, "Content-Security-Policy", POLICY);
        request_add_header(request, "X-Frame-Options", "DENY");
        request_add_header(request, "Referrer-Policy", "same-origin");
        request_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
        request_add_header(request, "ETag", file->etag);
        request_add_header(request, "Vary", "Accept-Encoding");
        request_add_header(request, "Cache-Control", file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
        if (request->is_tls)
                request_add_header(request, "Strict-Transport-Security", "max-age=31536000");
}

bool console_show(struct request *request, struct err *err)
{
        struct str path = str_is(request->raw_path, "/") ? STR("/index.html") : request->raw_path;
        const struct console_file *file = file_at(path);
        if (!file && is_page(path))
                file = file_at(STR("/index.html"));
        if (!file)
                return fail(err, ERR_NOT_FOUND, "serve", "there is nothing at %.*s", STR_ARGS(str_slice(path, 0, 200)));
        struct str packed = {(const char *)file->gzip, file->gzip_length};
        struct answer *answer = &request->answer;
        add_headers(request, file);
        answer->content_type = file->content_type;
        answer->status = 200;
        if (str_is(request_header(request, "If-None-Match"), file->etag)) {
                answer->status = 304;
                answer->content_type = NULL;
        } else if (header_lists(request_header(request, "Accept-Encoding"), "gzip")) {
                answer->fixed = packed;
                answer->is_compressed = true;
        } else {
                struct str plain;
                if (!decompress(STR("gzip"), packed, FILE_BYTES_MAX, &request->arena, &plain, err))
                        return false;
                buf_add(&answer->body, plain);
        }
        return true;
}
