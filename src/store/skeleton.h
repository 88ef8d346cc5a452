/*
 * skeleton - a log line cut in what lines of its kind have in common and what varies.
 *
 *      sshd[2391]: session 7fd3a1 closed   ->   "sshd[\1]: session \2 closed"  and  2391, 0x7fd3a1
 *
 * Variables are times of day (23:59:59), dates (2026-11-22), other digit runs, and hexadecimal tokens: alphanumeric runs
 * of only hexadecimal digits of one case that hold both a digit and a letter, or follow 0x, or are a part of a UUID. A value with its width gives its text back exactly.
 * A line is first cut in a head (time, host, program) and a tail (the message), because m heads and n tails are far
 * fewer than their m * n pairs. The cut always follows a space.
 *
 * Pure functions. Lines must be readable SKELETON_SLACK bytes past their end (whatever stands there).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKELETON_SLACK 64
#define SKELETON_LINE_MAX 8192 /* longer lines are kept as they are */

/* What stands for a variable. A line that holds one of these bytes itself has no skeleton. */
enum skeleton_mark {
        SKELETON_NUMBER = 1,
        SKELETON_HEX_LOWER = 2,
        SKELETON_HEX_UPPER = 3,
        SKELETON_CLOCK = 4,     /* hh:mm:ss as seconds */
        SKELETON_DATE = 5,      /* yyyy-mm-dd as the number yyyymmdd */
        SKELETON_MARKS
};

#define SKELETON_CLOCK_WIDTH 8
#define SKELETON_DATE_WIDTH 10

static inline bool skeleton_is_mark(char c)
{
        return (unsigned char)(c - 1) < SKELETON_MARKS - 1;
}

#define SKELETON_PADDED 0x80

/* Where the digits of a line are, a bit a byte, and where it is cut. */
struct skeleton_scan {
        uint64_t digits[SKELETON_LINE_MAX / 64 + 1];
        size_t cut;             /* length of the head; 0: no head */
};

/* False: the line has no skeleton (too long, or it holds a mark). */
bool skeleton_scan(struct str line, struct skeleton_scan *out_scan);
/* The same without SIMD; must be equal to the bit. */
bool skeleton_scan_scalar(struct str line, struct skeleton_scan *out_scan);

/* Room that skeleton_cut writes to: text for length + SKELETON_SLACK bytes, values and widths for length variables. */
struct skeleton {
        char *text;
        size_t length;
        uint64_t *values;
        uint8_t *widths;        /* digits each was written with; SKELETON_PADDED when they begin with a needless zero */
        size_t count;
};

/* Cuts line[from, to) up; the variables are appended at values[0...]. */
void skeleton_cut(struct str line, const struct skeleton_scan *scan, size_t from, size_t to, struct skeleton *out);

/* Where the variables of a skeleton stand in its text: lines equal but for their digits share it, and need not be cut. */
#define SKELETON_LAYOUT_MAX 16
#define SKELETON_LAYOUT_BYTES 192

struct skeleton_layout {
        uint8_t count;
        struct {
                uint8_t at, width, mark;
        } variables[SKELETON_LAYOUT_MAX];
};

/* The text with every digit as '0'; writes up to SKELETON_SLACK bytes more. */
void skeleton_mask(struct str text, char *out);
/* False: too many variables, or some of them not told by where the digits are. */
bool skeleton_layout(const struct skeleton *skeleton, struct skeleton_layout *out_layout);
/* Reads the variables of a text with this layout. False: its digits make other variables, cut it. */
bool skeleton_read(const struct skeleton_layout *layout, const char *text, uint64_t *out_values, uint8_t *out_widths);

/* Is this a width that a variable of the mark can have? Numbers 1 to 19, hexadecimal 1 to 16, the others their own. */
bool skeleton_width_fits(enum skeleton_mark mark, uint64_t width);
/* Writes a value with a width that fits; returns the end. */
char *skeleton_write(char *to, enum skeleton_mark mark, uint64_t value, unsigned width);
/* The width that the value has without leading zeros; at least 1. */
unsigned skeleton_width(enum skeleton_mark mark, uint64_t value);

/* The parts of a needle that cannot stand in variables and that no cut can part: wherever the needle stands in a line,
 * each of them stands in the line's head's or tail's skeleton. Calls visit for each. */
void skeleton_fragments(struct str needle, void (*visit)(void *context, struct str fragment), void *context);
