/* launch_allow_fuzz - any text is an allow-list: what it lets through begins with a slash and has a line for it. */
#include "reach/launch_allow.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str text = {(const char *)data, size}, command = text;
        struct str words[8];
        size_t count = 0;
        struct err err = {0};
        while (count < 8 && command.length && str_cut(&command, ' ', &words[count]))
                count++;
        bool allowed = launch_allow_match(text, words, count, &err);
        assert(!allowed || (count && words[0].bytes[0] == '/'));
        assert(allowed || err.message[0]);
        struct str fixed[] = {STR("/bin/true"), STR("a"), STR("b c")};
        launch_allow_match(text, fixed, 3, &err);
        return 0;
}
