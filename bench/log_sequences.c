/*
 * log_sequences - judges labelled sequences of log events with the model that runs live.
 *
 *      log_sequences TRAIN.csv TEST.csv [--prevalence SHARE] [--p 0.001]
 *
 * Columns seq_id,label,events; events are numbers with blanks between. Learns from TRAIN (normal), then judges each of TEST
 * without learning more: a sequence with p at or below --p is an alarm. Prints recall, false-alarm rate, F1, MCC, and F1 as it
 * would be at another share of anomalies.
 */
#include "base/scope.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counts { double hit, missed, alarm, quiet; };

static int label_and_bag(char *line, struct bag *out_bag)
{
        char *label = strchr(line, ','), *events = label ? strchr(label + 1, ',') : NULL;
        if (!events)
                return -1;
        *out_bag = (struct bag){0};
        for (char *at = events + 1, *end; (strtoul(at, &end, 10), end != at); at = end)
                bag_add(out_bag, (uint32_t)strtoul(at, NULL, 10));
        return atoi(label + 1);
}

static bool each_line(const char *path, void (*take)(void *context, int label, const struct bag *bag), void *context)
{
        FILE *file = fopen(path, "r");
        char *line = NULL;
        size_t capacity = 0;
        bool header = true;
        if (!file)
                return perror(path), false;
        while (getline(&line, &capacity, file) > 0) {
                struct bag bag;
                int label = header ? -1 : label_and_bag(line, &bag);
                header = false;
                if (label >= 0)
                        take(context, label, &bag);
        }
        free(line);
        fclose(file);
        return true;
}

struct run {
        struct sequences *sequences;
        double p_max;
        struct counts counts;
};

static void train(void *context, int label, const struct bag *bag)
{
        struct run *run = context;
        (void)label;
        sequences_learn(run->sequences, bag);
}

static void test(void *context, int label, const struct bag *bag)
{
        struct run *run = context;
        bool alarm = bag->is_too_large || sequences_judge(run->sequences, bag).p_value <= run->p_max;
        *(label ? alarm ? &run->counts.hit : &run->counts.missed : alarm ? &run->counts.alarm : &run->counts.quiet) += 1;
}

static void print(const struct counts *c, double prevalence)
{
        double recall = c->hit / fmax(c->hit + c->missed, 1), rate = c->alarm / fmax(c->alarm + c->quiet, 1);
        double f1 = 2 * c->hit / fmax(2 * c->hit + c->alarm + c->missed, 1);
        double product = (c->hit + c->alarm) * (c->hit + c->missed) * (c->quiet + c->alarm) * (c->quiet + c->missed);
        printf("recall %.4f  false alarms %.4f  F1 %.4f  MCC %.4f", recall, rate, f1, product > 0 ? (c->hit * c->quiet - c->alarm * c->missed) / sqrt(product) : 0);
        if (prevalence > 0) {
                double precision = recall * prevalence / fmax(recall * prevalence + rate * (1 - prevalence), 1e-12);
                printf("  F1 at prevalence %.4f: %.4f", prevalence, 2 * precision * recall / fmax(precision + recall, 1e-12));
        }
        putchar('\n');
}

int main(int argc, char **argv)
{
        struct run run = {.sequences = sequences_create(NULL), .p_max = 1e-3};
        double prevalence = 0;
        for (int i = 3; i + 1 < argc; i += 2)
                *(strcmp(argv[i], "--p") == 0 ? &run.p_max : &prevalence) = atof(argv[i + 1]);
        if (argc < 3 || !run.sequences)
                return fprintf(stderr, "usage: log_sequences TRAIN.csv TEST.csv [--prevalence SHARE] [--p 0.001]\n"), 2;
        if (!each_line(argv[1], train, &run) || !each_line(argv[2], test, &run))
                return 1;
        print(&run.counts, prevalence);
        sequences_destroy(run.sequences);
        return 0;
}
