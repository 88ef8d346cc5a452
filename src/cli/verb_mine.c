/* verb_mine.c - the template miner over a file of messages, one a line, without a daemon: for trying it and measuring it. */
#include "base/buf.h"
#include "base/scope.h"
#include "cli/verb.h"
#include "learn/miner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFINE_STEPS 8  /* after each line, as the daemon does between batches */

struct assignment {
        uint32_t *numbers;
        size_t count, capacity;
};

static void free_bytes(char **bytes)
{
        free(*bytes);
}

static void close_input(FILE **file)
{
        if (*file && *file != stdin)
                fclose(*file);
}

SCOPED_PTR(miner_destroy, struct miner)

static bool print_one(const struct miner *miner, uint32_t number, struct err *err)
{
        struct miner_template shown;
        scoped(buf_done) struct buf text = {0};
        if (!miner_template(miner, number, &shown) || !miner_text(miner, number, &text))
                return fail_memory(err, "mine", text.length);
        printf("%016" PRIx64 "\t%.*s\n", shown.id, STR_ARGS(buf_str(&text)));
        return true;
}

static bool keep(struct assignment *assignment, uint32_t number, struct err *err)
{
        if (assignment->count == assignment->capacity) {
                size_t capacity = assignment->capacity ? assignment->capacity * 2 : 4096;
                uint32_t *numbers = realloc(assignment->numbers, capacity * sizeof *numbers);
                if (!numbers)
                        return fail_memory(err, "mine", capacity * sizeof *numbers);
                assignment->numbers = numbers;
                assignment->capacity = capacity;
        }
        assignment->numbers[assignment->count++] = number;
        return true;
}

static void assignment_done(struct assignment *assignment)
{
        free(assignment->numbers);
}

static bool mine_lines(FILE *file, struct miner *miner, bool online, struct assignment *assignment, struct err *err)
{
        scoped(free_bytes) char *line = NULL;
        size_t capacity = 0;
        ssize_t length;
        while ((length = getline(&line, &capacity, file)) >= 0) {
                struct miner_match match;
                struct str message = {line, (size_t)length - (length && line[length - 1] == '\n')};
                if (!miner_learn(miner, message, 0, &match, err))
                        return false;
                if (online ? !print_one(miner, match.number, err) : !keep(assignment, match.number, err))
                        return false;
                miner_refine(miner, REFINE_STEPS);
        }
        return ferror(file) ? fail_errno(err, errno, "mine", "reading the messages") : true;
}

bool verb_mine(struct cli *cli, struct err *err)
{
        const char *assign = cli_option(cli, "assign"), *online = cli_option(cli, "online");
        const char *path = online ? online : assign;
        if (!path || (assign && online))
                return fail(err, ERR_METHOD, "mine", "choosing what to print: give either --assign FILE or --online FILE (- is standard input)");
        scoped(close_input) FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
        if (!file)
                return fail_errno(err, errno, "mine", "opening %s", path);
        scoped_ptr(miner_destroy) struct miner *miner = miner_create(STR("mine"), (struct miner_bounds){0}, err);
        scoped(assignment_done) struct assignment assignment = {0};
        if (!miner || !mine_lines(file, miner, online, &assignment, err))
                return false;
        while (miner_refine(miner, UINT32_MAX))
                ;
        for (size_t i = 0; i < assignment.count; i++)
                if (!print_one(miner, assignment.numbers[i], err))
                        return false;
        return true;
}
