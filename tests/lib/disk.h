/*
 * A disk that fails. A test that includes this has its own pwrite(), writev(), ftruncate(),
 * fsync() and fdatasync(), which LMDB calls, too: the AT-th of them on a regular file goes
 * wrong as TROUBLE says.
 */
#pragma once

#include <stdbool.h>

enum disk_trouble {
	DISK_FAILS,      /* returns -1 with ERROR, having done nothing */
	DISK_CUTS,       /* a write stores half of its pages; a sync fails */
	DISK_KILLS,      /* the process dies before it */
	DISK_KILLS_LATE, /* and after it */
	/*
	 * Power is lost in the middle of it: of what was written to data.mdb since it was
	 * synced, and of what is being written to any file, only some pages are on the disk,
	 * as SEED has it; and the process dies.
	 */
	DISK_LOSES_POWER
};

enum disk_calls { DISK_WRITES = 1, DISK_SYNCS = 2, DISK_ALL = 3 };

struct disk {
	enum disk_trouble trouble;
	enum disk_calls calls; /* which are counted */
	unsigned at;           /* 0 = all goes well */
	int error;
	bool stays; /* all from the AT-th on */
	unsigned seed;

	unsigned count;
	bool happened;
};
extern struct disk disk;
