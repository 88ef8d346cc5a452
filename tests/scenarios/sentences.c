/* sentences.c - see sentences.h. */
#include "scenarios/sentences.h"

#include "observe/log_templates.h"

struct sentences {
        struct str text;
        bool only_halves;
        uint64_t count;
};

static bool count_one(void *context, const struct template_view *view)
{
        struct sentences *sentences = context;
        size_t at;
        sentences->count += str_find(view->sentence, sentences->text, &at) && (view->split_from || !sentences->only_halves);
        return true;
}

uint64_t sentences_count(struct log_templates *templates, struct str text, bool only_halves)
{
        struct sentences sentences = {.text = text, .only_halves = only_halves};
        return log_templates_visit(templates, (struct str){0}, 0, count_one, &sentences, NULL) ? sentences.count : UINT64_MAX;
}
