#include "machine.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

/* The first line of PATH that begins with KEY, from the first character not in SKIP on. */
static void line_read(const char *path, const char *key, const char *skip, char *ret_text,
		      size_t size)
{
	FILE *file = fopen(path, "re");
	char line[4096];

	ret_text[0] = '\0';
	if (!file)
		return;
	while (fgets(line, sizeof line, file)) {
		const char *text = line + strlen(key);

		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		text += strspn(text, skip);
		(void)snprintf(ret_text, size, "%.*s", (int)strcspn(text, "\"\n"), text);
		break;
	}
	(void)fclose(file);
}

/* A file system in memory makes every database look durable for nothing. */
static void data_read(const char *path, char *ret_text, size_t size)
{
	const char *name = NULL;
	struct statfs info;

	if (statfs(path, &info) < 0)
		info.f_type = 0;
	switch ((unsigned long)info.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC: name = "A FILE SYSTEM IN MEMORY: nothing was durable"; break;
	case EXT4_SUPER_MAGIC: name = "ext4"; break;
	case XFS_SUPER_MAGIC: name = "XFS"; break;
	case BTRFS_SUPER_MAGIC: name = "Btrfs"; break;
	case OVERLAYFS_SUPER_MAGIC: name = "overlayfs"; break;
	default: break;
	}
	if (name)
		(void)snprintf(ret_text, size, "%s", name);
	else
		(void)snprintf(ret_text, size, "file system 0x%lx", (unsigned long)info.f_type);
}

void machine_read(struct machine *machine, const char *data)
{
	char flags[4096];
	struct utsname name;
	struct sysinfo info;
	cpu_set_t allowed;

	*machine = (struct machine){ .cpus = 1 };
	line_read("/proc/cpuinfo", "model name", "\t :", machine->cpu, sizeof machine->cpu);
	line_read("/proc/cpuinfo", "flags", "\t :", flags, sizeof flags);
	machine->is_virtual = strstr(flags, " hypervisor") != NULL;
	data_read(data, machine->data, sizeof machine->data);
	line_read("/etc/os-release", "PRETTY_NAME=", "\"", machine->system,
		  sizeof machine->system);
	if (uname(&name) == 0)
		(void)snprintf(machine->kernel, sizeof machine->kernel, "%s %s %s",
			       name.sysname, name.release, name.machine);
#ifdef __clang__
	(void)snprintf(machine->compiler, sizeof machine->compiler, "%s", __VERSION__);
#else
	(void)snprintf(machine->compiler, sizeof machine->compiler, "gcc %s", __VERSION__);
#endif
	if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
		machine->cpus = CPU_COUNT(&allowed);
	if (sysinfo(&info) == 0)
		machine->memory_gib = (double)info.totalram * info.mem_unit / (1 << 30);
	if (getloadavg(&machine->load, 1) != 1)
		machine->load = 0;
}
