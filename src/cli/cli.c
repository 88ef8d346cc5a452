/* cli.c - see cli.h: finds the row of the verb, reads its words and options, runs it, tells how that went. */
#include "cli/cli.h"

#include "base/scope.h"
#include "base/str.h"
#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHED };

const struct verb verbs[] = {
        {"run", "[--data FOLDER] [--config FILE] [--http ADDRESS:PORT] [--check]", "", 0, 0, false, "Runs the daemon; --check only says whether its configuration is good.", NULL},
        {"listen", "SOURCE ADDRESS:PORT", "", 0, 0, false, "Opens a source beyond this machine, with TLS, and prints what senders must set.", NULL},
        {"replay", "--config FILE [--data FOLDER] [--since 24h] [--until TIME] [--json]", "", 0, 0, false, "Tells what is kept of the past again with another configuration: which pages would have been sent, missed or moved.", NULL},
        {"status", "", "", 0, 0, true, "What the daemon holds and how it fares.", verb_status},
        {"sources", "", "", 0, 0, true, "Where telemetry comes from: state, rates, losses.", verb_sources},
        {"logs", "[QUERY] [--since 1h] [--limit N] [--follow] [--context ID] [--template ID]", "since= until= limit= follow context= id template=", 0, 8, true, "Log records that match, oldest first.", verb_logs},
        {"templates", "[ID] [--service NAME] [--since 1h] [--sort count|new|rate|recent] [--text TEXT] [--limit N]", "service= since= sort= text= limit=", 0, 1, true, "The sentences that programs log, or one with its values and examples.", verb_templates},
        {"incidents", "[--state alive|open|...|all] [--severity S] [--team T] [--owner O] [--text TEXT] [--held only|none] [--limit N]", "state= severity= team= owner= text= held= limit=", 0, 0, true, "Incidents, the newest first.", verb_incidents},
        {"incident", "NUMBER", "", 1, 1, true, "One incident: likely causes, alerts, timeline, similar ones.", verb_incident},
        {"incident order", "NUMBER VERB [NAME=TEXT ...]", "", 2, 6, true, "Orders something about an incident: acknowledge, action text= on=, assign owner=, comment text=, resolve, close, reopen, merge into=, split alerts=, reroute team=, team_approve, team_reject, severity severity= (or auto), cause entity=, fix text=, noise kind=.", verb_incident_order},
        {"incident report", "TITLE [--entity E] [--severity S]", "entity= severity=", 1, 1, true, "Reports an incident that nothing has found; it counts as missed.", verb_incident_report},
        {"moved", "INCIDENT|HOST|SERVICE [--kind KIND] [--since 1h] [--until TIME] [--hops N]", "kind= since= until= hops=", 1, 1, true, "Which series of an incident (its number), a host or a service (its name) left their normal, which of them together, and which first.", verb_moved},
        {"alerts", "[--state firing|resolved|all] [--name N] [--limit N]", "state= name= limit=", 0, 0, true, "Alerts of every origin, the newest first.", verb_alerts},
        {"why", "INCIDENT|ALERT", "", 1, 1, true, "What was decided about an incident or an alert, and why.", verb_why},
        {"ledger", "[--limit N]", "limit=", 0, 0, true, "What people's words changed in the models, and what that would have changed; the newest first.", verb_ledger},
        {"ledger revert", "ID", "", 1, 1, true, "Takes one change of a model back, as if it had never been said.", verb_ledger_revert},
        {"runbooks", "", "", 0, 0, true, "Runbooks: what each does, how often it helped, how far it may go.", verb_runbooks},
        {"runbook autonomy", "NAME suggest|approve|auto [--why TEXT]", "why=", 2, 2, true, "How far a runbook may go by itself.", verb_runbook_autonomy},
        {"runbook show", "NAME", "", 1, 1, true, "One runbook: where it stands, what is known of it, and what it takes to go further.", verb_runbook_show},
        {"runbooks draft", "INCIDENT", "", 1, 1, true, "Prints a runbook made of the actions that people recorded on an incident, to be read, changed and saved.", verb_runbooks_draft},
        {"runs", "[--incident N] [--runbook NAME] [--state STATE] [--limit N]", "incident= runbook= state= limit=", 0, 0, true, "Runs and proposals, the newest first.", verb_runs},
        {"runs show", "NUMBER", "", 1, 1, true, "One run: exactly what would run or ran, with its output.", verb_run_show},
        {"runs propose", "RUNBOOK INCIDENT [--target NAME] [--start] [--why TEXT]", "target= start why=", 2, 2, true, "Proposes a runbook for an incident, as a dry run; --start approves it too.", verb_run_propose},
        {"runs approve", "NUMBER [--why TEXT]", "why=", 1, 1, true, "Approves a proposed run.", verb_run_approve},
        {"runs reject", "NUMBER [--why TEXT]", "why=", 1, 1, true, "Rejects a proposed run.", verb_run_reject},
        {"runs stop", "NUMBER [--why TEXT]", "why=", 1, 1, true, "Stops a run; what is under way is no longer waited for.", verb_run_stop},
        {"runs judge", "NUMBER succeeded|failed|harmful [--why TEXT]", "why=", 2, 2, true, "Says what came of a run, better than its verification.", verb_run_judge},
        {"automation stop", "[--why TEXT]", "why=", 0, 0, true, "Stops all automation: nothing starts, and what runs is killed.", verb_automation_stop},
        {"automation resume", "[--why TEXT]", "why=", 0, 0, true, "Lets automation run again.", verb_automation_resume},
        {"notifications", "[INCIDENT]", "", 0, 1, true, "The newest messages; or what was told of an incident, to whom, and what was not, with the reasons.", verb_notifications},
        {"notification test", "RECEIVER [TO]", "", 1, 2, true, "Sends a test to a receiver.", verb_notification_test},
        {"on-call", "", "", 0, 0, true, "Who is on call now and next, and the first gap.", verb_on_call},
        {"on-call override", "SCHEDULE PERSON --for 2h|--until TIME [--from TIME]", "for= until= from=", 2, 2, true, "Somebody else is on call for a while.", verb_on_call_override},
        {"on-call release", "SCHEDULE OVERRIDE", "", 2, 2, true, "Ends an override: the schedule decides again.", verb_on_call_release},
        {"shadow", "[--days N]", "days=", 0, 0, true, "What would have been told beside what other tools told, a line a day, and by incident.", verb_shadow},
        {"silences", "", "", 0, 0, true, "Silences and maintenance.", verb_silences},
        {"silence create", "NAME=VALUE ... --for 2h|--until TIME [--from TIME] [--comment TEXT]", "for= until= from= comment=", 1, 8, true, "Keeps what matches quiet for a while; conditions as Alertmanager's (=, !=, =~, !~).", verb_silence_create},
        {"silence list", "", "", 0, 0, true, "Silences and maintenance.", verb_silences},
        {"silence preview", "NAME=VALUE ...", "", 1, 8, true, "What fires now and such a silence would keep quiet.", verb_silence_preview},
        {"silence expire", "ID", "", 1, 1, true, "Ends a silence or a maintenance.", verb_silence_expire},
        {"maintenance create", "NAME=VALUE ... --for 2h|--until TIME [--from TIME] [--comment TEXT]", "for= until= from= comment=", 1, 8, true, "Planned work: what matches is kept and nobody is told, and no runbook starts by itself.", verb_maintenance_create},
        {"maintenance list", "", "", 0, 0, true, "Maintenance that commands made and that has not been forgotten.", verb_maintenance},
        {"maintenance end", "ID", "", 1, 1, true, "Ends maintenance before its time.", verb_silence_expire},
        {"route-test", "NAME=VALUE ...", "", 1, 8, true, "Which team an alert with these labels would reach.", verb_route_test},
        {"query", "EXPR [--time T] [--range 1h] [--step 15s]", "time= range= step=", 1, 1, true, "Evaluates PromQL, at one time or over a range.", verb_query},
        {"series", "[SELECTOR] [--since 1h] [--limit N]", "since= limit=", 0, 1, true, "Series that match.", verb_series},
        {"kinds", "", "", 0, 0, true, "The kinds of entity and their fields.", verb_kinds},
        {"entities", "KIND [--search TEXT] [--state STATE] [--drifting] [--limit N] [--csv]", "search= state= drifting limit= csv", 1, 1, true, "Entities of a kind.", verb_entities},
        {"entity show", "ID [--at NANOSECONDS]", "at=", 1, 1, true, "One entity: values, who wrote them, relations.", verb_entity_show},
        {"entity create", "KIND FIELD=VALUE...", "", 2, 8, true, "Creates an entity.", verb_entity_create},
        {"entity set", "ID FIELD=VALUE...", "", 2, 8, true, "Changes intended values or the state; an empty value takes it away.", verb_entity_set},
        {"entity delete", "ID", "", 1, 1, true, "Hides an entity; it is purged after 30 days.", verb_entity_delete},
        {"entity restore", "ID", "", 1, 1, true, "Brings a deleted entity back.", verb_entity_restore},
        {"entity relate", "ID RELATION ID", "", 3, 3, true, "Relates two entities.", verb_entity_relate},
        {"entity unrelate", "ID RELATION ID", "", 3, 3, true, "Takes such a relation away.", verb_entity_unrelate},
        {"entity history", "ID", "", 1, 1, true, "Every change of an entity.", verb_entity_history},
        {"entity revert", "ID EVENT", "", 2, 2, true, "Sets intended values back to what they were after an event.", verb_entity_revert},
        {"users", "", "", 0, 0, true, "All users.", verb_users},
        {"user add", "NAME --role viewer|operator|admin [--password-stdin]", "role= password-stdin", 1, 1, true, "Adds a user; asks for the first password.", verb_user_add},
        {"user password", "NAME [--password-stdin]", "password-stdin", 1, 1, true, "Sets a password, which must be changed at the next sign-in.", verb_user_password},
        {"user role", "NAME viewer|operator|admin", "", 2, 2, true, "Changes a user's role.", verb_user_role},
        {"user disable", "NAME", "", 1, 1, true, "Locks a user out and ends the user's sessions.", verb_user_disable},
        {"user enable", "NAME", "", 1, 1, true, "Lets a user in again.", verb_user_enable},
        {"tokens", "", "", 0, 0, true, "All API tokens.", verb_tokens},
        {"token add", "NAME --scopes ingest,read,write,admin [--days N]", "scopes= days=", 1, 1, true, "Makes an API token and prints its secret, once.", verb_token_add},
        {"token revoke", "ID", "", 1, 1, true, "Revokes an API token for good.", verb_token_revoke},
        {"audit", "[--by NAME] [--verb VERB] [--before ENTRY] [--limit N]", "by= verb= before= limit=", 0, 0, true, "Who ordered what and what came of it, the newest first.", verb_audit},
        {"audit verify", "[--head DIGITS]", "head=", 0, 0, true, "Checks the audit log's chain; fails when an entry was changed, or when the log does not go through a head noted before.", verb_audit_verify},
        {"backup", "DIRECTORY", "", 1, 1, true, "Copies the data, online, into a new directory of the daemon's machine.", verb_backup},
        {"restore", "BACKUP [--verify] [--to FOLDER]", "verify to=", 1, 1, false, "Proves a backup, and restores it into a new data folder.", verb_restore},
        {"detect", "FILE.csv [--train TRAIN.csv]", "train=", 1, 1, false, "Finds what is unusual in the samples of a file: one series (timestamp,value) or several columns.", verb_detect},
        {"mine", "--assign FILE|- or --online FILE|-", "assign= online=", 0, 0, false, "Finds the templates of messages, one a line: the template of each, at the end or as first told.", verb_mine},
        {"causes", "METRICS.csv --at EPOCH_S [--graph EDGES.csv] [--target ENTITY|METRIC|STATISTIC]", "at= graph= target=", 1, 1, false, "Ranks which entity began a trouble, from its metrics (CSV: timestamp, entity|metric|statistic ...) and who calls whom.", verb_causes},
        {"route", "--train FILE --test FILE --text COLUMN[,COLUMN] --label COLUMN", "train= test= text= label=", 0, 0, false, "Learns from a table of labelled tickets (CSV) and names the three best labels of each ticket of another.", verb_route},
        {"correlate", "ALERTS.csv [--topology TOPOLOGY.csv]", "topology=", 1, 1, false, "Puts a recorded stream of alerts through correlation: its incidents, with their likely causes, one JSON object a line.", verb_correlate},
        {"redact test", "[TEXT]", "", 0, 1, true, "Shows a text (or standard input) as it would be stored, secrets masked.", verb_redact_test},
        {"openapi", "[--markdown]", "markdown", 0, 0, false, "Prints the description of the HTTP API.", verb_openapi},
        {"version", "", "", 0, 0, false, "Prints the version.", verb_version},
        {"completion", "bash", "", 1, 1, false, "Prints what bash needs to complete these verbs.", manual_completion},
        {"man", "[--markdown]", "markdown", 0, 0, false, "Prints the manual page.", manual_man},
        {"help", "", "", 0, 2, false, "Prints this list.", manual_help},
};
const size_t verb_count = countof(verbs);

