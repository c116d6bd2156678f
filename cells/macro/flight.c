#include "flight.h"

#include "event.h"
#include "message.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

struct flight {
	struct flight *next;
	struct flights *flights; /* NULL once it has landed */
	unsigned refs;
	const struct flight_kind *kind;
	void *userdata;
	uint8_t key[FLIGHT_KEY_SIZE];
	int event;
	bool is_done;
	struct cell_error err; /* code 0: the reply is there */
	uint8_t *in, *out;
	size_t in_len, out_len;
};

static void flight_unref(struct flight *flight)
{
	if (--flight->refs > 0)
		return;
	event_close(flight->event);
	free(flight->in);
	free(flight->out);
	free(flight);
}

/* Whoever asks the same from now on starts anew. */
static void flight_unlist(struct flight *flight)
{
	struct flight **at = &flight->flights->first;

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	flight->flights->n--;
	flight->flights = NULL;
}

static int run(struct cell_call *call, struct flight *flight)
{
	const struct flight_kind *kind = flight->kind;
	struct cell_arena *arena = cell_arena(call);
	void *in = cell_arena_alloc(arena, kind->in->size);
	void *out = cell_arena_calloc(arena, 1, kind->out->size);
	void *owner = NULL;
	size_t bound;
	int r;

	if (!in || !out)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a request");
	r = kind->in->decode(in, flight->in, flight->in_len, 0, arena, cell_error_slot(call));
	if (r == 0)
		r = kind->run(call, flight->userdata, in, out, &owner);
	if (r == 0) {
		bound = kind->out->bound(out);
		flight->out = bound < SIZE_MAX ? malloc(bound + 1) : NULL;
		if (flight->out)
			flight->out_len = (size_t)(kind->out->encode(out, flight->out) - flight->out);
		else
			r = cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for an answer");
	}
	if (owner)
		kind->release(owner);
	return r;
}

static void fly(struct cell_call *call, void *userdata)
{
	struct flight *flight = userdata;
	int r = run(call, flight);

	if (r < 0)
		(void)cell_fail(&flight->err, r, "%s", cell_error(call)->code
							       ? cell_error(call)->text
							       : cell_status_name(r));
	flight->is_done = true;
	flight_unlist(flight);
	event_raise(flight->event);
	flight_unref(flight);
}

static struct flight *find(struct flights *flights, const struct flight_kind *kind,
			   const uint8_t *key)
{
	for (struct flight *flight = flights->first; flight; flight = flight->next)
		if (flight->kind == kind && memcmp(flight->key, key, FLIGHT_KEY_SIZE) == 0)
			return flight;
	return NULL;
}

static int start(struct cell_call *call, struct flights *flights, const struct flight_kind *kind,
		 void *userdata, const uint8_t *key, const uint8_t *bytes, size_t len,
		 struct flight **ret_flight)
{
	struct flight *flight;
	int r;

	if (flights->n == FLIGHTS_MAX)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				   "%d expansions are under way already", FLIGHTS_MAX);
	flight = calloc(1, sizeof *flight);
	if (!flight)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a request");
	flight->refs = 1;
	flight->kind = kind;
	flight->userdata = userdata;
	memcpy(flight->key, key, FLIGHT_KEY_SIZE);
	flight->event = event_open();
	flight->in = malloc(len + 1);
	flight->in_len = len;
	r = flight->event < 0 ? flight->event : flight->in ? 0 : -ENOMEM;
	if (r == 0) {
		memcpy(flight->in, bytes, len);
		r = cell_spawn_task(call, fly, flight);
	}
	if (r < 0) {
		flight_unref(flight);
		return cell_refuse(call, r, "starting an expansion: %s", cell_status_name(r));
	}
	flight->flights = flights;
	flight->next = flights->first;
	flights->first = flight;
	flights->n++;
	flights->started++;
	*ret_flight = flight;
	return 0;
}

static int land(struct cell_call *call, const struct flight *flight, void *out)
{
	uint8_t *bytes;

	if (flight->err.code)
		return cell_refuse(call, flight->err.code, "%s", flight->err.text);
	bytes = cell_arena_alloc(cell_arena(call), flight->out_len + 1);
	if (!bytes)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for an answer");
	memcpy(bytes, flight->out, flight->out_len);
	return flight->kind->out->decode(out, bytes, flight->out_len, CELL_DECODE_IN_PLACE,
					 cell_arena(call), cell_error_slot(call));
}

int flight_join(struct cell_call *call, struct flights *flights, const struct flight_kind *kind,
		void *userdata, const void *in, void *out)
{
	uint8_t key[FLIGHT_KEY_SIZE];
	struct flight *flight;
	size_t len;
	uint8_t *bytes = message_bytes(cell_arena(call), kind->in, in, &len);
	int r = 0;

	if (!bytes)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a request");
	message_digest(bytes, len, key);
	flight = find(flights, kind, key);
	if (flight)
		flights->joined++;
	else
		r = start(call, flights, kind, userdata, key, bytes, len, &flight);
	if (r < 0)
		return r;
	flight->refs++;
	/* Never cleared: it wakes all who wait, whenever they look. */
	while (r == 0 && !flight->is_done)
		r = cell_wait_readable(call, flight->event);
	if (r == 0)
		r = land(call, flight, out);
	flight_unref(flight);
	return r;
}
