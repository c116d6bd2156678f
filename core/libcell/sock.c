#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A path as the kernel takes it. Short ones go in as they are; for others the folder is
 * opened and the address leads through its descriptor. `dir` must stay open until the
 * address has been used.
 */
struct address {
	struct sockaddr_un un;
	socklen_t len;
	int dir;          /* AT_FDCWD or the folder's descriptor */
	const char *name; /* what to call the socket from `dir` */
};

static void address_deinit(struct address *address)
{
	if (address->dir >= 0)
		(void)close(address->dir);
	address->dir = AT_FDCWD;
}

static int address_open_folder(struct address *address, const char *path, struct cell_error *err)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];

	if (!slash || (size_t)(slash - path) >= sizeof folder)
		return cell_fail(err, -ENAMETOOLONG, "socket path '%.60s…' is too long", path);
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = 0;
	address->dir = open(folder[0] ? folder : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (address->dir < 0)
		return cell_fail(err, -errno, "folder '%s': %s", folder, strerror(errno));
	address->name = slash + 1;
	return 0;
}

static int address_init(struct address *address, const char *path, struct cell_error *err)
{
	size_t len = strlen(path);
	int r, n;

	memset(address, 0, sizeof *address);
	address->un.sun_family = AF_UNIX;
	address->dir = AT_FDCWD;
	address->name = path;
	address->len = sizeof address->un;

	if (len == 0)
		return cell_fail(err, -EINVAL, "a socket needs a path");
	if (len < sizeof address->un.sun_path) {
		memcpy(address->un.sun_path, path, len + 1);
		return 0;
	}
	r = address_open_folder(address, path, err);
	if (r < 0)
		return r;
	n = snprintf(address->un.sun_path, sizeof address->un.sun_path, "/proc/self/fd/%d/%s",
		     address->dir, address->name);
	if (n < 0 || (size_t)n >= sizeof address->un.sun_path) {
		r = cell_fail(err, -ENAMETOOLONG, "socket name '%.80s…' is too long (limit %zu bytes)",
			      address->name,
			      sizeof address->un.sun_path - sizeof "/proc/self/fd/1234567/");
		address_deinit(address);
		return r;
	}
	return 0;
}

static int sock_new(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Whether somebody accepts there: the only sure sign that a socket file is not stale. */
static bool address_is_alive(const struct address *address, int type)
{
	int fd = sock_new(type);
	int r;

	if (fd < 0)
		return true;
	r = connect(fd, (const struct sockaddr *)&address->un, address->len) < 0 ? errno : 0;
	(void)close(fd);
	return r != ECONNREFUSED && r != ENOENT;
}

static int address_bind(const struct address *address, int fd, int type, mode_t mode)
{
	struct stat st;

	/* The new file takes the socket's own mode, so there is no moment of wider rights. */
	if (fchmod(fd, mode) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address->un, address->len) < 0) {
		if (errno != EADDRINUSE)
			return -errno;
		if (fstatat(address->dir, address->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (address_is_alive(address, type))
			return -EADDRINUSE;
		if (unlinkat(address->dir, address->name, 0) < 0 && errno != ENOENT)
			return -errno;
		if (bind(fd, (const struct sockaddr *)&address->un, address->len) < 0)
			return -errno;
	}
	/* What the umask took away. */
	return fchmodat(address->dir, address->name, mode, 0) < 0 ? -errno : 0;
}

int sock_listen(int *ret_fd, const char *path, int type, mode_t mode, int backlog,
		struct cell_error *err)
{
	struct address address;
	int fd, r;

	r = address_init(&address, path, err);
	if (r < 0)
		return r;
	fd = r = sock_new(type);
	if (fd >= 0)
		r = address_bind(&address, fd, type, mode);
	if (r == 0 && listen(fd, backlog) < 0)
		r = -errno;
	address_deinit(&address);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return cell_fail(err, r, "listening at '%s': %s", path, strerror(-r));
	}
	*ret_fd = fd;
	return 0;
}

/*
 * A full queue makes a non-blocking connect fail and there is no way to poll for room, so
 * this one connect blocks, bounded by the send timeout.
 */
static int connect_within(int fd, const struct address *address, unsigned timeout_ms)
{
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	struct timeval none = { 0 };
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (timeout_ms > 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
			       fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0))
		return -errno;
	do {
		r = connect(fd, (const struct sockaddr *)&address->un, address->len) < 0 ? -errno : 0;
	} while (r == -EINTR);
	if (timeout_ms > 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0 ||
			       fcntl(fd, F_SETFL, flags) < 0))
		return -errno;
	return r;
}