const char *cli_option(const struct cli *cli, const char *name)
{
        for (int i = 0; i < cli->option_count; i++)
                if (strcmp(cli->options[i], name) == 0)
                        return cli->values[i];
        return NULL;
}

static int usage(const struct verb *verb, const char *why, const char *what)
{
        fprintf(stderr, "evenkeel: %s%s\n", why, what);
        if (verb)
                fprintf(stderr, "usage: evenkeel %s %s\n", verb->name, verb->usage);
        else
                fprintf(stderr, "`evenkeel help` lists the verbs\n");
        return EXIT_USAGE;
}

/* The longest name that the first words make. */
static const struct verb *find_verb(int argc, char **argv, int *out_words)
{
        for (int words = 2; words >= 1; words--) {
                char name[64];
                if (argc < words)
                        continue;
                snprintf(name, sizeof name, "%s%s%s", argv[0], words == 2 ? " " : "", words == 2 ? argv[1] : "");
                for (size_t i = 0; i < verb_count; i++)
                        if (strcmp(verbs[i].name, name) == 0) {
                                *out_words = words;
                                return &verbs[i];
                        }
        }
        return NULL;
}

/* 0: no such option; 1: a flag; 2: takes a value. */
static int option_kind(const char *list, struct str name)
{
        struct str rest = str_of(list), word;
        while (rest.length && str_cut(&rest, ' ', &word)) {
                bool takes_value = word.length && word.bytes[word.length - 1] == '=';
                if (str_equal(str_slice(word, 0, word.length - takes_value), name))
                        return takes_value ? 2 : 1;
        }
        return 0;
}

