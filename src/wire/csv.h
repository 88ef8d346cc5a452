/*
 * csv - tables as text, read and written as RFC 4180 says.
 *
 *      csv_open -> { csv_next -> csv.fields } ... -> csv_done
 *
 *      scoped(csv_done) struct csv csv;
 *      bool has_row;
 *      if (!csv_open(&csv, bytes, &err)) ...
 *      while (csv_next(&csv, &has_row, &err) && has_row)
 *              use(csv.fields.items[column]);
 *
 * The first row is the header and every later one has as many fields. Lines end with LF or CRLF, the last one need not;
 * empty lines are passed over; a UTF-8 byte order mark is dropped. Quoted fields may hold commas, quotes (doubled) and
 * line ends. A quote within an unquoted field is taken as it is: many programs write it so. Bytes are not checked to be
 * UTF-8.
 *
 * The bytes stay the caller's and must outlive the reader: fields point into them, or, where quotes were doubled, into
 * memory of the reader that lasts until the next row.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_COLUMNS_MAX 65536

struct csv {
        struct csv_fields {
                struct str *items;
                size_t count, capacity;
        } header, fields;       /* the header's strings live as long as the reader */
        size_t line;            /* where the row read last begins, from 1: for messages */
        struct str rest;        /* unread */
        size_t lines;           /* line ends passed so far */
        struct arena lasting, row;
};

/* Reads the header. Fails where there is none, or a column is there twice (an empty name may be). On failure too csv_done
 * is due. */
bool csv_open(struct csv *csv, struct str bytes, struct err *err);
void csv_done(struct csv *csv);

/* Reads the next row into csv->fields, or says that there is none. Failures name the line. */
bool csv_next(struct csv *csv, bool *out_has_row, struct err *err);

/* The column of that name; fails with a message that names it. */
bool csv_column(const struct csv *csv, struct str name, size_t *out_column, struct err *err);

/* Writing: a field is quoted only where it must be; a row ends with LF. The buf remembers a failed append. */
void csv_write_field(struct buf *out, struct str field, bool is_first);
void csv_write_row(struct buf *out, const struct str *fields, size_t count);
