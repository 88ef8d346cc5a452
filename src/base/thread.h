/*
 * thread - named threads, and locks whose order is checked.
 *
 * A lock lives beside what it guards; its rank is a row of locks.def. Debug builds (no NDEBUG) assert that locks are
 * taken in the order of the rows, so a deadlock is found by the first run that could have had one.
 */
#pragma once

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
#define L(name) name,
#include "base/locks.def"
#undef L
};

struct lock {
        pthread_mutex_t mutex;
        enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_done(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

/* Holds a lock to the end of the scope: with_lock(&queue->lock); */
static inline void lock_release_at_scope_end(struct lock **lock)
{
        lock_release(*lock);
}
#define with_lock_name2(line) with_lock_at_##line
#define with_lock_name(line) with_lock_name2(line)
#define with_lock(held)                                                                                                \
        __attribute__((cleanup(lock_release_at_scope_end), unused)) struct lock *with_lock_name(__LINE__) =            \
                (lock_take(held), (held))

struct signal { /* a condition; always used with the lock that guards what it tells of */
        pthread_cond_t condition;
};

void signal_init(struct signal *signal);
void signal_done(struct signal *signal);
void signal_one(struct signal *signal);
void signal_all(struct signal *signal);
void signal_wait(struct signal *signal, struct lock *lock);
bool signal_wait_ms(struct signal *signal, struct lock *lock, int64_t wait_ms); /* false: the time passed */

struct thread {
        pthread_t id;
        bool started;
};

/* Starts run(context) with all signals blocked; the name shows in ps -L (15 bytes). */
bool thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context, struct err *err);
void thread_join(struct thread *thread); /* does nothing when it was never started */