static int read_option(struct cli *cli, char *text, char *next, bool *out_took_next)
{
        struct str rest = str_of(text + 2), name;
        str_cut(&rest, '=', &name);
        int kind = option_kind(cli->verb->options, name);
        kind = kind ? kind : option_kind(COMMON_OPTIONS, name);
        if (kind == 0 || cli->option_count == (int)countof(cli->options))
                return usage(cli->verb, "there is no option ", text);
        const char *value = rest.bytes;
        if (kind == 2 && !value) {
                value = next;
                *out_took_next = true;
        }
        if (kind == 2 && !value)
                return usage(cli->verb, "a value is missing after ", text);
        text[2 + name.length] = 0;
        cli->options[cli->option_count] = text + 2;
        cli->values[cli->option_count++] = value ? value : "";
        return EXIT_DONE;
}

static int read_words(struct cli *cli, int argc, char **argv)
{
        bool only_words = false;
        for (int i = 0; i < argc; i++) {
                bool took_next = false;
                if (!only_words && strcmp(argv[i], "--") == 0) {
                        only_words = true;
                } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
                        int wrong = read_option(cli, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took_next);
                        if (wrong)
                                return wrong;
                        i += took_next;
                } else if (cli->word_count == cli->verb->most) {
                        return usage(cli->verb, "one word too many: ", argv[i]);
                } else {
                        cli->words[cli->word_count++] = argv[i];
                }
        }
        if (cli_option(cli, "help"))
                return EXIT_DONE;
        return cli->word_count >= cli->verb->least ? EXIT_DONE : usage(cli->verb, "something is missing", "");
}

