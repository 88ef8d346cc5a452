/* joint_test - several columns judged together: what one column alone could not show. */
#include "learn/joint.h"

#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS 600
#define COLUMNS 3

SCOPED_PTR(joint_destroy, struct joint)

static double noise(uint64_t *state)
{
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        return (double)(*state >> 33) / 2147483648.0 - 0.5;
}

/* Load goes up and down; the other columns follow it. */
static void make_row(uint64_t *state, int at, double row[COLUMNS])
{
        double load = sin(at / 40.0);
        row[0] = 10 * load + noise(state);
        row[1] = 200 - 30 * load + 3 * noise(state);
        row[2] = 5 + 2 * load + noise(state) / 5;
}

static struct joint *learnt(uint64_t *state)
{
        double *rows = calloc(ROWS * COLUMNS, sizeof *rows);
        assert_non_null(rows);
        for (int i = 0; i < ROWS; i++)
                make_row(state, i, rows + i * COLUMNS);
        struct joint *joint = joint_create(rows, ROWS, COLUMNS, NULL);
        free(rows);
        assert_non_null(joint);
        return joint;
}

static void a_column_that_leaves_the_others_is_blamed_within_its_own_range(void **state)
{
        (void)state;
        uint64_t random = 1;
        scoped_ptr(joint_destroy) struct joint *joint = learnt(&random);
        struct joint_verdict verdict = {0};
        int flags = 0;
        for (int i = ROWS; i < ROWS + 400; i++) {
                double row[COLUMNS];
                make_row(&random, i, row);
                joint_push(joint, row, &verdict);
                flags += verdict.is_flagged;
        }
        assert_int_equal(flags, 0);
        for (int i = 0; i < 5; i++) {
                double row[COLUMNS];
                make_row(&random, 63, row);     /* load at its top */
                row[1] = 200 + 25;              /* where it is at the bottom */
                joint_push(joint, row, &verdict);
        }
        assert_true(verdict.is_flagged && verdict.score >= 0.5 && verdict.p_value <= 1e-5);
        assert_int_equal(verdict.top, 1);
}

static void missing_and_constant_columns_do_no_harm(void **state)
{
        (void)state;
        double rows[60 * COLUMNS];
        for (int i = 0; i < 60; i++) {
                rows[i * COLUMNS] = i % 5;
                rows[i * COLUMNS + 1] = 7;
                rows[i * COLUMNS + 2] = NAN;
        }
        scoped_ptr(joint_destroy) struct joint *joint = joint_create(rows, 60, COLUMNS, NULL);
        assert_non_null(joint);
        struct joint_verdict verdict;
        joint_push(joint, rows, &verdict);
        assert_true(!verdict.is_flagged && verdict.score >= 0 && verdict.score < 0.5);
        joint_push(joint, (double[]){2, 9, NAN}, &verdict);
        assert_int_equal(verdict.top, 1);
}

static void too_little_to_learn_from_is_refused(void **state)
{
        (void)state;
        struct err err = {0};
        double rows[COLUMNS] = {0};
        assert_null(joint_create(rows, 1, COLUMNS, &err));
        assert_int_equal(err.code, ERR_REFUSED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_column_that_leaves_the_others_is_blamed_within_its_own_range),
                cmocka_unit_test(missing_and_constant_columns_do_no_harm),
                cmocka_unit_test(too_little_to_learn_from_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
