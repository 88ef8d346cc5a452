/* replay_verb - `evenkeel replay`: what is kept of the past, told again with another configuration, and what that would have changed. */
#pragma once

int replay_main(int argc, char **argv); /* argv[0] is "replay"; gives the exit status */
