/* main - starts what the first word of the command line names. */
#include <stdio.h>

int main(void)
{
        puts("evenkeel");
        return 0;
}