int sock_connect(int *ret_fd, const char *path, int type, unsigned timeout_ms,
		 struct cell_error *err)
{
	struct address address;
	int fd, r;

	r = address_init(&address, path, err);
	if (r < 0)
		return r;
	fd = r = sock_new(type);
	if (fd >= 0)
		r = connect_within(fd, &address, timeout_ms);
	address_deinit(&address);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return cell_fail(err, r, "connecting to '%s': %s", path, strerror(-r));
	}
	*ret_fd = fd;
	return 0;
}

int sock_accept(int *ret_fd, int listener, struct cell_error *err)
{
	int fd;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == EAGAIN || errno == ECONNABORTED)
		return SOCK_WAIT;
	return cell_fail(err, -errno, "accepting a client: %s", strerror(errno));
}

int sock_pair(int ret_fds[static 2], int type, struct cell_error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return cell_fail(err, -errno, "making a socket pair: %s", strerror(errno));
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int sock_peer(int fd, struct sock_creds *ret_creds, struct cell_error *err)
{
	struct ucred ucred;
	socklen_t len = sizeof ucred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0)
		return cell_fail(err, -errno, "reading the peer's credentials: %s", strerror(errno));
	*ret_creds = (struct sock_creds){ .pid = ucred.pid, .uid = ucred.uid, .gid = ucred.gid };
	return 0;
}

int sock_pass_creds(int fd, struct cell_error *err)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
		return cell_fail(err, -errno, "asking for credentials: %s", strerror(errno));
	return 0;
}

int sock_send(int fd, const struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds,
	      struct cell_error *err)
{
	union {
		char bytes[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts };
	ssize_t n;

	if (n_fds > SOCK_FDS_MAX)
		return cell_fail(err, -E2BIG, "%zu descriptors in a packet, limit %d", n_fds,
				 SOCK_FDS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return SOCK_WAIT;
	return cell_fail(err, -errno, "sending a packet: %s", strerror(errno));
}

void sock_packet_close(struct sock_packet *packet)
{
	for (size_t i = 0; i < packet->n_fds; i++)
		if (packet->fds[i] >= 0)
			(void)close(packet->fds[i]);
	packet->n_fds = 0;
}

/* Take one block of descriptors; those over the limit are closed and make it false. */
static bool packet_take_fds(struct sock_packet *packet, const struct cmsghdr *header)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool fits = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
		if (packet->n_fds < SOCK_FDS_MAX) {
			packet->fds[packet->n_fds++] = fd;
		} else {
			(void)close(fd);
			fits = false;
		}
	}
	return fits;
}

static bool packet_take_control(struct sock_packet *packet, struct msghdr *message)
{
	bool fits = true;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_RIGHTS) {
			fits = packet_take_fds(packet, h) && fits;
		} else if (h->cmsg_type == SCM_CREDENTIALS &&
			   h->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
			struct ucred ucred;

			memcpy(&ucred, CMSG_DATA(h), sizeof ucred);
			packet->has_creds = true;
			packet->creds = (struct sock_creds){ ucred.pid, ucred.uid, ucred.gid };
		}
	}
	return fits;
}

int sock_recv(int fd, void *bytes, size_t size, struct sock_packet *ret, struct cell_error *err)
{
	union {
		char bytes[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int)) +
			   CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	bool fits;
	ssize_t n;
	int r = 0;

	memset(ret, 0, sizeof *ret);
	do {
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			return SOCK_WAIT;
		return cell_fail(err, -errno, "receiving a packet: %s", strerror(errno));
	}
	ret->len = (size_t)n;
	fits = packet_take_control(ret, &message);
	if (message.msg_flags & MSG_TRUNC)
		r = cell_fail(err, -EMSGSIZE, "a packet of more than %zu bytes", size);
	else if (!fits || (message.msg_flags & MSG_CTRUNC))
		r = cell_fail(err, -EPROTO, "a packet with more than %d descriptors, or no room for them",
			      SOCK_FDS_MAX);
	else if (n == 0)
		r = SOCK_END;
	if (r != 0)
		sock_packet_close(ret);
	return r;
}
