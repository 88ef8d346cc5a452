/* line_matcher.c - see line_matcher.h. */
#include "learn/line_matcher.h"

#include "learn/miner_state.h"

#include <stdlib.h>

struct line_matcher {
        struct shape shape;
        uint32_t place;         /* where a half has a word that its whole has not; past all places: it is none */
};

struct line_matcher *line_matcher_create(const struct miner *miner, uint32_t number, struct err *err)
{
        number = miner_alias(miner, number);
        if (number >= miner->count || !miner->shapes[number].parts)
                return fail(err, ERR_NOT_FOUND, "templates", "there is no such template (any more)"), NULL;
        struct line_matcher *matcher = malloc(sizeof *matcher);
        if (!matcher || !shape_copy(&miner->shapes[number], &matcher->shape)) {
                free(matcher);
                return fail_memory(err, "templates", sizeof *matcher), NULL;
        }
        const struct shape *shape = &miner->shapes[number];
        matcher->place = shape->is_half ? split_of(miner, miner_origin(miner, number))->place : UINT32_MAX;
        return matcher;
}

void line_matcher_destroy(struct line_matcher *matcher)
{
        if (matcher)
                shape_done(&matcher->shape);
        free(matcher);
}

bool line_matcher_matches(const struct line_matcher *matcher, struct str line)
{
        struct token tokens[LINE_TOKENS_MAX];
        uint32_t count = line_scan(line, tokens);
        if (!shape_fits(&matcher->shape, tokens, count))
                return false;
        const struct token *token = &tokens[matcher->place < count ? matcher->place : 0];
        return matcher->place >= count || str_equal(shape_word(&matcher->shape, matcher->place), (struct str){line.bytes + token->start, token->length});
}

struct str line_matcher_word(const struct line_matcher *matcher)
{
        struct str longest = {0};
        for (uint32_t i = 0; i < matcher->shape.count; i++)
                if (matcher->shape.parts[i].kind == TOKEN_WORD && matcher->shape.parts[i].length > longest.length)
                        longest = shape_word(&matcher->shape, i);
        return longest;
}
