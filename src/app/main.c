/* main - hands the first word of the command line to whoever answers it: `run` is the daemon, all else is cli/. */
#include "app/config.h"
#include "app/listen.h"
#include "app/pack_manual.h"
#include "app/replay_verb.h"
#include "app/run.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* "configuration", "packs", or the path of a file of a pack. */
static int print_manual(const char *of)
{
        struct buf text = {0};
        struct err err = {0};
        bool good = strcmp(of, "configuration") == 0 ? config_manual(&text) || fail_memory(&err, "manual", text.length) :
                    strcmp(of, "packs") == 0         ? pack_manual(&text, &err) :
                                                       pack_print(of, &text, &err);
        if (good)
                good = fwrite(text.bytes, 1, text.length, stdout) == text.length;
        else
                fprintf(stderr, "%s\n", err.message);
        buf_done(&text);
        return good ? 0 : 1;
}

int main(int argc, char **argv)
{
        if (argc > 1 && strcmp(argv[1], "run") == 0)
                return run_main(argc - 1, argv + 1);
        if (argc > 1 && strcmp(argv[1], "listen") == 0)
                return listen_main(argc - 1, argv + 1);
        if (argc > 1 && strcmp(argv[1], "replay") == 0)
                return replay_main(argc - 1, argv + 1);
        if (argc == 3 && strcmp(argv[1], "manual") == 0)
                return print_manual(argv[2]);
        return cli_run(argc, argv);
}
