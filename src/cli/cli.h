/*
 * cli - the verbs of the command line, all but `run`: they ask the running daemon over HTTP, or work on files at rest.
 *
 * Tables for people, --json for programs. Exit codes: 0 done; 1 refused or failed; 2 used wrongly; 3 no daemon reached.
 */
#pragma once

int cli_run(int argc, char **argv);
