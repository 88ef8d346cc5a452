/* thread.c - see thread.h. */
#include "base/thread.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Thread_local uint64_t ranks_held; /* a bit a rank; one lock of a rank at a time */

void lock_init(struct lock *lock, enum lock_rank rank)
{
        pthread_mutex_init(&lock->mutex, NULL);
        lock->rank = rank;
}

void lock_done(struct lock *lock)
{
        pthread_mutex_destroy(&lock->mutex);
}

void lock_take(struct lock *lock)
{
        assert((ranks_held >> lock->rank) == 0 && "locks are taken in the order of locks.def");
        pthread_mutex_lock(&lock->mutex);
        ranks_held |= UINT64_C(1) << lock->rank;
}

void lock_release(struct lock *lock)
{
        assert(ranks_held >> lock->rank & 1);
        ranks_held &= ~(UINT64_C(1) << lock->rank);
        pthread_mutex_unlock(&lock->mutex);
}

void signal_init(struct signal *signal)
{
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&signal->condition, &attributes);
        pthread_condattr_destroy(&attributes);
}

void signal_done(struct signal *signal)
{
        pthread_cond_destroy(&signal->condition);
}

void signal_one(struct signal *signal)
{
        pthread_cond_signal(&signal->condition);
}

void signal_all(struct signal *signal)
{
        pthread_cond_broadcast(&signal->condition);
}

void signal_wait(struct signal *signal, struct lock *lock)
{
        pthread_cond_wait(&signal->condition, &lock->mutex);
}

bool signal_wait_ms(struct signal *signal, struct lock *lock, int64_t wait_ms)
{
        int64_t until_ns = clock_monotonic_ns(&clock_real) + wait_ms * NS_PER_MS;
        struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
        return pthread_cond_timedwait(&signal->condition, &lock->mutex, &until) != ETIMEDOUT;
}

struct start {
        void (*run)(void *context);
        void *context;
};

static void *run_thread(void *argument)
{
        struct start start = *(struct start *)argument;
        free(argument);
        start.run(start.context);
        return NULL;
}

bool thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context, struct err *err)
{
        assert(!thread->started);
        struct start *start = malloc(sizeof *start);
        if (!start)
                return fail_memory(err, "thread", sizeof *start);
        *start = (struct start){run, context};
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error_number = pthread_create(&thread->id, NULL, run_thread, start);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error_number) {
                free(start);
                return fail_errno(err, error_number, "thread", "starting the thread %s", name);
        }
        char short_name[16];
        snprintf(short_name, sizeof short_name, "%s", name);
        pthread_setname_np(thread->id, short_name);
        thread->started = true;
        return true;
}

void thread_join(struct thread *thread)
{
        if (!thread->started)
                return;
        pthread_join(thread->id, NULL);
        thread->started = false;
}
