/* run - the daemon: opens the data folder, starts the sources and the HTTP face, waits for signals, stops in order. */
#pragma once

/* argv holds the options behind `run`. Gives the exit status. */
int run_main(int argc, char **argv);
