#include "event.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int event_open(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return event < 0 ? -errno : event;
}

void event_close(int event)
{
	if (event >= 0)
		(void)close(event);
}

void event_raise(int event)
{
	/* It fails only when it is raised four billion times already. */
	(void)eventfd_write(event, 1);
}

void event_clear(int event)
{
	eventfd_t count;

	(void)eventfd_read(event, &count);
}
