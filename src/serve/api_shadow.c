/* api_shadow.c - what Evenkeel would have told beside what other tools told, a report a day. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/shadow_table.h"
#include "serve/server.h"

#define DAYS_MAX 31
#define DAY_NS (86400 * NS_PER_S)

bool shadow_show(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        int64_t days, now_ns = clock_now_ns(server->context.clock), today_ns = now_ns - now_ns % DAY_NS;
        scoped_ptr(json_decref) json_t *list = json_array();
        if (!request_number(request, "days", 7, 1, DAYS_MAX, &days, err))
                return false;
        for (int64_t day = 0; day < days; day++) { /* the lock is let go between days: each may take a while */
                with_lock(&server->reader_lock);
                json_t *report = shadow_read(server->reader, today_ns - day * DAY_NS, today_ns - (day - 1) * DAY_NS, err);
                if (!report)
                        return false;
                if (!list || json_array_append_new(list, report) != 0)
                        return fail_memory(err, "serve", sizeof report);
        }
        scoped_ptr(json_decref) json_t *body = json_pack("{s:O}", "days", list);
        return body ? request_answer_json(request, 200, body, err) : fail_memory(err, "serve", sizeof(void *));
}
