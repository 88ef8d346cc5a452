/*
 * file_watch - watched configuration files: what changed in one becomes a change event, which may explain what follows.
 *
 *      watch:
 *        - {file: "/etc/nginx/nginx.conf", service: nginx}
 *
 *      file_watch_create -> file_watch_look (again and again; file_watch_wait in between) -> file_watch_destroy
 *
 * A file counts as changed when its contents' hash is another one; the first look only remembers. The event's title says how many lines came and
 * went and shows the first of them; secrets in it are masked like in any batch. `by` is the file's owner: who wrote it, no file system remembers. Changes
 * made while Evenkeel did not run are not told.
 *
 * Bounded: FILES_WATCHED_MAX files, of which the first FILE_WATCH_BYTES_MAX bytes each count; what is beyond is told on the sources page. One thread.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define FILES_WATCHED_MAX 1000
#define FILE_WATCH_BYTES_MAX ((size_t)256 << 10)

struct check_plan;
struct file_watch;
struct intake;

bool file_watch_create(struct intake *intake, struct file_watch **out_watch, struct err *err);
void file_watch_destroy(struct file_watch *watch); /* NULL is fine */
bool file_watch_look(struct file_watch *watch, const struct check_plan *plan, struct err *err);
void file_watch_wait(struct file_watch *watch, int64_t wait_ms); /* returns early when a watched folder changed */
