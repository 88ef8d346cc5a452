/* launcher_process - the launcher's own side: one thread that waits for requests, children and the end of the daemon. */
#pragma once

#include "reach/launcher.h"

/* A message either way; output and errors are cut to LAUNCH_OUTPUT_MAX, of which JSON may need six bytes each at most. */
#define LAUNCH_MESSAGE_MAX ((size_t)1 << 20)

/* Serves until the socket closes, kills what still runs, and exits. */
_Noreturn void launcher_serve(int socket, const struct launcher_options *options);