static int tell(const struct err *err)
{
        fprintf(stderr, "evenkeel: %s\n", err->message);
        return err->code == ERR_IO ? EXIT_UNREACHED : err->code == ERR_METHOD ? EXIT_USAGE : EXIT_FAILED;
}

/* Where `make run` keeps its data, when nothing was installed on this machine. */
static const char *default_data(void)
{
        return access(DATA_DEFAULT, F_OK) != 0 && access("data/cli.address", F_OK) == 0 ? "data" : DATA_DEFAULT;
}

int cli_run(int argc, char **argv)
{
        struct cli cli = {0};
        struct err err = {0};
        int taken = 0;
        static char version[] = "version", help[] = "help";
        if (argc > 1 && argv[1][0] == '-')
                argv[1] = strcmp(argv[1], "--version") == 0 ? version : help;
        cli.verb = argc > 1 ? find_verb(argc - 1, argv + 1, &taken) : &verbs[verb_count - 1];
        if (!cli.verb || !cli.verb->run)
                return usage(NULL, "there is no verb ", argv[1]);
        int wrong = argc > 1 ? read_words(&cli, argc - 1 - taken, argv + 1 + taken) : 0;
        if (wrong)
                return wrong;
        if (cli_option(&cli, "help"))
                return printf("usage: evenkeel %s %s\n%s\n", cli.verb->name, cli.verb->usage, cli.verb->summary) > 0 ? EXIT_DONE : EXIT_FAILED;
        const char *data = cli_option(&cli, "data");
        const char *no_color = getenv("NO_COLOR");
        data = data ? data : getenv("EVENKEEL_DATA");
        cli.json = cli_option(&cli, "json");
        cli.has_color = isatty(STDOUT_FILENO) && !(no_color && *no_color);
        if (cli.verb->asks && !client_init(&cli.client, data ? data : default_data(), cli_option(&cli, "server"), cli_option(&cli, "token"), &err))
                return tell(&err);
        return cli.verb->run(&cli, &err) && fflush(stdout) == 0 ? EXIT_DONE : tell(&err);
}
