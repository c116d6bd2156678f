#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -errno : 1;
	size_t len = 0;

	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0)
			n = errno == EINTR ? 1 : -errno;
	}
	text[len] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return n < 0 ? n : (ssize_t)len;
}
