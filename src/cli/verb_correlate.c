/* verb_correlate.c - incidents of a recorded stream of alerts, without a daemon: for trying correlation and measuring it. */
#include "base/buf.h"
#include "base/scope.h"
#include "cli/input.h"
#include "cli/verb.h"
#include "engage/alert_stream.h"

#include <stdio.h>

bool verb_correlate(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf alerts = {0}, topology = {0}, out = {0};
        const char *topology_path = cli_option(cli, "topology");
        if (!input_read(cli->words[0], &alerts, err) || (topology_path && !input_read(topology_path, &topology, err)) ||
            !alert_stream_correlate(buf_str(&alerts), buf_str(&topology), &out, err))
                return false;
        fwrite(out.bytes, 1, out.length, stdout);
        return true;
}
