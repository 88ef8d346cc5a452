/* manual.c - the manual page, the help, the completion: all from the table of verbs, so that none forgets one. */
#include "base/scope.h"
#include "base/str.h"
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>

bool manual_help(struct cli *cli, struct err *err)
{
        (void)cli, (void)err;
        printf("usage: evenkeel VERB [WORDS] [--options]\n\n");
        for (size_t i = 0; i < verb_count; i++)
                printf("  %-15s %s\n", verbs[i].name, verbs[i].summary);
        printf("\nEvery verb takes --help. Those that ask the daemon take --data FOLDER (default " DATA_DEFAULT ", or\n"
               "EVENKEEL_DATA), or --server URL and --token TOKEN, and --json for programs.\n");
        return true;
}

/* First words, second words of each first one, options of each verb. */
bool manual_completion(struct cli *cli, struct err *err)
{
        if (strcmp(cli->words[0], "bash") != 0)
                return fail(err, ERR_METHOD, "cli", "completion is there for bash only");
        printf("# evenkeel completion bash > /etc/bash_completion.d/evenkeel\n_evenkeel() {\n"
               "        local word=${COMP_WORDS[COMP_CWORD]} verb=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" words=\"\"\n"
               "        case $verb in\n");
        for (size_t pass = 0; pass < 2; pass++) /* two words before one */
                for (size_t i = 0; i < verb_count; i++) {
                        bool has_two = strchr(verbs[i].name, ' ');
                        if (has_two != (pass == 0))
                                continue;
                        printf("        \"%s\"%s) words=\"", verbs[i].name, has_two ? "*" : "\\ *");
                        struct str rest = str_of(verbs[i].options), word;
                        while (rest.length && str_cut(&rest, ' ', &word))
                                printf("--%.*s ", (int)strcspn(word.bytes, "= "), word.bytes);
                        printf("--data --server --token --json --help\" ;;\n");
                }
        printf("        esac\n        if [ \"$COMP_CWORD\" = 1 ]; then\n                words=\"");
        const char *last = "";
        for (size_t i = 0; i < verb_count; i++) {
                size_t length = strcspn(verbs[i].name, " ");
                if (strncmp(last, verbs[i].name, length + 1) != 0 && !(strncmp(last, verbs[i].name, length) == 0 && last[length] == ' '))
                        printf("%.*s ", (int)length, verbs[i].name);
                last = verbs[i].name;
        }
        printf("\"\n        elif [ \"$COMP_CWORD\" = 2 ]; then\n                case ${COMP_WORDS[1]} in\n");
        for (size_t i = 0; i < verb_count; i++) {
                const char *space = strchr(verbs[i].name, ' ');
                if (space)
                        printf("                %.*s) words=\"$words %s\" ;;&\n", (int)(space - verbs[i].name), verbs[i].name, space + 1);
        }
        printf("                esac\n        fi\n        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
               "complete -o default -F _evenkeel evenkeel\n");
        return true;
}

/* roff takes a leading dot or quote, and every backslash and hyphen, for itself. */
static void print_roff(const char *text)
{
        for (; *text; text++)
                printf(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : "%c", *text);
}

static const struct { const char *name, *meaning; } common[] = {
        {"--data FOLDER", "The daemon's data folder, where its address and a token for this program are; default " DATA_DEFAULT ", or EVENKEEL_DATA."},
        {"--server URL, --token TOKEN", "Another daemon; also EVENKEEL_SERVER and EVENKEEL_TOKEN."},
        {"--json", "The daemon's own JSON instead of a table."},
};

static const struct { int code; const char *meaning; } codes[] = {
        {0, "done"}, {1, "refused or failed; the reason is on standard error"}, {2, "used wrongly"}, {3, "no daemon was reached, or a file could not be read"},
};

bool manual_markdown(struct cli *cli, struct err *err)
{
        (void)cli, (void)err;
        printf("# The command line\n\nGenerated from the table of verbs by `evenkeel man --markdown`.\n\n");
        for (size_t i = 0; i < verb_count; i++)
                printf("## evenkeel %s\n\n    evenkeel %s %s\n\n%s\n\n", verbs[i].name, verbs[i].name, verbs[i].usage, verbs[i].summary);
        printf("## Options of all verbs\n\n");
        for (size_t i = 0; i < countof(common); i++)
                printf("- `%s`: %s\n", common[i].name, common[i].meaning);
        printf("\n## Exit codes\n\n");
        for (size_t i = 0; i < countof(codes); i++)
                printf("- %d: %s\n", codes[i].code, codes[i].meaning);
        printf("\nColours are used on a terminal only, and not when `NO_COLOR` is set.\n");
        return true;
}

bool manual_man(struct cli *cli, struct err *err)
{
        if (cli_option(cli, "markdown"))
                return manual_markdown(cli, err);
        printf(".TH EVENKEEL 1\n.SH NAME\nevenkeel \\- logs and metrics of an organisation's machines, kept and asked\n"
               ".SH SYNOPSIS\n.B evenkeel\n.I verb\n[words] [options]\n.SH VERBS\n");
        for (size_t i = 0; i < verb_count; i++) {
                printf(".TP\n.B ");
                print_roff(verbs[i].name);
                printf(" \\fR");
                print_roff(verbs[i].usage);
                printf("\n%s\n", verbs[i].summary);
        }
        printf(".SH OPTIONS\n");
        for (size_t i = 0; i < countof(common); i++) {
                printf(".TP\n.B ");
                print_roff(common[i].name);
                printf("\n%s\n", common[i].meaning);
        }
        printf(".SH EXIT STATUS\n");
        for (size_t i = 0; i < countof(codes); i++)
                printf(".TP\n.B %d\n%s\n", codes[i].code, codes[i].meaning);
        printf(".SH ENVIRONMENT\nEVENKEEL_DATA, EVENKEEL_SERVER, EVENKEEL_TOKEN as above; NO_COLOR turns colours off.\n");
        return true;
}
