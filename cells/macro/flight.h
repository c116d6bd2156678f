/*
 * Single flight: equal requests at one time are carried out once, and all who asked get the
 * answer. It runs in a task of its own, so nobody who gives up takes it from the others.
 */
#pragma once

#include <cell/call.h>
#include <cell/message.h>
#include <stddef.h>
#include <stdint.h>

#define FLIGHT_KEY_SIZE 32
/* At a time; each is a declaration that some cellc waits for. */
#define FLIGHTS_MAX 256

struct flight;

struct flights {
	struct flight *first;
	unsigned n;
	uint64_t started; /* since the process began: for tests and statistics */
	uint64_t joined;  /* that found theirs under way */
};

/* One kind of request. */
struct flight_kind {
	const struct cell_message_type *in;
	const struct cell_message_type *out;
	/* Carry IN out; *out, of the type's size, may live in CALL or be handed over by release. */
	int (*run)(struct cell_call *call, void *userdata, const void *in, void *out,
		   void **ret_owner);
	void (*release)(void *owner); /* what *ret_owner was set to, when OUT has been encoded */
};

/*
 * Join the flight of KIND for IN, or start it, and wait for its end. *out lives in CALL.
 * 0 or the status of the flight, or of CALL if that ends first.
 */
int flight_join(struct cell_call *call, struct flights *flights, const struct flight_kind *kind,
		void *userdata, const void *in, void *out);
