/*
 * scope - ends what a scope began.
 *
 *      scoped(buf_done) struct buf text = {0};
 *
 * calls buf_done(&text) when text goes out of scope, on every path. For pointers, `scoped_ptr(arena_destroy)
 * struct arena *arena` calls arena_destroy(arena). The adaptor a pointer needs is made once per destructor with
 * SCOPED_PTR(arena_destroy, struct arena).
 */
#pragma once

#define scoped(done) __attribute__((cleanup(done)))
#define scoped_ptr(destroy) __attribute__((cleanup(destroy##_at_scope_end)))

#define SCOPED_PTR(destroy, type)                                                                                      \
        static inline void destroy##_at_scope_end(type **thing)                                                        \
        {                                                                                                              \
                destroy(*thing);                                                                                       \
        }

/* Hands a pointer over: gives its value and forgets it, so that the scope no longer ends it. */
#define give(pointer)                                                                                                  \
        ({                                                                                                             \
                __typeof__(pointer) given_ = (pointer);                                                                \
                (pointer) = NULL;                                                                                      \
                given_;                                                                                                \
        })

#define countof(array) (sizeof(array) / sizeof((array)[0]))

/* Walks an inline vector { items, count }: each (sample, &batch->samples) sample->value. */
#define each(item, vector)                                                                                             \
        for (__typeof__(*(vector)->items) *item = (vector)->items, *item##_end = item ? item + (vector)->count : item;    \
             item < item##_end; item++)

#define min_of(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max_of(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
