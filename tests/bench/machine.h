/*
 * The machine a table was measured on, in the words that its reader needs.
 */
#pragma once

#include <stdbool.h>

struct machine {
	char cpu[128];
	int cpus; /* that we may use */
	bool is_virtual;
	char kernel[256];
	char system[128];
	char compiler[128];
	double memory_gib;
	double load; /* of one minute, when the run began */
};

void machine_read(struct machine *machine);
