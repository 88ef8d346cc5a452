/* main - hands the first word of the command line to whoever answers it: `run` is the daemon, all else is cli/. */
#include "app/config.h"
#include "app/listen.h"
#include "app/replay_verb.h"
#include "app/run.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int print_configuration_manual(void)
{
        struct buf text = {0};
        bool good = config_manual(&text) && fwrite(text.bytes, 1, text.length, stdout) == text.length;
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
        if (argc == 3 && strcmp(argv[1], "manual") == 0 && strcmp(argv[2], "configuration") == 0)
                return print_configuration_manual();
        return cli_run(argc, argv);
}
