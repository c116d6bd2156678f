/*
 * Which commits were answered of late, by their ids. Pure; the answers are in the store.
 */
#pragma once

#include "layout.h"

struct answers;

/* So many are known at least, and none that is older than this (one may go earlier then). */
#define ANSWERS_MAX    65536u
#define ANSWERS_AGE_US (600ull * 1000000)

struct answers *answers_new(void);
void answers_free(struct answers *answers);

/* That the commit with ID became VERSION, which is larger than all before. */
void answers_add(struct answers *answers, const uint8_t id[static LAYOUT_ID], uint64_t version,
		 uint64_t at_us);
/* Its version; 0 if it is not known. */
uint64_t answers_find(const struct answers *answers, const uint8_t id[static LAYOUT_ID]);
/* Forget those behind VERSION: they did not come to be. */
void answers_undo(struct answers *answers, uint64_t version);
/* The oldest, if there are more than ANSWERS_MAX or it is too old: its version, and it is
 * forgotten. 0 if there is none to forget. */
uint64_t answers_expire(struct answers *answers, uint64_t now_us);
size_t answers_count(const struct answers *answers);
