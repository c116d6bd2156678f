#include <cell/cell.h>

#include <stdio.h>
#include <stdlib.h>

void cell_assert_failed(const char *condition, const char *file, int line)
{
	cell_log_write(CELL_LOG_ERR, "assert", "failed", "at=%s:%d condition=\"%s\"", file, line,
		       condition);
	abort();
}

const char *cell_version(void)
{
	return "0.1.0";
}
