#include "resume.h"

int resume_request(struct process *process, uint64_t call_id, const char *path,
		   struct cell_error *err)
{
	(void)process;
	(void)call_id;
	(void)path;
	return cell_fail(err, CELL_UNIMPLEMENTED, "upgrade");
}

void resume_execute(struct daemon *daemon)
{
	(void)daemon;
}

int resume_take(struct daemon *daemon, int fd, struct cell_error *err)
{
	(void)daemon;
	(void)fd;
	return cell_fail(err, CELL_UNIMPLEMENTED, "upgrade");
}
