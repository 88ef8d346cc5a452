/* fuzz_corpus - runs a fuzz target over the files of its corpus, and over cut and flipped copies of them from a fixed
 * seed, so that every build tests what fuzzing once found and a little more. Usage: name_fuzz DIRECTORY [ROUNDS] */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static uint64_t state = 0x5EED;

static uint64_t random_u64(void)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

/* An exact-size heap copy, so that a read past the end is seen by the sanitizers. */
static void run_copy(const uint8_t *bytes, size_t count)
{
        uint8_t *copy = malloc(count ? count : 1);
        memcpy(copy, bytes, count);
        LLVMFuzzerTestOneInput(copy, count);
        free(copy);
}

static void run_mutants(uint8_t *bytes, size_t count, int rounds)
{
        for (int round = 0; round < rounds && count; round++) {
                size_t kept = random_u64() % (count + 1);
                uint8_t *mutant = malloc(count);
                memcpy(mutant, bytes, count);
                for (int flips = (int)(random_u64() % 4); flips > 0; flips--)
                        mutant[random_u64() % count] = (uint8_t)random_u64();
                run_copy(mutant, round % 2 ? kept : count);
                free(mutant);
        }
}

int main(int argc, char **argv)
{
        if (argc < 2)
                return fprintf(stderr, "usage: %s DIRECTORY [ROUNDS]\n", argv[0]), 2;
        DIR *directory = opendir(argv[1]);
        if (!directory)
                return fprintf(stderr, "%s: no corpus there; every fuzz target has one\n", argv[1]), 1;
        int files = 0, rounds = argc > 2 ? atoi(argv[2]) : 200;
        for (struct dirent *entry; (entry = readdir(directory));) {
                char path[4096];
                snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
                FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
                if (!file)
                        continue;
                static uint8_t bytes[4 << 20];
                size_t count = fread(bytes, 1, sizeof bytes, file);
                fclose(file);
                run_copy(bytes, count);
                run_mutants(bytes, count, rounds);
                files++;
        }
        closedir(directory);
        printf("%d files\n", files);
        return files ? 0 : 1;
}
