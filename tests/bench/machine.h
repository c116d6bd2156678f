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
	char data[64]; /* the file system of databases */
	double load; /* of one minute, when the run began */
};

/* DATA is the folder of databases. */
void machine_read(struct machine *machine, const char *data);
