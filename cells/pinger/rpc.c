/* The methods of proto/pinger.proto. */
#include "pinger.h"

#include "load.h"
#include "pinger.cell.h"

#include <cell/cell.h>

#define RUNS_HELD (PINGER_RUNS_MAX + PINGER_KEPT_MAX)

static struct load *find(const struct pinger *pinger, uint64_t number)
{
	for (size_t i = 0; i < RUNS_HELD && pinger->runs[i]; i++)
		if (load_number(pinger->runs[i]) == number)
			return pinger->runs[i];
	return NULL;
}

static int not_found(struct cell_call *call, uint64_t number)
{
	return cell_refuse(call, CELL_NOT_FOUND, "there is no run %" PRIu64, number);
}

/* Room for one more, if too many do not run: the run that ended first makes place. */
static bool make_room(struct pinger *pinger)
{
	size_t n = 0, n_running = 0, oldest_over = RUNS_HELD;

	for (; n < RUNS_HELD && pinger->runs[n]; n++) {
		if (!load_is_over(pinger->runs[n]))
			n_running++;
		else if (oldest_over == RUNS_HELD)
			oldest_over = n;
	}
	if (n_running >= PINGER_RUNS_MAX)
		return false;
	if (n < RUNS_HELD)
		return true;
	load_unref(pinger->runs[oldest_over]);
	for (size_t i = oldest_over; i + 1 < RUNS_HELD; i++)
		pinger->runs[i] = pinger->runs[i + 1];
	pinger->runs[RUNS_HELD - 1] = NULL;
	return true;
}

static int start(struct cell_call *call, void *self, const struct pinger_plan *in,
		 struct pinger_run *out)
{
	struct pinger *pinger = self;
	struct load *load;
	size_t i = 0;
	int err;

	if (!make_room(pinger))
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "%d runs are on already",
				   PINGER_RUNS_MAX);
	err = load_start(&load, call, pinger->last_number + 1, in);
	if (err)
		return err;
	while (pinger->runs[i])
		i++;
	pinger->runs[i] = load;
	*out = (struct pinger_run){ .number = ++pinger->last_number };
	cell_log(CELL_LOG_INFO, "pinger", "run_start", "run=%" PRIu64 " cell=%s rate=%g",
		 out->number, in->cell, in->rate);
	return 0;
}

static int stop(struct cell_call *call, void *self, const struct pinger_run *in,
		struct pinger_result *out)
{
	struct load *load = find(self, in->number);
	int err;

	if (!load)
		return not_found(call, in->number);
	load_stop(load);
	load_ref(load); /* while we wait, newer runs may push it out */
	err = load_wait(load, call);
	if (!err)
		err = load_report(load, call, out);
	load_unref(load);
	return err;
}

static int report(struct cell_call *call, void *self, const struct pinger_run *in,
		  struct pinger_result *out)
{
	const struct load *load = find(self, in->number);

	return load ? load_report(load, call, out) : not_found(call, in->number);
}

void pinger_deinit(struct pinger *pinger)
{
	for (size_t i = 0; i < RUNS_HELD; i++) {
		if (pinger->runs[i])
			load_stop(pinger->runs[i]);
		load_unref(pinger->runs[i]);
		pinger->runs[i] = NULL;
	}
}

const struct pinger_handlers pinger_handlers = {
	.start = start,
	.stop = stop,
	.report = report,
};
